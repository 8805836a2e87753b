import type { Application } from './application.ts';
import type { HubConnection, PublishReceiver } from './hub-connection.ts';
import type { Identity } from './identity.ts';
import { MAX_EVENT_TEXT } from './limits.ts';
import type { Inbox } from './messages/inbox.ts';
import type { MethodServer } from './methods/method-server.ts';
import type { LargePublish } from './mqtt/framer.ts';
import type { Publish } from './mqtt/packets.ts';
import { parseTopic, type InboundTopic } from './topics.ts';
import type { TwinClient, TwinTopic } from './twin/twin-client.ts';

/** Whom a message may be for. */
export interface ReceptionOwner {
  readonly inbox: Inbox;
  readonly methods: MethodServer | undefined;
  readonly twin: TwinClient | undefined;
  isCurrent(connection: HubConnection): boolean;
  /** Something was handled: what that leads to may leave now. */
  receptionFree(): void;
}

type CloudMessageTopic = Extract<InboundTopic, { readonly kind: 'cloud-message' }>;

/** Finds out what the hub's messages are and hands them on: to the twin, the methods, the inbox. Nothing that they hold ends the connection. */
export class Reception implements PublishReceiver {
  /** A message is being handled: what that leads to leaves afterwards, not deep in its stack, which is small on the chip. */
  isBusy = false;
  readonly #identity: Identity;
  readonly #application: Application;
  readonly #owner: ReceptionOwner;
  #ignoredCount = 0;
  /** What the payload that is passing by in pieces belongs to. */
  #large: TwinTopic | CloudMessageTopic | undefined;

  constructor(identity: Identity, application: Application, owner: ReceptionOwner) {
    this.#identity = identity;
    this.#application = application;
    this.#owner = owner;
  }

  /** The connection has gone, with what was passing by on it. */
  reset(): void {
    this.#large = undefined;
    this.#ignoredCount = 0;
  }

  publishReceived(connection: HubConnection, publish: Publish): void {
    const topic = parseTopic(this.#identity, publish.topic);
    // A message is acknowledged when it is handled, all else at once.
    if (topic?.kind !== 'cloud-message' && publish.packetId !== undefined) connection.send({ type: 'puback', packetId: publish.packetId });
    if (topic === undefined) return this.#ignore(publish.topic);
    if (!this.#owner.isCurrent(connection)) return;
    // As `#hold`, with two frames less on the stack.
    this.isBusy = true;
    try {
      this.#handle(connection, publish, topic);
    } finally {
      this.isBusy = false;
    }
    this.#owner.receptionFree();
  }

  claimsLarge(connection: HubConnection, publish: LargePublish): boolean {
    const topic = this.#owner.isCurrent(connection) ? this.#topicOf(publish) : undefined;
    this.#large = undefined;
    if (isOfTwin(topic)) {
      if (this.#owner.twin?.begin(topic) === true) this.#large = topic;
    } else if (topic?.kind === 'cloud-message') {
      this.#hold(() => {
        if (this.#owner.inbox.beginLarge(connection, publish, topic.encodedProperties)) this.#large = topic;
      });
    }
    return this.#large !== undefined;
  }

  largeReceived(connection: HubConnection, bytes: Uint8Array): void {
    if (!this.#owner.isCurrent(connection)) return;
    if (this.#large?.kind === 'cloud-message') this.#hold(() => this.#owner.inbox.largePiece(bytes));
    else this.#owner.twin?.feed(bytes);
  }

  largeEnded(connection: HubConnection, publish: LargePublish): void {
    const topic = this.#large;
    if (!this.#owner.isCurrent(connection) || topic === undefined) return;
    this.#large = undefined;
    if (topic.kind === 'cloud-message') return this.#hold(() => this.#owner.inbox.endLarge());
    if (publish.packetId !== undefined) connection.send({ type: 'puback', packetId: publish.packetId });
    this.#hold(() => this.#owner.twin?.end(topic));
  }

  oversizeReceived(connection: HubConnection, publish: LargePublish): void {
    const topic = this.#topicOf(publish);
    if (topic?.kind === 'cloud-message') this.#owner.inbox.skipLarge();
    else if (publish.packetId !== undefined) connection.send({ type: 'puback', packetId: publish.packetId });
    // The twin was asked in `claimsLarge`.
    if (isOfTwin(topic)) return;
    this.#application.report({ type: 'oversize', topic: publish.topic, byteCount: publish.byteCount });
    if (topic?.kind === 'method' && this.#owner.isCurrent(connection)) this.#owner.methods?.tooLarge(topic, publish.payloadByteCount);
  }

  #handle(connection: HubConnection, publish: Publish, topic: InboundTopic): void {
    const { inbox, methods, twin } = this.#owner;
    if (topic.kind === 'cloud-message') return inbox.receive(connection, publish, topic.encodedProperties);
    if (topic.kind === 'method') return methods?.receive(topic, publish.payload);
    if (twin?.begin(topic) !== true) return;
    twin.feed(publish.payload);
    twin.end(topic);
  }

  /** Runs handlers; what they want to send leaves afterwards. */
  #hold(run: () => void): void {
    this.isBusy = true;
    try {
      run();
    } finally {
      this.isBusy = false;
    }
    this.#owner.receptionFree();
  }

  /** A flood of messages must not become one of events. */
  #ignore(topic: string): void {
    const count = ++this.#ignoredCount;
    if ((count & (count - 1)) === 0) this.#application.report({ type: 'ignored', topic: topic.slice(0, MAX_EVENT_TEXT), count });
  }

  #topicOf({ topic, topicCut }: LargePublish): InboundTopic | undefined {
    return topicCut ? undefined : parseTopic(this.#identity, topic);
  }
}

function isOfTwin(topic: InboundTopic | undefined): topic is TwinTopic {
  return topic?.kind === 'twin-response' || topic?.kind === 'desired';
}
