import type { HubConnection } from '../hub-connection.ts';
import { MAX_METHOD_ANSWERS } from '../limits.ts';
import { methodResponseTopic } from '../topics.ts';

interface Answer {
  readonly requestId: string;
  readonly topic: string;
  readonly payload: Uint8Array;
  /** 0 until it is sent. */
  packetId: number;
  sentAtMs: number;
  /** Was sent on an earlier connection. */
  dup: boolean;
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
    return this.#answers.reduce((oldest, { packetId, sentAtMs }) => (packetId === 0 ? oldest : Math.min(oldest, sentAtMs)), Infinity);
  }

  push(requestId: string, status: number, payload: Uint8Array): void {
    this.#answers.push({ requestId, topic: methodResponseTopic(status, requestId), payload, packetId: 0, sentAtMs: 0, dup: false });
    this.#unsent += 1;
  }

  pump(connection: HubConnection, nowMs: number, owner: { takePacketId(): number }): void {
    for (const answer of this.#answers) {
      if (this.#unsent === 0 || !connection.canSend) return;
      if (answer.packetId !== 0) continue;
      const { topic, payload, dup } = answer;
      answer.packetId = owner.takePacketId();
      answer.sentAtMs = nowMs;
      this.#unsent -= 1;
      // QoS 1: one that leaves shortly before a renewal must not be lost with the older connection.
      connection.send({ type: 'publish', topic, payload, qos: 1, dup, retain: false, packetId: answer.packetId });
    }
  }

  /** False for a packet id that is no answer's. */
  acknowledge(packetId: number): boolean {
    const index = this.#answers.findIndex((answer) => answer.packetId === packetId);
    if (index < 0) return false;
    this.#answers.splice(index, 1);
    return true;
  }

  /** What is not acknowledged is sent again on the next connection; the hub passes over an answer that nobody waits for. */
  requeue(): void {
    for (const answer of this.#answers) {
      answer.dup = answer.dup || answer.packetId !== 0;
      answer.packetId = 0;
    }
    this.#unsent = this.#answers.length;
  }

  /** A new request has come under the id of an answer to an older one: that answer would be taken for its own. */
  forget(requestId: string): void {
    const index = this.#answers.findIndex((answer) => answer.requestId === requestId);
    if (index < 0) return;
    const [answer] = this.#answers.splice(index, 1);
    if (answer?.packetId === 0) this.#unsent -= 1;
  }
}
