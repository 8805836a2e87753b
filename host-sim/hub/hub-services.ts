import type { Clock } from '../time/clock.ts';
import type { Hub } from './hub.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { listenTls, LOOPBACK, type Listener, type ServerCredentials } from './listen.ts';
import { openNtpServer, type NtpServer } from './time-servers/ntp-server.ts';

/** Where a hub's services listen; 0 takes a free port. */
export interface ServicePorts {
  readonly mqtt: number;
  /** The service API, and the time to anybody who asks `/`. */
  readonly https: number;
  readonly ntp: number;
}

/** As a real hub has them. */
export const STANDARD_PORTS: ServicePorts = { mqtt: 8883, https: 443, ntp: 123 };

export interface HubServices {
  readonly mqtt: Listener;
  readonly https: Listener;
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
    const https = await listenTls({ port: ports.https, address, tls }, DEFAULT_LIMITS, { accept: (stream, peer) => hub.acceptHttps(stream, peer), failed });
    open.push(https);
    hub.emit({ event: 'listening', service: 'https', address: https.address, port: https.port });
    const ntp = await openNtpServer({ port: ports.ntp, clock, ...(address === LOOPBACK ? {} : { addresses: [address] }) });
    open.push(ntp);
    for (const each of ntp.addresses) hub.emit({ event: 'listening', service: 'ntp', address: each, port: ntp.port });
    return { mqtt, https, ntp, close };
  } catch (error) {
    await close();
    throw error;
  }
}
