import type { Application } from '../application.ts';
import type { HubConnection } from '../hub-connection.ts';
import { MAX_UNHANDLED_MESSAGES } from '../limits.ts';
import type { Publish, Subscription } from '../mqtt/packets.ts';
import { parseProperties } from '../properties.ts';

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

  /** A new connection took over: what was not acknowledged comes again on it. */
  reset(): void {
    this.#unhandled = 0;
    this.#passedOver = false;
  }

  receive(connection: HubConnection, publish: Publish, encodedProperties: string): void {
    const { packetId } = publish;
    let acknowledged = packetId === undefined || publish.qos === 0;
    if (!acknowledged && this.#unhandled >= MAX_UNHANDLED_MESSAGES) {
      this.#passedOver = true;
      return;
    }
    if (!acknowledged) this.#unhandled += 1;
    const acknowledge = (): void => {
      if (acknowledged || packetId === undefined) return;
      acknowledged = true;
      // Of an older connection: the hub sends it again on the next one.
      if (!this.#owner.isCurrent(connection)) return;
      this.#unhandled -= 1;
      connection.send({ type: 'puback', packetId });
      if (this.#unhandled > 0) return;
      if (this.#passedOver) this.#fetchPassedOver(connection);
      this.#owner.inboxHandled();
    };
    const { topic, payload } = publish;
    if (!this.#application.deliver({ topic, payload, properties: parseProperties(encodedProperties), acknowledge })) acknowledge();
  }

  /** What was handled has been acknowledged on this connection; the rest comes on a new one. */
  #fetchPassedOver(connection: HubConnection): void {
    this.#passedOver = false;
    if (this.#owner.isCurrent(connection)) this.#owner.inboxWantsReconnect(connection);
  }
}
