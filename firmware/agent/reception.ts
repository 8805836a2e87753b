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

/** Finds out what the hub's messages are and hands them on: to the twin, the methods, the inbox. Nothing that they hold ends the connection. */
export class Reception implements PublishReceiver {
  /** A message is being handled: what that leads to leaves afterwards, not deep in its stack, which is small on the chip. */
  isBusy = false;
  readonly #identity: Identity;
  readonly #application: Application;
  readonly #owner: ReceptionOwner;
  /** What the payload that is passing by in pieces belongs to. */
  #large: TwinTopic | undefined;

  constructor(identity: Identity, application: Application, owner: ReceptionOwner) {
    this.#identity = identity;
    this.#application = application;
    this.#owner = owner;
  }

  /** The connection has gone, with what was passing by on it. */
  reset(): void {
    this.#large = undefined;
  }

  publishReceived(connection: HubConnection, publish: Publish): void {
    const topic = parseTopic(this.#identity, publish.topic);
    // A message is acknowledged when it is handled, all else at once.
    if (topic?.kind !== 'cloud-message' && publish.packetId !== undefined) connection.send({ type: 'puback', packetId: publish.packetId });
    if (topic === undefined) return this.#application.report({ type: 'ignored', topic: publish.topic.slice(0, MAX_EVENT_TEXT) });
    if (!this.#owner.isCurrent(connection)) return;
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
    this.#large = isOfTwin(topic) && this.#owner.twin?.begin(topic) === true ? topic : undefined;
    return this.#large !== undefined;
  }

  largeReceived(connection: HubConnection, bytes: Uint8Array): void {
    if (this.#owner.isCurrent(connection)) this.#owner.twin?.feed(bytes);
  }

  largeEnded(connection: HubConnection, publish: LargePublish): void {
    const topic = this.#large;
    if (!this.#owner.isCurrent(connection) || topic === undefined) return;
    this.#large = undefined;
    if (publish.packetId !== undefined) connection.send({ type: 'puback', packetId: publish.packetId });
    this.isBusy = true;
    try {
      this.#owner.twin?.end(topic);
    } finally {
      this.isBusy = false;
    }
    this.#owner.receptionFree();
  }

  oversizeReceived(connection: HubConnection, publish: LargePublish): void {
    if (publish.packetId !== undefined) connection.send({ type: 'puback', packetId: publish.packetId });
    const topic = this.#topicOf(publish);
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

  #topicOf({ topic, topicCut }: LargePublish): InboundTopic | undefined {
    return topicCut ? undefined : parseTopic(this.#identity, topic);
  }
}

function isOfTwin(topic: InboundTopic | undefined): topic is TwinTopic {
  return topic?.kind === 'twin-response' || topic?.kind === 'desired';
}
