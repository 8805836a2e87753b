import type { AmqpError, Delivery, Message, Receiver, Sender } from 'rhea';
import type { Resource } from '../access/resource-scope.ts';

/** How a client settled a message of the hub's. */
export type Outcome = 'accepted' | 'released' | 'modified' | 'rejected' | 'settled';

/** The hub's side of a link on which the client sends. */
export interface InboundNode {
  /** Settles the delivery before it returns. */
  receive(message: Message, delivery: Delivery): void;
}

/** The hub's side of a link on which the client receives. */
export interface OutboundNode {
  /** The client has credit, or room came free: send what waits. */
  pump(): void;
  /** Told once of every message of `send`. */
  settled(delivery: Delivery, outcome: Outcome): void;
  close(): void;
}

/** What a node asks of the links of its connection. */
export interface LinkHost {
  /** Whether another message of that size may go out on this link now. */
  canSend(sender: Sender, bytes: number): boolean;
  /** Sends a message that the client will settle; its bytes count until then. */
  send(sender: Sender, message: Message, bytes: number): Delivery;
  /** Sends an answer on the link of the same session that reads from `address`; false where there is none, or too many are open. */
  reply(request: Receiver, address: string, replyTo: string | undefined, answer: Message): boolean;
  /** A token of the client's. @returns whether it was taken */
  claim(audience: string, token: string): boolean;
  /** Ends a link. */
  detach(link: Sender | Receiver, error: AmqpError): void;
}

/** An address that a client may attach to. */
export interface AmqpNode {
  /** What a token must cover one of; empty where none is needed. */
  readonly resources: readonly Resource[];
  /** Where the client must go instead. */
  readonly elsewhere?: AmqpError;
  openInbound?(receiver: Receiver, host: LinkHost): InboundNode;
  openOutbound?(sender: Sender, host: LinkHost): OutboundNode;
}

/** Finds the node behind an address. */
export interface NodeDirectory {
  /** @param hostName what the client calls the hub */
  find(address: string, hostName: string | undefined): AmqpNode | undefined;
}
