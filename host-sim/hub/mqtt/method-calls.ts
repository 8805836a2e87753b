import type { IPublishPacket } from 'mqtt-packet';
import type { Identity } from '../identity.ts';
import type { MethodBroker, MethodTarget } from '../methods/method-broker.ts';
import type { MethodAnswer } from './publish-rules.ts';

/** Direct methods of a connected device: a topic out, a topic back. Both go with QoS 0. */
export class MethodCalls implements MethodTarget {
  readonly #identity: Identity;
  readonly #broker: MethodBroker;
  readonly #send: (packet: IPublishPacket) => void;
  #isListening = false;

  constructor(identity: Identity, broker: MethodBroker, send: (packet: IPublishPacket) => void) {
    this.#identity = identity;
    this.#broker = broker;
    this.#send = send;
  }

  /** The device has subscribed. */
  listen(): void {
    if (this.#isListening) return;
    this.#isListening = true;
    this.#broker.setTarget(this.#identity, this);
  }

  stop(): void {
    if (!this.#isListening) return;
    this.#isListening = false;
    this.#broker.setTarget(this.#identity, undefined);
  }

  sendMethod(methodName: string, requestId: string, body: string): void {
    const topic = `$iothub/methods/POST/${encodeURIComponent(methodName)}/?$rid=${requestId}`;
    this.#send({ cmd: 'publish', topic, payload: body, qos: 0, dup: false, retain: false });
  }

  answer({ requestId, status, payload }: MethodAnswer): void {
    this.#broker.answer(this.#identity, requestId, status, payload);
  }
}
