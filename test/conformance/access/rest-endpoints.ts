import type { Permission } from '../../../host-sim/hub/access/sas.ts';
import type { DocumentName } from './documents.ts';

/** One operation of the service API, with the right that the documents ask for. */
export interface RestEndpoint {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly needs: Permission;
  readonly document: DocumentName;
  /** What an allowed one answers. */
  readonly status: number;
}

const ANY = { 'If-Match': '*' };

const read = (path: string): RestEndpoint => ({ method: 'GET', path, needs: 'RegistryRead', document: 'registryRead', status: 200 });
const write = (method: string, path: string, status: number, body?: unknown): RestEndpoint => ({
  method, path, needs: 'RegistryWrite', document: 'registryWrite', status, headers: ANY, ...(body === undefined ? {} : { body }),
});
const service = (method: string, path: string, document: DocumentName, body?: unknown, status = 200): RestEndpoint => ({
  method, path, needs: 'ServiceConnect', document, status, ...(body === undefined ? {} : { body }),
});

const CONFIGURATION = { id: 'c1', schemaVersion: '1.0', content: { deviceContent: { 'properties.desired.rate': 1 } }, targetCondition: 'tags.none=1', priority: 1, labels: {}, metrics: { queries: {} } };
const METHOD = { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 5 };

/** On device `dev1` with module `mod1`, which are there before every request; a method finds nobody online: 404. */
export const REST_ENDPOINTS: readonly RestEndpoint[] = [
  read('/devices'),
  read('/devices/dev1'),
  read('/devices/dev1/modules'),
  read('/devices/dev1/modules/mod1'),
  read('/statistics/devices'),
  read('/configurations'),
  write('POST', '/devices', 200, [{ id: 'dev1', importMode: 'update' }]),
  write('PUT', '/devices/dev1', 200, { deviceId: 'dev1' }),
  write('DELETE', '/devices/dev1', 204),
  write('PUT', '/devices/dev1/modules/mod1', 200, { deviceId: 'dev1', moduleId: 'mod1' }),
  write('DELETE', '/devices/dev1/modules/mod1', 204),
  { ...write('PUT', '/configurations/c1', 201, CONFIGURATION), headers: {} },
  write('DELETE', '/configurations/c1', 204),
  service('GET', '/statistics/service', 'serviceEndpoints'),
  service('DELETE', '/devices/dev1/commands', 'serviceEndpoints'),
  service('GET', '/twins/dev1', 'serviceTwins'),
  service('PATCH', '/twins/dev1', 'serviceTwins', { tags: { a: 1 } }),
  service('PUT', '/twins/dev1', 'serviceTwins', { tags: { a: 1 } }),
  service('GET', '/twins/dev1/modules/mod1', 'serviceTwins'),
  service('PATCH', '/twins/dev1/modules/mod1', 'serviceTwins', { tags: { a: 1 } }),
  service('PUT', '/twins/dev1/modules/mod1', 'serviceTwins', { tags: { a: 1 } }),
  service('POST', '/devices/query', 'serviceTwins', { query: 'SELECT * FROM devices' }),
  service('POST', '/twins/dev1/methods', 'serviceEndpoints', METHOD, 404),
  service('POST', '/twins/dev1/modules/mod1/methods', 'serviceEndpoints', METHOD, 404),
];
