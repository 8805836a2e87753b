import type { IPublishPacket, ISubscribePacket, IUnsubscribePacket, Packet } from 'mqtt-packet';
import type { DeviceEndpoint } from '../access/device-endpoints.ts';
import type { DisconnectReason, HubEventBody } from '../events.ts';
import type { Identity } from '../identity.ts';
import type { MethodBroker } from '../methods/method-broker.ts';
import type { Throttles } from '../throttles/throttles.ts';
import type { TwinChange, TwinStore } from '../twins/twin-store.ts';
import type { ConnectGrant } from './connect-rules.ts';
import { MessageDelivery, type DeviceMessages } from './message-delivery.ts';
import { MethodCalls } from './method-calls.ts';
import type { ClientPacket } from './packet-reader.ts';
import { PublishRules, type Telemetry } from './publish-rules.ts';
import { endpointOfFilter, METHOD_CALLS, type GrantedQos, type Session } from './session.ts';
import { TwinRequests } from './twin-requests.ts';

/** What of the hub a device talks to. */
export interface DeviceServices {
  readonly twins: TwinStore;
  readonly methods: MethodBroker;
  readonly messages: DeviceMessages;
  /** `undefined`: no limits. */
  readonly throttles: Throttles | undefined;
  /** The hub's clock, milliseconds since 1970. */
  now(): number;
}

/** What an accepted client makes the hub do. */
export interface ClientEffects {
  send(packet: Packet): void;
  emit(event: HubEventBody): void;
  close(reason: DisconnectReason, detail?: string): void;
  /** So much waits for the client already that messages are held back. */
  isCongested(): boolean;
}

const SUBACK_FAILURE = 128;

type MessageReceived = Extract<HubEventBody, { event: 'messageReceived' }>;
type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** The MQTT of a client after its CONNECT was accepted. */
export class ConnectedClient {
  readonly #of: { readonly connection: number } & Identity;
  readonly #endpoints: ReadonlySet<DeviceEndpoint>;
  readonly #session: Session;
  readonly #rules: PublishRules;
  readonly #services: DeviceServices;
  readonly #effects: ClientEffects;
  readonly #twin: TwinRequests;
  readonly #methods: MethodCalls;
  readonly #delivery: MessageDelivery;

  constructor(connection: number, grant: ConnectGrant, session: Session, maxMessageBytes: number, services: DeviceServices, effects: ClientEffects) {
    const { identity, endpoints } = grant;
    this.#of = { connection, ...identity };
    this.#endpoints = endpoints;
    this.#session = session;
    this.#rules = new PublishRules(identity, maxMessageBytes, endpoints);
    this.#services = services;
    this.#effects = effects;
    const { send, emit, isCongested } = effects;
    this.#twin = new TwinRequests(connection, identity, session, { twins: services.twins, throttles: services.throttles, now: () => services.now(), send, emit });
    this.#methods = new MethodCalls(identity, services.methods, send);
    this.#delivery = new MessageDelivery(connection, identity, session, services.messages, { send, emit, isCongested });
  }

  /** After CONNACK: a session that was kept has its subscriptions already. */
  start(): void {
    if (this.#has(METHOD_CALLS)) this.#methods.listen();
    this.pump();
  }

  /** The connection is over: what was not acknowledged waits again. */
  end(): void {
    this.#methods.stop();
    this.#session.suspend();
    this.#services.messages.unlockAll(this.#of);
  }

  /** Sends the cloud-to-device messages that may be sent now. */
  pump(): void {
    if (this.#endpoints.has('messages/devicebound')) this.#delivery.pump();
  }

  tellDesired(change: TwinChange): void {
    if (this.#endpoints.has('twin')) this.#twin.tellDesired(change);
  }

  /** @returns 0, or how many milliseconds later the same packet is to be given again: the hub's rates are reached */
  handle(packet: ClientPacket): number {
    switch (packet.cmd) {
      case 'publish':
        return this.#publish(packet);
      case 'subscribe':
        this.#subscribe(packet);
        return 0;
      case 'unsubscribe':
        this.#unsubscribe(packet);
        return 0;
      case 'pingreq':
        // [MQTT-3.12.4-1]
        this.#effects.send({ cmd: 'pingresp' });
        return 0;
      case 'puback':
        this.#delivery.acknowledge(packet.messageId);
        return 0;
      case 'disconnect':
        this.#effects.close('client-disconnected');
        return 0;
      case 'connect':
        this.#effects.close('second-connect', '[MQTT-3.1.0-2]');
        return 0;
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

  #publish(packet: IPublishPacket): number {
    const decided = this.#rules.decide(packet);
    if (decided.kind === 'close') {
      this.#effects.close(decided.reason);
      return 0;
    }
    if (decided.kind === 'telemetry' && this.#services.throttles !== undefined) {
      const waitMs = this.#services.throttles.tryTake('d2c-send');
      if (waitMs > 0) return waitMs;
    }
    if (packet.qos === 1) this.#effects.send({ cmd: 'puback', messageId: packet.messageId as number });
    if (decided.kind === 'telemetry') this.tell(decided, { qos: packet.qos === 1 ? 1 : 0, dup: packet.dup, will: false });
    else if (decided.kind === 'method-response') this.#methods.answer(decided);
    else this.#twin.handle(decided);
    return 0;
  }

  #subscribe(packet: ISubscribePacket): void {
    const granted = packet.subscriptions.map(({ topic, qos }) => {
      const grantedQos = this.#grant(topic, qos);
      this.#effects.emit({ event: 'subscribed', ...this.#of, filter: topic, grantedQos });
      return grantedQos;
    });
    this.#effects.send({ cmd: 'suback', messageId: packet.messageId as number, granted });
    if (this.#has(METHOD_CALLS)) this.#methods.listen();
    this.pump();
  }

  #grant(filter: string, qos: 0 | 1 | 2): GrantedQos {
    const endpoint = endpointOfFilter(filter);
    return this.#endpoints.has(endpoint) ? this.#session.subscribe(filter, qos) : SUBACK_FAILURE;
  }

  #unsubscribe(packet: IUnsubscribePacket): void {
    for (const filter of packet.unsubscriptions) {
      this.#session.unsubscribe(filter);
      if (filter === METHOD_CALLS) this.#methods.stop();
      this.#effects.emit({ event: 'unsubscribed', ...this.#of, filter });
    }
    this.#effects.send({ cmd: 'unsuback', messageId: packet.messageId as number, granted: [] });
  }

  #has(filter: string): boolean {
    return this.#session.subscriptions.has(filter) && this.#endpoints.has(endpointOfFilter(filter));
  }
}
