import { ServiceError } from '../service-error.ts';
import type { Route } from '../rest/route.ts';
import { parseFault } from './fault.ts';
import type { FaultControl } from './fault-control.ts';
import { MAX_ADMIN_BODY_BYTES } from './limits.ts';

/** What the admin API can do; whoever has its token may do all of it. */
export function faultRoutes(faults: FaultControl): readonly Route[] {
  const all = { permissions: [], maxBodyBytes: MAX_ADMIN_BODY_BYTES } as const;
  return [
    { ...all, method: 'GET', path: '/faults', handle: () => ({ status: 200, body: faults.list() }) },
    { ...all, method: 'POST', path: '/faults', handle: async ({ body }) => ({ status: 201, body: await faults.set(parseFault(body)) }) },
    { ...all, method: 'DELETE', path: '/faults', handle: () => ({ status: 200, body: { cleared: faults.clearAll() } }) },
    {
      ...all, method: 'DELETE', path: '/faults/:faultId',
      handle: ({ params }) => {
        if (!faults.clear(params['faultId'] ?? '')) throw new ServiceError(404, 404_000, 'GenericNotFound', 'There is no such fault.');
        return { status: 204 };
      },
    },
  ];
}
