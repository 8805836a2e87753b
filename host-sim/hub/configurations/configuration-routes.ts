import type { Identity } from '../identity.ts';
import { argumentError } from '../query/query-error.ts';
import type { RestRequest, RestResponse, Route } from '../rest/route.ts';
import { ServiceError } from '../service-error.ts';
import type { Configurations } from './configurations.ts';
import { MAX_CONFIGURATIONS, MAX_CONFIGURATION_BYTES, MAX_METRICS } from './limits.ts';
import { explain, explainQuery } from './parse-configuration.ts';
import { parseTarget } from './target-condition.ts';

export interface ConfigurationRoutesOptions {
  readonly configurations: Configurations;
  readonly hasDevice: (identity: Identity) => boolean;
}

/** @see https://learn.microsoft.com/rest/api/iothub/service/configuration */
export function configurationRoutes({ configurations, hasDevice }: ConfigurationRoutesOptions): readonly Route[] {
  const routes: readonly Route[] = [
    { method: 'GET', path: '/configurations', permissions: ['RegistryRead'], handle: async ({ query }) => ({ status: 200, body: await configurations.describe(configurations.ids(readTop(query))) }) },
    {
      method: 'GET',
      path: '/configurations/:configurationId',
      permissions: ['RegistryRead'],
      handle: (request) => answer(configurations, idOf(request), 200),
    },
    {
      method: 'PUT',
      path: '/configurations/:configurationId',
      permissions: ['RegistryWrite'],
      maxBodyBytes: MAX_CONFIGURATION_BYTES,
      handle: (request) => put(configurations, request),
    },
    {
      method: 'DELETE',
      path: '/configurations/:configurationId',
      permissions: ['RegistryWrite'],
      handle: (request) => {
        configurations.delete(idOf(request), request.headers['if-match']);
        return { status: 204 };
      },
    },
    { method: 'POST', path: '/configurations/testQueries', permissions: ['RegistryRead'], maxBodyBytes: MAX_CONFIGURATION_BYTES, handle: ({ body }) => ({ status: 200, body: testQueries(body) }) },
    { method: 'POST', path: '/devices/:deviceId/applyConfigurationContent', permissions: ['RegistryWrite'], maxBodyBytes: MAX_CONFIGURATION_BYTES, handle: (request) => refuseToApply(request, hasDevice) },
  ];
  return routes.map((route) => ({ ...route, throttle: 'configuration' }));
}

const idOf = ({ params }: RestRequest): string => params.configurationId ?? '';

async function answer(configurations: Configurations, id: string, status: number): Promise<RestResponse> {
  const [body] = await configurations.describe([id]);
  return { status, body, headers: { ETag: `"${body?.etag ?? ''}"` } };
}

/** "Creates or updates": with If-Match it is an update, without one a creation. */
async function put(configurations: Configurations, request: RestRequest): Promise<RestResponse> {
  const id = idOf(request);
  const ifMatch = request.headers['if-match'];
  if (ifMatch === undefined) configurations.create(id, request.body);
  else configurations.update(id, request.body, ifMatch);
  return answer(configurations, id, ifMatch === undefined ? 201 : 200);
}

function readTop(query: URLSearchParams): number {
  const text = query.get('top');
  if (text === null) return MAX_CONFIGURATIONS;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw argumentError('top must be a whole number above 0.');
  // "Value will be overridden if greater than the maximum deployment count for the IoT Hub."
  return Math.min(Number(text), MAX_CONFIGURATIONS);
}

/** What is wrong with a target condition and with queries of metrics: an answer, no error. Nothing wrong is an empty text. */
function testQueries(body: unknown): { readonly targetConditionError: string; readonly customMetricQueryErrors: Readonly<Record<string, string>> } {
  const members = typeof body === 'object' && body !== null ? (body as { readonly targetCondition?: unknown; readonly customMetricQueries?: unknown }) : {};
  const { targetCondition = '', customMetricQueries = {} } = members;
  if (typeof targetCondition !== 'string') throw argumentError('targetCondition must be text.');
  if (typeof customMetricQueries !== 'object' || customMetricQueries === null) throw argumentError('customMetricQueries must be a JSON object.');
  const queries = Object.entries(customMetricQueries);
  if (queries.length > MAX_METRICS) throw argumentError(`A configuration has ${MAX_METRICS} custom metrics at most.`);
  // Whether it is for devices or for modules is its own to say.
  const collection = /^\s*from\s+devices\s*\.\s*modules\b/i.test(targetCondition) ? 'devices.modules' : 'devices';
  return {
    targetConditionError: explain(() => parseTarget(targetCondition, collection)) ?? '',
    customMetricQueryErrors: Object.fromEntries(queries.map(([name, query]) => [name, explainQuery(query) ?? ''])),
  };
}

/** "Applies the configuration content to the specified edge device": this hub has none. @throws ServiceError always */
function refuseToApply({ params: { deviceId = '' } }: RestRequest, hasDevice: (identity: Identity) => boolean): never {
  if (!hasDevice({ deviceId })) throw new ServiceError(404, 404_001, 'DeviceNotFound', `Device ${deviceId} not registered.`);
  throw new ServiceError(
    400, 400_003, 'InvalidOperation',
    `Configuration content is applied to IoT Edge devices, and ${deviceId} is none; write its desired properties, or make a configuration with a target condition.`,
  );
}
