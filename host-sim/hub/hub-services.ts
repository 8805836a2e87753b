import type { Clock } from '../time/clock.ts';
import type { Hub } from './hub.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { listenTls, LOOPBACK, type Listener, type ServerCredentials, type TlsSink } from './listen.ts';
import { openNtpServer, type NtpServer } from './time-servers/ntp-server.ts';

/** Where a hub's services listen; 0 takes a free port. */
export interface ServicePorts {
  readonly mqtt: number;
  /** The service API, and the time to anybody who asks `/`. */
  readonly https: number;
  /** AMQP 1.0 for services. */
  readonly amqp: number;
  readonly ntp: number;
}

/** As a real hub has them. */
export const STANDARD_PORTS: ServicePorts = { mqtt: 8883, https: 443, amqp: 5671, ntp: 123 };

export interface HubServices {
  readonly mqtt: Listener;
  readonly https: Listener;
  readonly amqp: Listener;
  readonly ntp: NtpServer;
  /** Ends the hub, too. */
  close(): Promise<void>;
}

export interface HubServicesOptions {
  readonly clock: Clock;
  readonly ports: ServicePorts;
  readonly address: string;
  readonly tls: ServerCredentials;
}

/** Opens every port, or none. @throws ERR_PORT_IN_USE, ERR_PORT_FORBIDDEN, ERR_ADDRESS */
export async function openHubServices(hub: Hub, { clock, ports, address, tls }: HubServicesOptions): Promise<HubServices> {
  const open: { close(): Promise<void> }[] = [hub];
  const close = async (): Promise<void> => void (await Promise.all(open.map((service) => service.close())));
  const failed = (peer: string, code: string, detail: string): void => hub.emit({ event: 'tlsFailed', peer, code, detail });
  try {
    const mqtt = await hub.listen({ port: ports.mqtt, address, tls });
    const listen = async (service: 'https' | 'amqp', accept: TlsSink['accept']): Promise<Listener> => {
      const listener = await listenTls({ port: ports[service], address, tls }, DEFAULT_LIMITS, { accept, failed });
      open.push(listener);
      hub.emit({ event: 'listening', service, address: listener.address, port: listener.port });
      return listener;
    };
    const https = await listen('https', (stream, peer) => hub.acceptHttps(stream, peer));
    const amqp = await listen('amqp', (stream, peer) => hub.acceptAmqp(stream, peer));
    hub.serveAmqpAt(amqp.port);
    const ntp = await openNtpServer({ port: ports.ntp, clock, ...(address === LOOPBACK ? {} : { addresses: [address] }) });
    open.push(ntp);
    for (const each of ntp.addresses) hub.emit({ event: 'listening', service: 'ntp', address: each, port: ntp.port });
    return { mqtt, https, amqp, ntp, close };
  } catch (error) {
    await close();
    throw error;
  }
}
