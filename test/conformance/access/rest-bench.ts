import { Agent, request } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import type { DeniedSharedAccess } from '../../../host-sim/hub/access/authorize.ts';
import { PERMISSIONS } from '../../../host-sim/hub/access/sas.ts';
import type { HubEvent } from '../../../host-sim/hub/events.ts';
import { createHub, type Hub } from '../../../host-sim/hub/hub.ts';
import { Registry } from '../../../host-sim/hub/registry/registry.ts';
import { realClock } from '../../../host-sim/time/real-clock.ts';
import type { RestEndpoint } from './rest-endpoints.ts';

export const HUB_NAME = 'myhub.azure-devices.net';

export interface RestAnswer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
}

/** A hub with `dev1`, its module `mod1`, and a policy for every single permission; its service API over plain sockets. */
export class RestBench {
  readonly hub: Hub;
  readonly events: HubEvent[] = [];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #server: Server;

  constructor(deniedAccess: DeniedSharedAccess = {}) {
    const registry = new Registry();
    for (const permission of PERMISSIONS) registry.policies.set(`only${permission}`, [permission]);
    this.hub = createHub({ hubName: HUB_NAME, clock: realClock, registry, deniedAccess, onEvent: (event) => this.events.push(event) });
    this.#server = createServer((socket) => this.hub.acceptHttps(socket, 'peer'));
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  /** Puts back what an allowed request may have taken away. */
  restore(): void {
    const { registry, configurations } = this.hub;
    if (registry.find({ deviceId: 'dev1' }) === undefined) registry.add({ deviceId: 'dev1' });
    if (registry.find({ deviceId: 'dev1', moduleId: 'mod1' }) === undefined) registry.add({ deviceId: 'dev1', moduleId: 'mod1' });
    for (const id of configurations.ids()) configurations.delete(id);
  }

  ask(endpoint: RestEndpoint, token: string | undefined): Promise<RestAnswer> {
    const body = endpoint.body === undefined ? undefined : JSON.stringify(endpoint.body);
    const headers = {
      ...endpoint.headers,
      ...(token === undefined ? {} : { Authorization: token }),
      ...(body === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }),
    };
    const { port } = this.#server.address() as AddressInfo;
    return new Promise((resolve, reject) => {
      const asked = request({ agent: this.#agent, host: '127.0.0.1', port, method: endpoint.method, path: `${endpoint.path}?api-version=2021-04-12`, headers }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: Object.keys(response.headers).sort(), body: text }));
      });
      asked.on('error', reject);
      asked.end(body);
    });
  }

  async close(): Promise<void> {
    this.#agent.destroy();
    this.#server.close();
    await this.hub.close();
  }
}
