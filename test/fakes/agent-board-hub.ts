import type { Ledger } from '../../host-sim/hub/ledger.ts';
import type { Hub } from '../../host-sim/hub/hub.ts';
import type { DevelopmentPki } from '../../certs/development-pki.ts';
import type { HubEvent } from '../../host-sim/hub/events.ts';
import { createHubSide, HUB_NAME, SERVER_NAMES, virtualServices } from '../../host-sim/simulation/hub-side.ts';
import type { VirtualServices } from '../../host-sim/time/virtual-network.ts';
import { DEVICE_ID, type DeviceSettings } from './agent-board-device.ts';
import { createTestPki } from './agent-board-pki.ts';
import { AgentBoard } from './agent-board.ts';

export interface HubBoard {
  readonly board: AgentBoard;
  readonly hub: Hub;
  readonly ledger: Ledger;
  /** What the hub said, from the beginning. */
  readonly hubEvents: readonly HubEvent[];
  readonly pki: DevelopmentPki;
  /** From now on the hub shows another chain to new connections. */
  showChain(pki: DevelopmentPki): void;
}

export interface HubBoardOptions {
  /** Both of the hub's for the device. */
  readonly key: Uint8Array;
  /** Of the device's slots; default `key`. */
  readonly keys?: readonly Uint8Array[];
  readonly settings?: DeviceSettings;
  readonly updateKeys?: Uint8Array | undefined;
  readonly graceMs?: number;
  readonly delayMs?: number;
  readonly seed?: number;
  readonly deviceClockMs?: number;
  /** Of the certificates. */
  readonly notBefore?: Date;
}

/** A board that is off, with the hub simulator and its time services in the same virtual network. */
export async function openHubBoard({ key, keys = [key], settings = {}, updateKeys, graceMs = 0, notBefore, ...options }: HubBoardOptions): Promise<HubBoard> {
  const pki = await createTestPki(SERVER_NAMES, notBefore);
  const board = new AgentBoard({
    ...options,
    roots: [pki.root.certificateDer],
    keys,
    updateKeys,
    settings: { hub: HUB_NAME, ntp0: '192.0.2.2', ntp1: '192.0.2.3', date: 'localhost:443', ...settings },
  });
  const hubEvents: HubEvent[] = [];
  const side = createHubSide(board.clock, graceMs, (event) => hubEvents.push(event));
  side.hub.registry.add({ deviceId: DEVICE_ID }, { keys: { primary: key, secondary: key } });
  const servicesOf = (shown: DevelopmentPki): VirtualServices => {
    const tls = { certificateChain: shown.serverChainPem, privateKey: shown.server.privateKeyPem };
    return virtualServices(side, { tls, rootDer: shown.root.certificateDer, rootFile: '' }, board.clock).services;
  };
  const showChain = (shown: DevelopmentPki): void => {
    for (const [endpoint, accept] of servicesOf(shown).tcp) board.tcp.set(endpoint, accept);
  };
  const services = servicesOf(pki);
  showChain(pki);
  for (const [endpoint, answer] of services.udp) board.udp.set(endpoint, answer);
  for (const [name, address] of services.names) board.names.set(name, address);
  return { board, hubEvents, hub: side.hub, ledger: side.ledger, pki, showChain };
}
