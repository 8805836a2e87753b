import type { Application } from '../application.ts';
import { crc32 } from '../crc32.ts';
import type { HubConnection } from '../hub-connection.ts';
import { MAX_EVENT_TEXT, MAX_UNHANDLED_MESSAGES } from '../limits.ts';
import type { LargePublish } from '../mqtt/framer.ts';
import type { Publish, Subscription } from '../mqtt/packets.ts';
import { parseProperties } from '../properties.ts';
import type { TextCodec } from '../text-codec.ts';
import { FailedMessages } from './failed-messages.ts';
import type { LargeMessageTaker } from './inbound-message.ts';

export interface InboxOwner {
  readonly text: TextCodec;
  isCurrent(connection: HubConnection): boolean;
  /** Nothing waits for the application any more. */
  inboxHandled(): void;
  /** Messages were passed over; only a new connection brings them again. */
  inboxWantsReconnect(connection: HubConnection): void;
}

/** A message that the application has. */
interface Handover {
  readonly connection: HubConnection;
  /** `undefined` for QoS 0, which nobody acknowledges. */
  readonly packetId: number | undefined;
  readonly acknowledge: () => void;
  /** It has one of the places, until it is acknowledged or its handler throws. */
  isOpen: boolean;
  isAcknowledged: boolean;
}

