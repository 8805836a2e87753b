import type { Hub } from '../../hub.ts';
import { requireIdentity } from '../../registry/identity-operations.ts';
import { readTarget } from '../request-identity.ts';
import type { Route } from '../route.ts';

type ServiceHub = Pick<Hub, 'registry' | 'messages' | 'identities'>;

/** What of the service API is about what devices do now. */
export function serviceRoutes(hub: ServiceHub): readonly Route[] {
  return [
    {
      // @see https://learn.microsoft.com/rest/api/iothub/service/statistics/get-service-statistics
      method: 'GET', path: '/statistics/service', permissions: ['ServiceConnect'],
      handle: () => ({ status: 200, body: { connectedDeviceCount: hub.identities().filter(({ moduleId }) => moduleId === undefined).length } }),
    },
    {
      // @see https://learn.microsoft.com/rest/api/iothub/service/cloud-to-device-messages/purge-cloud-to-device-message-queue
      method: 'DELETE', path: '/devices/:deviceId/commands', permissions: ['ServiceConnect'],
      handle: (request) => {
        const { deviceId } = requireIdentity(hub.registry, readTarget(request));
        return { status: 200, body: { totalMessagesPurged: hub.messages.purge({ deviceId }), deviceId, moduleId: null } };
      },
    },
  ];
}
