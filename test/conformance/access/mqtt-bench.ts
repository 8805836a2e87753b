import { Duplex } from 'node:stream';
import { generate, parser, type IConnectPacket, type Packet } from 'mqtt-packet';
import type { DeniedSharedAccess } from '../../../host-sim/hub/access/authorize.ts';
import { PERMISSIONS } from '../../../host-sim/hub/access/sas.ts';
import type { HubEvent } from '../../../host-sim/hub/events.ts';
import { createHub, type Hub } from '../../../host-sim/hub/hub.ts';
import type { Identity } from '../../../host-sim/hub/identity.ts';
import { Registry } from '../../../host-sim/hub/registry/registry.ts';
import { realClock } from '../../../host-sim/time/real-clock.ts';
import { HUB_NAME } from './rest-bench.ts';

/** A hub without sockets: `dev1` with `mod1`, `dev2`, one disabled and one with a certificate. */
export class MqttBench {
  readonly hub: Hub;
  readonly events: HubEvent[] = [];
  readonly #streams: Duplex[] = [];

  constructor(deniedAccess: DeniedSharedAccess = {}) {
    const registry = new Registry();
    for (const permission of PERMISSIONS) registry.policies.set(`only${permission}`, [permission]);
    for (const deviceId of ['dev1', 'dev12', 'dev2', 'off']) registry.add({ deviceId });
    registry.add({ deviceId: 'dev1', moduleId: 'mod1' });
    registry.add({ deviceId: 'dev1', moduleId: 'mod2' });
    registry.add({ deviceId: 'off', moduleId: 'mod1' });
    registry.setEnabled('off', false);
    registry.add({ deviceId: 'cert' }, { authentication: { type: 'selfSigned', primaryThumbprint: 'A'.repeat(64) } });
    this.hub = createHub({ hubName: HUB_NAME, clock: realClock, registry, deniedAccess, onEvent: (event) => this.events.push(event) });
  }

  close(): Promise<void> {
    for (const stream of this.#streams) stream.destroy();
    return this.hub.close();
  }

  /** @returns the client after its CONNECT was answered */
  async connect(identity: Identity, password: string | undefined, changes: Partial<IConnectPacket> = {}): Promise<MqttPeer> {
    const peer = new MqttPeer();
    this.#streams.push(peer.stream);
    this.hub.accept(peer.stream, 'peer');
    const clientId = identity.moduleId === undefined ? identity.deviceId : `${identity.deviceId}/${identity.moduleId}`;
    await peer.send({
      cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 60, clientId, username: `${HUB_NAME}/${clientId}/?api-version=2021-04-12`,
      ...(password === undefined ? {} : { password: Buffer.from(password) }), ...changes,
    });
    return peer;
  }
}

/** The client's end of a stream in memory. */
export class MqttPeer {
  readonly stream: Duplex;
  readonly received: Packet[] = [];
  bytes = '';
  isEnded = false;

  constructor() {
    const packets = parser({ protocolVersion: 4 });
    packets.on('packet', (packet) => this.received.push(packet));
    this.stream = new Duplex({
      allowHalfOpen: false,
      read: () => {},
      write: (chunk: Buffer, _encoding, done) => {
        this.bytes += chunk.toString('hex');
        packets.parse(chunk);
        done();
      },
      final: (done) => {
        this.isEnded = true;
        done();
      },
    });
  }

  get isOpen(): boolean {
    return !this.isEnded && !this.stream.destroyed;
  }

  async send(packet: Packet): Promise<void> {
    this.stream.push(generate(packet));
    for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}
