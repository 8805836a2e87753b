import { createHmac } from 'node:crypto';
import { Duplex } from 'node:stream';
import { generate, parser, type IConnectPacket, type Packet } from 'mqtt-packet';
import type { HubEvent, HubEventName } from '../../host-sim/hub/events.ts';
import { createHub, type Hub, type HubOptions } from '../../host-sim/hub/hub.ts';
import type { Identity } from '../../host-sim/hub/identity.ts';
import { Registry } from '../../host-sim/hub/registry/registry.ts';
import type { KeyPair } from '../../host-sim/hub/access/symmetric-key.ts';
import { VirtualClock } from '../../host-sim/time/virtual-clock.ts';

export const HUB_NAME = 'myhub.azure-devices.net';
export const START_MS = 1_800_000_000_000;
const START_SECONDS = START_MS / 1000;
const DEFAULT_LIFE_SECONDS = 3_600;

export type EventOf<Name extends HubEventName> = Extract<HubEvent, { event: Name }>;

/** A hub without a socket on a clock that a test moves, with `dev1` registered. */
export class HubBench {
  readonly clock: VirtualClock;
  readonly registry = new Registry();
  readonly events: HubEvent[] = [];
  readonly hub: Hub;

  /** @param clock for what stands in `options` and has a clock itself */
  constructor(options: Partial<HubOptions> = {}, clock = new VirtualClock(START_MS)) {
    this.clock = clock;
    this.registry.add({ deviceId: 'dev1' });
    this.hub = createHub({ hubName: HUB_NAME, clock: this.clock, registry: this.registry, onEvent: (event) => this.events.push(event), ...options });
  }

  eventsOf<Name extends HubEventName>(name: Name): EventOf<Name>[] {
    return this.events.filter((event): event is EventOf<Name> => event.event === name);
  }

  /** Moves time and lets every stream deliver what that brought. */
  async advance(byMs: number): Promise<void> {
    await advance(this.clock, byMs);
  }

  open(): Peer {
    const peer = new Peer();
    this.hub.accept(peer.stream, 'test');
    return peer;
  }

  /** A client of `identity` whose CONNECT was accepted. */
  async connect(identity: Identity = { deviceId: 'dev1' }, overrides: Partial<IConnectPacket> = {}): Promise<Peer> {
    const peer = this.open();
    await peer.send({ ...this.connectPacket(identity), ...overrides });
    const connack = peer.received[0];
    if (connack?.cmd !== 'connack' || connack.returnCode !== 0) throw new Error(`not accepted: ${JSON.stringify(this.eventsOf('refused').at(-1))}`);
    return peer;
  }

  connectPacket(identity: Identity = { deviceId: 'dev1' }, lifeSeconds = DEFAULT_LIFE_SECONDS): IConnectPacket & { password: Buffer } {
    const clientId = identity.moduleId === undefined ? identity.deviceId : `${identity.deviceId}/${identity.moduleId}`;
    const keys = this.registry.find(identity)?.keys ?? { primary: new Uint8Array(32), secondary: new Uint8Array(32) };
    return {
      cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: false, keepalive: 60, clientId,
      username: `${HUB_NAME}/${clientId}/?api-version=2021-04-12`,
      password: Buffer.from(signToken(identity, keys, Math.floor(this.clock.now() / 1000) + lifeSeconds)),
    };
  }
}

/** Not the hub's code and not the agent's: written out once more. */
export function signToken(identity: Identity, keys: KeyPair, expirySeconds = START_SECONDS + DEFAULT_LIFE_SECONDS): string {
  const path = identity.moduleId === undefined ? identity.deviceId : `${identity.deviceId}/modules/${identity.moduleId}`;
  const sr = encodeURIComponent(`${HUB_NAME}/devices/${path}`);
  const signature = createHmac('sha256', keys.primary).update(`${sr}\n${expirySeconds}`).digest('base64');
  return `SharedAccessSignature sr=${sr}&sig=${encodeURIComponent(signature)}&se=${expirySeconds}`;
}

/** The client's end of a stream in memory. */
export class Peer {
  readonly stream: Duplex;
  readonly received: Packet[] = [];
  readonly bytes: Buffer[] = [];
  /** The hub ended its side in order. */
  isEnded = false;
  /** While set, the hub's writes do not complete: a client that does not read. */
  isBlocked = false;
  readonly #parser = parser({ protocolVersion: 4 });
  #unblock: (() => void)[] = [];

  constructor() {
    this.#parser.on('packet', (packet) => this.received.push(packet));
    this.stream = new Duplex({
      allowHalfOpen: false,
      read: () => {},
      write: (chunk: Buffer, _encoding, callback) => {
        this.bytes.push(chunk);
        this.#parser.parse(chunk);
        if (this.isBlocked) this.#unblock.push(callback);
        else callback();
      },
      final: (callback) => {
        this.isEnded = true;
        callback();
      },
    });
  }

  /** The hub's side of the stream is gone. */
  get isClosed(): boolean {
    return this.isEnded || this.stream.destroyed;
  }

  async send(...packets: (Packet | Uint8Array)[]): Promise<void> {
    const chunk = Buffer.concat(packets.map((packet) => (packet instanceof Uint8Array ? packet : generate(packet))));
    this.stream.push(chunk);
    await settle();
  }

  /** A client that reads again. */
  unblock(): void {
    this.isBlocked = false;
    this.#unblock.splice(0).forEach((callback) => callback());
  }

  /** As the kernel tells of a FIN. */
  async end(): Promise<void> {
    this.stream.push(null);
    await settle();
  }
}

export function publish(topic: string, payload: string | Buffer, more: { messageId?: number; qos?: 0 | 1 | 2; dup?: boolean; retain?: boolean } = {}): Packet {
  return { cmd: 'publish', topic, payload, qos: 0, dup: false, retain: false, ...more };
}

const TURNS = 4;

/** Moves time from one timer to the next, and lets every stream deliver what each brought. */
export async function advance(clock: VirtualClock, byMs: number): Promise<void> {
  const endMs = clock.monotonicMs() + byMs;
  while (clock.nextDueMs() <= endMs) {
    clock.jumpTo(clock.nextDueMs());
    clock.fireDue();
    await settle();
  }
  clock.jumpTo(endMs);
  await settle();
}

export async function settle(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
}
