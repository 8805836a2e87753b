import { configurationRoutes } from '../configurations/configuration-routes.ts';
import type { Hub } from '../hub.ts';
import { queryRoutes } from '../query/query-routes.ts';
import type { Clock } from '../../time/clock.ts';
import type { RestLimits } from './limits.ts';
import { RestServer } from './rest-server.ts';
import type { Route } from './route.ts';
import { deviceRoutes } from './routes/device-routes.ts';
import { methodRoutes } from './routes/method-routes.ts';
import { registryRoutes } from './routes/registry-routes.ts';
import { serviceRoutes } from './routes/service-routes.ts';
import { twinRoutes } from './routes/twin-routes.ts';

/** Everything that IoT Hub's HTTPS has here: the service API, and messages of devices. */
export function serviceApiRoutes(hub: Hub): readonly Route[] {
  const { configurations, registry, rows } = hub;
  return [
    ...registryRoutes(hub),
    ...twinRoutes(hub),
    ...methodRoutes(hub),
    ...serviceRoutes(hub),
    ...deviceRoutes(hub),
    ...queryRoutes(rows),
    ...configurationRoutes({ configurations, hasDevice: (identity) => registry.find(identity) !== undefined }),
  ];
}

export function createServiceApi(hub: Hub, clock: Clock, limits: Partial<RestLimits> = {}): RestServer {
  return new RestServer({
    hubName: hub.hubName, clock, now: () => hub.now(), routes: serviceApiRoutes(hub), throttles: hub.throttles, limits,
    authorize: (request) => hub.authorize(request),
    emit: (event) => hub.emit(event),
  });
}
