import type { HubConnection } from '../hub-connection.ts';
import { MAX_METHOD_ANSWERS } from '../limits.ts';
import { methodResponseTopic } from '../topics.ts';

interface Answer {
  readonly requestId: string;
  readonly topic: string;
  readonly payload: Uint8Array;
  /** 0 until it is sent first; it keeps its own when it is sent again ([MQTT-4.4.0-1]). */
  packetId: number;
  /** On the connection of now; `Infinity` until it is. */
  sentAtMs: number;
}

export interface AnswersOwner {
  takePacketId(): number;
  /** Sends again what was sent before `packetId` was; false when there is no room for all of it yet. */
  resendBefore(packetId: number, connection: HubConnection): boolean;
}

/** The answers to direct methods that the hub has not acknowledged, in order. They outlive connections: the service still waits. */
export class Answers {
  #answers: Answer[] = [];
  #unsent = 0;

  get isEmpty(): boolean {
    return this.#answers.length === 0;
  }

  get isFull(): boolean {
    return this.#answers.length >= MAX_METHOD_ANSWERS;
  }

  get hasUnsent(): boolean {
    return this.#unsent > 0;
  }

  /** When the one that has waited longest for its acknowledgement was sent; Infinity when none waits. */
  get oldestSentAtMs(): number {
    return this.#answers.reduce((oldest, { sentAtMs }) => Math.min(oldest, sentAtMs), Infinity);
  }

  push(requestId: string, status: number, payload: Uint8Array): void {
    this.#answers.push({ requestId, topic: methodResponseTopic(status, requestId), payload, packetId: 0, sentAtMs: Infinity });
    this.#unsent += 1;
  }

  pump(connection: HubConnection, nowMs: number, owner: AnswersOwner): void {
    for (const answer of this.#answers) {
      if (this.#unsent === 0 || !connection.canSend) return;
      if (answer.sentAtMs !== Infinity) continue;
      const { topic, payload } = answer;
      const dup = answer.packetId !== 0;
      if (!dup) answer.packetId = owner.takePacketId();
      // [MQTT-4.6.0-1]: what is sent again goes in the order of the first time.
      else if (!owner.resendBefore(answer.packetId, connection) || !connection.canSend) return;
      answer.sentAtMs = nowMs;
      this.#unsent -= 1;
      // QoS 1: one that leaves shortly before a renewal must not be lost with the older connection.
      connection.send({ type: 'publish', topic, payload, qos: 1, dup, retain: false, packetId: answer.packetId });
    }
  }

  /** False for a packet id that is no answer's. */
  acknowledge(packetId: number): boolean {
    const index = this.#answers.findIndex((answer) => answer.packetId === packetId && answer.sentAtMs !== Infinity);
    if (index < 0) return false;
    this.#answers.splice(index, 1);
    return true;
  }

  /** Whether an answer that is not acknowledged has this packet id. */
  holds(packetId: number): boolean {
    for (const answer of this.#answers) if (answer.packetId === packetId) return true;
    return false;
  }

  /** What is not acknowledged is sent again on the next connection; the hub passes over an answer that nobody waits for. */
  requeue(): void {
    for (const answer of this.#answers) answer.sentAtMs = Infinity;
    this.#unsent = this.#answers.length;
  }

  /** A new request has come under the id of an answer to an older one: that answer would be taken for its own. */
  forget(requestId: string): void {
    const index = this.#answers.findIndex((answer) => answer.requestId === requestId);
    if (index < 0) return;
    const [answer] = this.#answers.splice(index, 1);
    if (answer?.sentAtMs === Infinity) this.#unsent -= 1;
  }
}
