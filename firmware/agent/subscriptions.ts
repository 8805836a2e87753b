import type { HubConnection } from './hub-connection.ts';
import { SUBSCRIPTION_REFUSED, type Suback, type Subscription } from './mqtt/packets.ts';

/** A SUBSCRIBE that the hub has not answered. */
interface Asked {
  readonly packetId: number;
  readonly topics: readonly string[];
  readonly sentAtMs: number;
}

/** What is subscribed to on the current connection. */
export class Subscriptions {
  /** Asked for and answered on this connection. */
  #settled: string[] = [];
  #asked: Asked | undefined;

  /** When the SUBSCRIBE was sent that waits for its answer; Infinity when none does. */
  get sentAtMs(): number {
    return this.#asked?.sentAtMs ?? Infinity;
  }

  /** A new connection: nothing is subscribed to on it. */
  reset(): void {
    this.#settled = [];
    this.#asked = undefined;
  }

  /** Whether the hub has answered for all of them. */
  isSettled(topics: readonly Subscription[]): boolean {
    return topics.every(({ topic }) => this.#settled.includes(topic));
  }

  /** Asks for what of `wanted` is not settled, unless a SUBSCRIBE is under way: then again after its answer. */
  ask(connection: HubConnection, wanted: readonly Subscription[], nowMs: number, owner: { takePacketId(): number }): void {
    const missing = wanted.filter(({ topic }) => !this.#settled.includes(topic));
    if (missing.length === 0 || this.#asked !== undefined) return;
    this.#asked = { packetId: owner.takePacketId(), topics: missing.map(({ topic }) => topic), sentAtMs: nowMs };
    connection.send({ type: 'subscribe', packetId: this.#asked.packetId, subscriptions: missing });
  }

  /** The topics that were refused; `undefined` for an answer to nothing. A refused one counts as settled: it is not asked for again on this connection. */
  receive({ packetId, granted }: Suback): readonly string[] | undefined {
    const asked = this.#asked;
    if (asked === undefined || asked.packetId !== packetId) return undefined;
    this.#asked = undefined;
    const refused: string[] = [];
    for (const [index, topic] of asked.topics.entries()) {
      this.#settled.push(topic);
      if ((granted[index] ?? SUBSCRIPTION_REFUSED) === SUBSCRIPTION_REFUSED) refused.push(topic);
    }
    return refused;
  }
}