/** Messages from the cloud of the current connection: each is acknowledged when the application has handled it. */
export class Inbox {
  readonly #application: Application;
  readonly #owner: InboxOwner;
  readonly #filter: string | undefined;
  /** Absent until a handler throws: what does not happen costs nothing. */
  #failures: FailedMessages | undefined;
  #unhandled = 0;
  /** A message was passed over because too many wait: the hub sends it again on the next connection. */
  #passedOver = false;
  /** Of the message that is coming in pieces. */
  #taker: LargeMessageTaker | undefined;
  #large: { readonly handover: Handover; readonly topic: string; readonly byteCount: number } | undefined;
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
    this.#large = undefined;
    this.#skipped = undefined;
    if (taker !== undefined) this.#application.call((one: LargeMessageTaker) => one.onLost(), taker);
    this.#unhandled = 0;
    this.#passedOver = false;
    this.#failures?.reset();
  }

  receive(connection: HubConnection, publish: Publish, encodedProperties: string): void {
    if (!this.#hasRoom(publish)) return;
    const handover = this.#handOver(connection, publish);
    const { topic, payload } = publish;
    const isTaken = this.#application.deliver({ topic, payload, properties: parseProperties(encodedProperties), acknowledge: handover.acknowledge });
    if (isTaken === true && this.#failures === undefined) return;
    if (isTaken === undefined) return this.#failed(handover, topic, this.#keyOf(topic, crc32(payload, payload.length)));
    if (!isTaken) handover.acknowledge();
    if (this.#failures?.isEmpty === false) this.#failures.handled(this.#keyOf(topic, crc32(payload, payload.length)));
  }

  /** A message above MAX_INBOUND begins; whether its payload passes through here. */
  beginLarge(connection: HubConnection, publish: LargePublish, encodedProperties: string): boolean {
    if (!this.#hasRoom(publish)) return true;
    // What the application says before it has taken the message counts, too.
    const handover = this.#handOver(connection, publish);
    const { topic, payloadByteCount } = publish;
    const taker = this.#application.takerOf({ topic, byteCount: payloadByteCount, properties: parseProperties(encodedProperties), acknowledge: handover.acknowledge });
    if (taker === 'failed') this.#failed(handover, topic, this.#keyOf(topic, payloadByteCount));
    else this.#taker = taker;
    // The application may have ended the connection when it was asked.
    if (!this.#owner.isCurrent(connection)) {
      this.reset();
      return false;
    }
    if (this.#taker !== undefined) this.#large = { handover, topic, byteCount: payloadByteCount };
    if (taker === undefined) this.#skipped = handover.acknowledge;
    return taker !== undefined;
  }

  /** A message above MAX_INBOUND that nobody took has passed by. */
  skipLarge(): void {
    this.#skipped?.();
    this.#skipped = undefined;
  }

  largePiece(bytes: Uint8Array): void {
    if (this.#taker === undefined || this.#application.call((piece: Uint8Array) => this.#taker?.onPiece(piece), bytes)) return;
    this.#taker = undefined;
    this.#largeEnded(false);
  }

  endLarge(): void {
    const taker = this.#taker;
    this.#taker = undefined;
    if (taker !== undefined) this.#largeEnded(this.#application.call((one: LargeMessageTaker) => one.onEnd(), taker));
  }

  #largeEnded(isHandled: boolean): void {
    if (this.#large === undefined) return;
    const { handover, topic, byteCount } = this.#large;
    this.#large = undefined;
    if (!isHandled) this.#failed(handover, topic, this.#keyOf(topic, byteCount));
    else if (this.#failures?.isEmpty === false) this.#failures.handled(this.#keyOf(topic, byteCount));
  }

  /** Above the limit of unhandled messages one is passed over, unacknowledged. */
  #hasRoom({ qos }: Pick<Publish, 'qos'>): boolean {
    if (qos === 0 || this.#unhandled < MAX_UNHANDLED_MESSAGES) return true;
    this.#passedOver = true;
    return false;
  }

  /** Counts a message as unhandled until it is acknowledged, or its handler throws. */
  #handOver(connection: HubConnection, { qos, packetId }: Pick<Publish, 'qos' | 'packetId'>): Handover {
    const handover: Handover = {
      connection, packetId: qos === 0 ? undefined : packetId, isOpen: true, isAcknowledged: false,
      acknowledge: () => {
        if (handover.isAcknowledged) return;
        handover.isAcknowledged = true;
        // Of an older connection: the hub sends it again on the next one.
        if (handover.packetId === undefined || !this.#owner.isCurrent(connection)) return;
        // Counted first: sending may end the connection, and `reset` counts then.
        if (handover.isOpen) this.#unhandled -= 1;
        connection.send({ type: 'puback', packetId: handover.packetId });
        if (handover.isOpen) this.#left(handover);
      },
    };
    if (handover.packetId !== undefined) this.#unhandled += 1;
    return handover;
  }

  /** The handler threw: it has no claim to one of the places any more, and the hub has the message still. */
  #failed(handover: Handover, topic: string, key: string): void {
    if (handover.isAcknowledged || !handover.isOpen || handover.packetId === undefined || !this.#owner.isCurrent(handover.connection)) return;
    const { tries, dropped } = (this.#failures ??= new FailedMessages()).failed(key);
    this.#application.report({ type: 'message-failed', topic: topic.slice(0, MAX_EVENT_TEXT), tries, dropped });
    if (dropped) return handover.acknowledge();
    // The application may have ended the connection when it was told.
    if (!this.#owner.isCurrent(handover.connection)) return;
    this.#unhandled -= 1;
    this.#left(handover);
  }

  /** It is counted no more. */
  #left(handover: Handover): void {
    handover.isOpen = false;
    if (this.#unhandled > 0) return;
    if (this.#passedOver) this.#fetchPassedOver(handover.connection);
    this.#owner.inboxHandled();
  }

  /** What was handled has been acknowledged on this connection; the rest comes on a new one. */
  #fetchPassedOver(connection: HubConnection): void {
    this.#passedOver = false;
    if (this.#owner.isCurrent(connection)) this.#owner.inboxWantsReconnect(connection);
  }

  /** Tells messages apart over connections: packet identifiers are the hub's to choose anew, and a message need not have an id. */
  #keyOf(topic: string, body: number): string {
    const bytes = this.#owner.text.encodeUtf8(topic);
    return `${crc32(bytes, bytes.length)} ${body}`;
  }
}
