import { DateServer } from '../hub/time-servers/date-server.ts';
import { createHub, type Hub } from '../hub/hub.ts';
import { Ledger } from '../hub/ledger.ts';
import { DEFAULT_LIMITS } from '../hub/limits.ts';
import { createTlsServer, listenTls, type Listener, type TlsSink } from '../hub/listen.ts';
import { answerNtp, openNtpServer, type NtpServer } from '../hub/time-servers/ntp-server.ts';
import { Registry } from '../hub/registry/registry.ts';
import type { HubEvent } from '../hub/events.ts';
import type { Clock } from '../time/clock.ts';
import type { Endpoint, VirtualServices } from '../time/virtual-network.ts';
import { GUEST_DEVICE_ID } from './guest.ts';
import type { LocalPki } from './local-pki.ts';

/** The name of the simulator's hub, in tokens, user names and its certificate. RFC 2606 keeps `.test`: no stranger has this name. */
export const HUB_NAME = 'latchkey-sim.test';
/** Names and addresses of the server's certificate: other clients come by `localhost`. */
export const SERVER_NAMES: readonly string[] = [HUB_NAME, 'localhost', '127.0.0.1'];

/** Addresses of the virtual network (RFC 5737, TEST-NET-1). */
const VIRTUAL_HUB = { address: '192.0.2.1', port: 8883 } as const;
const VIRTUAL_DATE = { address: '192.0.2.1', port: 443 } as const;
const VIRTUAL_NTP_ADDRESSES = ['192.0.2.2', '192.0.2.3'] as const;
const NTP_PORT = 123;

export interface Place {
  readonly address: string;
  readonly port: number;
}

/** The hub, what counts at it, and the services that give the time. */
export interface HubSide {
  readonly hub: Hub;
  readonly ledger: Ledger;
}

/** Where its services are. */
export interface HubPlaces {
  readonly hub: Place;
  readonly date: Place;
  readonly ntp: readonly Place[];
}

/** A hub without a port yet. The guest's doings are shown but not counted. */
export function createHubSide(clock: Clock, graceMs: number, onEvent: (event: HubEvent) => void): HubSide {
  const hub = createHub({ hubName: HUB_NAME, clock, registry: new Registry(), graceMs });
  const ledger = new Ledger();
  hub.onEvent((event) => {
    if (!isOfGuest(event)) ledger.observe(event);
    onEvent(event);
  });
  return { hub, ledger };
}

function isOfGuest(event: HubEvent): boolean {
  return ('deviceId' in event && event.deviceId === GUEST_DEVICE_ID) || ('clientId' in event && event.clientId === GUEST_DEVICE_ID);
}

export interface ListeningServices extends HubPlaces {
  close(): Promise<void>;
}

/** Opens the ports: the hub's on `port`, the others on free ones. @throws ERR_PORT_IN_USE, ERR_PORT_FORBIDDEN, ERR_ADDRESS */
export async function openServices(side: HubSide, pki: LocalPki, clock: Clock, port: number): Promise<ListeningServices> {
  const open: (Listener | NtpServer)[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(open.map((service) => service.close()));
    await side.hub.close();
  };
  try {
    const hub = await side.hub.listen({ port, tls: pki.tls });
    const date = await listenTls({ port: 0, tls: pki.tls }, DEFAULT_LIMITS, dateSink(clock));
    open.push(date);
    const ntp = await openNtpServer({ port: 0, clock });
    open.push(ntp);
    return { hub, date, ntp: ntp.addresses.map((address) => ({ address, port: ntp.port })), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The same services on a virtual network. */
export function virtualServices(side: HubSide, pki: LocalPki, clock: Clock): { readonly services: VirtualServices; readonly places: HubPlaces } {
  const hub = createTlsServer(pki.tls, DEFAULT_LIMITS, {
    accept: (stream, peer) => side.hub.accept(stream, peer),
    failed: (peer, code, detail) => side.hub.emit({ event: 'tlsFailed', peer, code, detail }),
  });
  const date = createTlsServer(pki.tls, DEFAULT_LIMITS, dateSink(clock));
  const endpoint = ({ address, port }: Place): Endpoint => `${address}:${port}`;
  const ntp = VIRTUAL_NTP_ADDRESSES.map((address) => ({ address, port: NTP_PORT }));
  return {
    places: { hub: VIRTUAL_HUB, date: VIRTUAL_DATE, ntp },
    services: {
      tcp: new Map([
        [endpoint(VIRTUAL_HUB), (socket) => void hub.emit('connection', socket)],
        [endpoint(VIRTUAL_DATE), (socket) => void date.emit('connection', socket)],
      ]),
      udp: new Map(ntp.map((place) => [endpoint(place), (query) => answerNtp(query, clock)])),
      names: new Map([[HUB_NAME, VIRTUAL_HUB.address], ['localhost', VIRTUAL_DATE.address]]),
    },
  };
}

function dateSink(clock: Clock): TlsSink {
  const server = new DateServer(clock);
  return { accept: (stream) => server.acceptHttps(stream), failed: () => {} };
}
