import type { IPublishPacket } from 'mqtt-packet';
import type { Identity } from '../identity.ts';
import type { CloudMessage } from '../messages/cloud-message.ts';
import type { MessageQueues } from '../messages/message-queues.ts';
import { ServiceError } from '../service-error.ts';
import { formatMessageTopic } from './message-topic.ts';
import type { DeliveryEvent } from './delivery-events.ts';
import type { Session } from './session.ts';

/** The queues as a device needs them. */
export type DeviceMessages = Pick<MessageQueues, 'lock' | 'complete' | 'reject' | 'unlockAll'>;

export interface DeliveryEffects {
  send(packet: IPublishPacket): void;
  emit(event: DeliveryEvent): void;
  /** So much waits for the client already that more is not sent now. */
  isCongested(): boolean;
}

/** QoS 1 messages that await their PUBACK at a time; ours, IoT Hub names none. */
const WINDOW = 16;

/** MQTT 3.1.1, 1.5.3. */
const MQTT_STRING_BYTES = 65_535;

/** Sends one device's cloud-to-device messages over its connection, in the order of the queue. */
export class MessageDelivery {
  readonly #identity: Identity;
  readonly #connection: number;
  readonly #session: Session;
  readonly #messages: DeviceMessages;
  readonly #effects: DeliveryEffects;
  #isPumping = false;

  constructor(connection: number, identity: Identity, session: Session, messages: DeviceMessages, effects: DeliveryEffects) {
    this.#connection = connection;
    this.#identity = identity;
    this.#session = session;
    this.#messages = messages;
    this.#effects = effects;
  }

  /** Sends what may be sent now: after SUBSCRIBE or CONNECT, when a message came, when one was acknowledged, when the client read. */
  pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      while (this.#session.messageQos() !== undefined && this.#session.unacknowledged.size < WINDOW && !this.#effects.isCongested()) {
        const message = this.#messages.lock(this.#identity);
        if (message === undefined) return this.#session.forgetFormer();
        this.#deliver(message, this.#session.messageQos() ?? 0);
      }
    } finally {
      this.#isPumping = false;
    }
  }

  /** A PUBACK completes its message; one for nothing is let pass. */
  acknowledge(packetId: number): void {
    const held = this.#session.unacknowledged.get(packetId);
    if (held === undefined) return;
    this.#session.unacknowledged.delete(packetId);
    try {
      this.#messages.complete(this.#identity, held.lockToken);
    } catch (error) {
      // It was purged while the device handled it.
      if (!(error instanceof ServiceError)) throw error;
    }
    this.pump();
  }

  #deliver(message: CloudMessage, qos: 0 | 1): void {
    const topic = formatMessageTopic(this.#identity.deviceId, message);
    const { payload, sequenceNumber, messageId, lockToken } = message;
    if (Buffer.byteLength(topic) > MQTT_STRING_BYTES) {
      // Properties that fit a message do not always fit a topic. Left in the queue it would stop all behind it.
      this.#messages.reject(this.#identity, lockToken);
      return;
    }
    const told = { event: 'cloudMessageSent', connection: this.#connection, deviceId: this.#identity.deviceId, messageId, sequenceNumber } as const;
    if (qos === 0) {
      this.#effects.send({ cmd: 'publish', topic, payload, qos, dup: false, retain: false });
      this.#effects.emit({ ...told, qos, dup: false });
      // At most once: nobody will say that it came.
      this.#messages.complete(this.#identity, lockToken);
      return;
    }
    const { packetId, isResent } = this.#session.hold({ sequenceNumber, lockToken });
    this.#effects.send({ cmd: 'publish', topic, payload, qos, dup: isResent, retain: false, messageId: packetId });
    this.#effects.emit({ ...told, qos, dup: isResent });
  }
}
