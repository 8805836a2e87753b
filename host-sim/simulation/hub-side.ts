import type { Server } from 'node:tls';
import { DateServer } from '../hub/time-servers/date-server.ts';
import { createHub, type Hub } from '../hub/hub.ts';
import { Ledger } from '../hub/ledger.ts';
import { DEFAULT_LIMITS } from '../hub/limits.ts';
import { createTlsServer, listenTls, type Listener, type ServerCredentials, type TlsSink } from '../hub/listen.ts';
import { answerNtp, openNtpServer, type NtpServer } from '../hub/time-servers/ntp-server.ts';
import { Registry } from '../hub/registry/registry.ts';
import type { HubEvent } from '../hub/events.ts';
import type { Clock } from '../time/clock.ts';
import type { Endpoint, VirtualServices } from '../time/virtual-network.ts';
import type { VirtualSocket } from '../time/virtual-socket.ts';
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
  const hub = createHub({ hubName: HUB_NAME, clock, registry: new Registry({ now: () => clock.now() }), graceMs });
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

/** A network where everything may change while boards run. */
export interface VirtualSite {
  readonly services: VirtualServices;
  readonly places: HubPlaces;
  /** From now on new connections are shown another chain; nothing of the sessions before can be resumed. */
  showChain(tls: ServerCredentials): void;
  /** Puts a host with one TCP service into the network. */
  addHost(name: string, place: Place, accept: (socket: VirtualSocket) => void): void;
}

/** The same services on a virtual network. */
export function virtualServices(side: HubSide, pki: LocalPki, clock: Clock): VirtualSite {
  const open = (tls: ServerCredentials): { readonly hub: Server; readonly date: Server } => ({
    hub: createTlsServer(tls, DEFAULT_LIMITS, {
      accept: (stream, peer) => side.hub.accept(stream, peer),
      failed: (peer, code, detail) => side.hub.emit({ event: 'tlsFailed', peer, code, detail }),
    }),
    date: createTlsServer(tls, DEFAULT_LIMITS, dateSink(clock)),
  });
  let servers = open(pki.tls);
  const endpoint = ({ address, port }: Place): Endpoint => `${address}:${port}`;
  const ntp = VIRTUAL_NTP_ADDRESSES.map((address) => ({ address, port: NTP_PORT }));
  const tcp = new Map<Endpoint, (socket: VirtualSocket) => void>([
    [endpoint(VIRTUAL_HUB), (socket) => void servers.hub.emit('connection', socket)],
    [endpoint(VIRTUAL_DATE), (socket) => void servers.date.emit('connection', socket)],
  ]);
  const names = new Map<string, string>([[HUB_NAME, VIRTUAL_HUB.address], ['localhost', VIRTUAL_DATE.address]]);
  return {
    places: { hub: VIRTUAL_HUB, date: VIRTUAL_DATE, ntp },
    services: { tcp, udp: new Map(ntp.map((place) => [endpoint(place), (query) => answerNtp(query, clock)])), names },
    showChain: (tls) => void (servers = open(tls)),
    addHost(name, place, accept) {
      names.set(name, place.address);
      tcp.set(endpoint(place), accept);
    },
  };
}

function dateSink(clock: Clock): TlsSink {
  const server = new DateServer(clock);
  return { accept: (stream) => server.acceptHttps(stream), failed: () => {} };
}
