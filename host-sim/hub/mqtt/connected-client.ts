import type { IPublishPacket, ISubscribePacket, IUnsubscribePacket, Packet } from 'mqtt-packet';
import type { DisconnectReason, HubEventBody } from '../events.ts';
import type { Identity } from '../identity.ts';
import type { ClientPacket } from './packet-reader.ts';
import { PublishRules, type DeviceRequest, type Telemetry } from './publish-rules.ts';
import type { Session } from './session.ts';

/** What an accepted client makes the hub do. */
export interface ClientEffects {
  send(packet: Packet): void;
  emit(event: HubEventBody): void;
  close(reason: DisconnectReason, detail?: string): void;
}

/** What a twin request is answered while the hub has no twins: IoT Hub's form of an error, which the SDKs hand to the application. */
const NOT_IMPLEMENTED = 501;
const NO_TWINS = JSON.stringify({ errorCode: 501_000, message: 'this hub simulator has no twins yet' });

type MessageReceived = Extract<HubEventBody, { event: 'messageReceived' }>;
type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** The MQTT of a client after its CONNECT was accepted. */
export class ConnectedClient {
  readonly #of: { readonly connection: number } & Identity;
  readonly #session: Session;
  readonly #rules: PublishRules;
  readonly #effects: ClientEffects;

  constructor(connection: number, identity: Identity, session: Session, maxMessageBytes: number, effects: ClientEffects) {
    this.#of = { connection, ...identity };
    this.#session = session;
    this.#rules = new PublishRules(identity, maxMessageBytes);
    this.#effects = effects;
  }

  handle(packet: ClientPacket): void {
    switch (packet.cmd) {
      case 'publish':
        return this.#publish(packet);
      case 'subscribe':
        return this.#subscribe(packet);
      case 'unsubscribe':
        return this.#unsubscribe(packet);
      case 'pingreq':
        // [MQTT-3.12.4-1]
        return this.#effects.send({ cmd: 'pingresp' });
      case 'puback':
        // Nothing is sent with QoS 1 yet.
        return;
      case 'disconnect':
        return this.#effects.close('client-disconnected');
      case 'connect':
        return this.#effects.close('second-connect', '[MQTT-3.1.0-2]');
    }
  }

  /** Tells of a message that arrived, or of the will when the client is gone. */
  tell(telemetry: Telemetry, packet: { readonly qos: 0 | 1; readonly dup: boolean; readonly will: boolean }): void {
    const { system, application } = telemetry.properties;
    const { connection, deviceId, moduleId } = this.#of;
    const event: Mutable<MessageReceived> = {
      event: 'messageReceived',
      connection,
      deviceId,
      qos: packet.qos,
      dup: packet.dup,
      will: packet.will,
      bytes: telemetry.bytes,
      properties: application,
      systemProperties: system,
      payload: telemetry.payload,
    };
    if (moduleId !== undefined) event.moduleId = moduleId;
    const mid = system['$.mid'];
    if (mid !== undefined) event.mid = mid;
    this.#effects.emit(event);
  }

  #publish(packet: IPublishPacket): void {
    const decided = this.#rules.decide(packet);
    if (decided.kind === 'close') return this.#effects.close(decided.reason);
    if (packet.qos === 1) this.#effects.send({ cmd: 'puback', messageId: packet.messageId as number });
    if (decided.kind !== 'telemetry') return this.#answer(decided);
    this.tell(decided, { qos: packet.qos === 1 ? 1 : 0, dup: packet.dup, will: false });
  }

  /** Twin and methods are not here yet: a twin request gets an answer that says so, not silence. */
  #answer(request: DeviceRequest): void {
    this.#effects.emit({ event: 'notSupported', ...this.#of, request: request.kind });
    if (request.kind === 'method-response' || !this.#session.subscriptions.has('$iothub/twin/res/#')) return;
    const topic = `$iothub/twin/res/${NOT_IMPLEMENTED}/?$rid=${encodeURIComponent(request.requestId)}`;
    this.#effects.send({ cmd: 'publish', topic, payload: NO_TWINS, qos: 0, dup: false, retain: false });
  }

  #subscribe(packet: ISubscribePacket): void {
    const granted = packet.subscriptions.map(({ topic, qos }) => {
      const grantedQos = this.#session.subscribe(topic, qos);
      this.#effects.emit({ event: 'subscribed', ...this.#of, filter: topic, grantedQos });
      return grantedQos;
    });
    this.#effects.send({ cmd: 'suback', messageId: packet.messageId as number, granted });
  }

  #unsubscribe(packet: IUnsubscribePacket): void {
    for (const filter of packet.unsubscriptions) {
      this.#session.unsubscribe(filter);
      this.#effects.emit({ event: 'unsubscribed', ...this.#of, filter });
    }
    this.#effects.send({ cmd: 'unsuback', messageId: packet.messageId as number, granted: [] });
  }
}
