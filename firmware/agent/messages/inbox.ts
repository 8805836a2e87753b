import type { Application } from '../application.ts';
import type { HubConnection } from '../hub-connection.ts';
import { MAX_UNHANDLED_MESSAGES } from '../limits.ts';
import type { LargePublish } from '../mqtt/framer.ts';
import type { Publish, Subscription } from '../mqtt/packets.ts';
import { parseProperties } from '../properties.ts';
import type { LargeMessageTaker } from './inbound-message.ts';

export interface InboxOwner {
  isCurrent(connection: HubConnection): boolean;
  /** Nothing waits for the application any more. */
  inboxHandled(): void;
  /** Messages were passed over; only a new connection brings them again. */
  inboxWantsReconnect(connection: HubConnection): void;
}

/** Messages from the cloud of the current connection: each is acknowledged when the application has handled it. */
export class Inbox {
  readonly #application: Application;
  readonly #owner: InboxOwner;
  readonly #filter: string | undefined;
  #unhandled = 0;
  /** A message was passed over because too many wait: the hub sends it again on the next connection. */
  #passedOver = false;
  /** Of the message that is coming in pieces. */
  #taker: LargeMessageTaker | undefined;
  /** Acknowledges the message that is passing by, which nobody took. */
  #skipped: (() => void) | undefined;

  /** @param filter `undefined` for a module: it has no messages from the cloud */
  constructor(application: Application, filter: string | undefined, owner: InboxOwner) {
    this.#application = application;
    this.#filter = filter;
    this.#owner = owner;
  }

  get subscriptions(): readonly Subscription[] {
    return this.#filter !== undefined && this.#application.wantsMessages ? [{ topic: this.#filter, qos: 1 }] : [];
  }

  get isIdle(): boolean {
    return this.#unhandled === 0;
  }

  /** The connection has gone: what was not acknowledged comes again on the next. */
  reset(): void {
    const taker = this.#taker;
    this.#taker = undefined;
    this.#skipped = undefined;
    if (taker !== undefined) this.#application.call((one: LargeMessageTaker) => one.onLost(), taker);
    this.#unhandled = 0;
    this.#passedOver = false;
  }

  receive(connection: HubConnection, publish: Publish, encodedProperties: string): void {
    if (!this.#hasRoom(publish)) return;
    const acknowledge = this.#expect(connection, publish);
    const { topic, payload } = publish;
    if (!this.#application.deliver({ topic, payload, properties: parseProperties(encodedProperties), acknowledge })) acknowledge();
  }

  /** A message above MAX_INBOUND begins; whether its payload is wanted in pieces. */
  beginLarge(connection: HubConnection, publish: LargePublish, encodedProperties: string): boolean {
    if (!this.#hasRoom(publish)) return true;
    // What the application says before it has taken the message counts, too.
    const acknowledge = this.#expect(connection, publish);
    const { topic, payloadByteCount } = publish;
    this.#taker = this.#application.takerOf({ topic, byteCount: payloadByteCount, properties: parseProperties(encodedProperties), acknowledge });
    // The application may have ended the connection when it was asked.
    if (!this.#owner.isCurrent(connection)) {
      this.reset();
      return false;
    }
    if (this.#taker === undefined) this.#skipped = acknowledge;
    return this.#taker !== undefined;
  }

  /** A message above MAX_INBOUND that nobody took has passed by. */
  skipLarge(): void {
    this.#skipped?.();
    this.#skipped = undefined;
  }

  largePiece(bytes: Uint8Array): void {
    if (this.#taker !== undefined) this.#application.call((piece: Uint8Array) => this.#taker?.onPiece(piece), bytes);
  }

  endLarge(): void {
    const taker = this.#taker;
    this.#taker = undefined;
    if (taker !== undefined) this.#application.call((one: LargeMessageTaker) => one.onEnd(), taker);
  }

  /** Above the limit of unhandled messages one is passed over, unacknowledged. */
  #hasRoom({ qos }: Pick<Publish, 'qos'>): boolean {
    if (qos === 0 || this.#unhandled < MAX_UNHANDLED_MESSAGES) return true;
    this.#passedOver = true;
    return false;
  }

  /** Counts a message as unhandled until what this gives is called. */
  #expect(connection: HubConnection, { qos, packetId }: Pick<Publish, 'qos' | 'packetId'>): () => void {
    if (qos === 0 || packetId === undefined) return () => {};
    let acknowledged = false;
    this.#unhandled += 1;
    return () => {
      if (acknowledged) return;
      acknowledged = true;
      // Of an older connection: the hub sends it again on the next one.
      if (!this.#owner.isCurrent(connection)) return;
      this.#unhandled -= 1;
      connection.send({ type: 'puback', packetId });
      if (this.#unhandled > 0) return;
      if (this.#passedOver) this.#fetchPassedOver(connection);
      this.#owner.inboxHandled();
    };
  }

  /** What was handled has been acknowledged on this connection; the rest comes on a new one. */
  #fetchPassedOver(connection: HubConnection): void {
    this.#passedOver = false;
    if (this.#owner.isCurrent(connection)) this.#owner.inboxWantsReconnect(connection);
  }
}
