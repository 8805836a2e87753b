import type { AmqpError, Delivery, Message, Receiver, Sender, Session } from 'rhea';
import { codeOfSasRefusal, describeSasRefusal } from '../access/sas-refusals.ts';
import type { AmqpEvent } from './amqp-events.ts';
import type { Claims } from './claims.ts';
import { MAX_ADDRESS_CHARACTERS, MAX_DRAINED_CREDIT, type AmqpLimits } from './limits.ts';
import type { AmqpNode, InboundNode, LinkHost, NodeDirectory, OutboundNode, Outcome } from './link-node.ts';
import { creditOf, freeName, setTermini, settleForBoth, waitingDeliveries } from './rhea.ts';

/** What the links ask of their connection. */
export interface LinkTableHost {
  readonly number: number;
  readonly limits: AmqpLimits;
  readonly claims: Claims;
  readonly nodes: NodeDirectory;
  /** What the client calls the hub. */
  hostName(): string | undefined;
  /** Whether bytes wait for the client already. */
  isCongested(): boolean;
  claim(audience: string, token: string): boolean;
  emit(event: AmqpEvent): void;
}

interface OpenLink {
  readonly name: string;
  readonly address: string;
  readonly node: AmqpNode;
  readonly inbound?: InboundNode;
  readonly outbound?: OutboundNode;
}

interface InFlight {
  readonly sender: Sender;
  /** Nothing for an answer: those are counted, not weighed. */
  readonly bytes: number;
  readonly isReply: boolean;
}

const UNAUTHORIZED: AmqpError = { condition: 'amqp:unauthorized-access', description: 'no token of this connection opens this address' };
const NOT_FOUND: AmqpError = { condition: 'amqp:not-found', description: 'the hub has no such address' };
const NOT_ALLOWED: AmqpError = { condition: 'amqp:not-allowed', description: 'this address is for the other direction' };

/** The links of one connection: which node each leads to, and what went out and is not settled yet. */
export class LinkTable implements LinkHost {
  readonly #host: LinkTableHost;
  readonly #links = new Map<Sender | Receiver, OpenLink>();
  readonly #inFlight = new Map<Delivery, InFlight>();
  #inFlightBytes = 0;

  constructor(host: LinkTableHost) {
    this.#host = host;
  }

  openInbound(receiver: Receiver): void {
    const name = freeName(receiver);
    const address = addressOf(receiver.target?.address);
    const node = this.#admit(receiver, address, 'openInbound');
    // Of a link that is closed already nobody hears this: rhea writes to the console when a message comes without credit.
    receiver.add_credit(this.#host.limits.credit);
    if (node?.openInbound === undefined) return;
    setTermini(receiver, addressField(receiver.source?.address), { address });
    this.#links.set(receiver, { name, address, node, inbound: node.openInbound(receiver, this) });
    this.#tell('amqpLinkOpened', address);
  }

  openOutbound(sender: Sender): void {
    const name = freeName(sender);
    const address = addressOf(sender.source?.address);
    const node = this.#admit(sender, address, 'openOutbound');
    if (node?.openOutbound === undefined) return;
    setTermini(sender, { address }, addressField(sender.target?.address));
    const outbound = node.openOutbound(sender, this);
    if (!sender.is_open()) return;
    this.#links.set(sender, { name, address, node, outbound });
    this.#tell('amqpLinkOpened', address);
  }

  receive(receiver: Receiver, message: Message, delivery: Delivery): void {
    const link = this.#links.get(receiver);
    receiver.add_credit(1);
    if (link?.inbound === undefined) delivery.release();
    else if (delivery.format !== 0) delivery.reject({ condition: 'amqp:not-implemented', description: 'only message format 0' });
    else link.inbound.receive(message, delivery);
  }

  pump(sender: Sender): void {
    this.#links.get(sender)?.outbound?.pump();
  }

  /** The client wants what there is and then nothing: what credit is left goes back. */
  drain(sender: Sender): void {
    this.pump(sender);
    const credit = creditOf(sender);
    // The gate bounds what a flow asks for; delivery counts that are made up can still add to it.
    if (credit > MAX_DRAINED_CREDIT) this.detach(sender, { condition: 'amqp:not-allowed', description: `more than ${MAX_DRAINED_CREDIT} credits to drain` });
    else if (waitingDeliveries(sender.session) < credit) sender.set_drained(true);
  }

  pumpAll(): void {
    for (const { outbound } of this.#links.values()) outbound?.pump();
  }

  settle(sender: Sender, delivery: Delivery, outcome: Outcome): void {
    const inFlight = this.#inFlight.get(delivery);
    settleForBoth(delivery);
    if (inFlight === undefined) return;
    this.#forgetDelivery(delivery, inFlight);
    if (!inFlight.isReply) this.#links.get(sender)?.outbound?.settled(delivery, outcome);
    this.pumpAll();
  }

  closed(link: Sender | Receiver): void {
    const open = this.#links.get(link);
    if (open === undefined) return;
    this.#links.delete(link);
    for (const [delivery, inFlight] of [...this.#inFlight]) {
      if (inFlight.sender === link) this.#forgetDelivery(delivery, inFlight);
    }
    open.outbound?.close();
    this.#tell('amqpLinkClosed', open.address);
  }

  sessionClosed(session: Session): void {
    for (const link of [...this.#links.keys()]) if (link.session === session) this.closed(link);
  }

  closeAll(): void {
    for (const link of [...this.#links.keys()]) this.closed(link);
  }

  /** Ends the links that no token of the connection is for any more. */
  detachUncovered(): void {
    for (const [link, { node }] of [...this.#links]) {
      if (node.resources.length > 0 && !node.resources.some((resource) => this.#host.claims.covers(resource))) this.detach(link, UNAUTHORIZED);
    }
  }

  canSend(sender: Sender, bytes: number): boolean {
    const { unsettledBytes, unsettledMessages } = this.#host.limits;
    const fits = this.#inFlight.size === 0 || (this.#inFlightBytes + bytes <= unsettledBytes && this.#inFlight.size < unsettledMessages);
    if (!fits || this.#host.isCongested() || !sender.is_open()) return false;
    return waitingDeliveries(sender.session) < creditOf(sender);
  }

  send(sender: Sender, message: Message, bytes: number): Delivery {
    const delivery = sender.send(message);
    this.#inFlight.set(delivery, { sender, bytes, isReply: false });
    this.#inFlightBytes += bytes;
    return delivery;
  }

  reply(request: Receiver, address: string, replyTo: string | undefined, answer: Message): boolean {
    const candidates = [...this.#links].filter(([link, open]) => link.session === request.session && open.outbound !== undefined && open.address === address).map(([link]) => link as Sender);
    const sender = candidates.find((link) => link.target?.address === replyTo || this.#links.get(link)?.name === replyTo) ?? candidates.at(-1);
    if (sender === undefined) return false;
    const openReplies = [...this.#inFlight.values()].filter((inFlight) => inFlight.sender === sender && inFlight.isReply).length;
    if (openReplies >= this.#host.limits.openReplies) return false;
    this.#inFlight.set(sender.send(answer), { sender, bytes: 0, isReply: true });
    return true;
  }

  claim(audience: string, token: string): boolean {
    return this.#host.claim(audience, token);
  }

  detach(link: Sender | Receiver, error: AmqpError): void {
    this.closed(link);
    link.close(error);
  }

  /** @returns the node where the client may use it in this direction; else the link is closed with the reason */
  #admit(link: Sender | Receiver, address: string, direction: 'openInbound' | 'openOutbound'): AmqpNode | undefined {
    const node = this.#host.nodes.find(address, this.#host.hostName());
    const isKnownClient = !this.#host.claims.isEmpty;
    if (node === undefined) link.close(isKnownClient ? NOT_FOUND : UNAUTHORIZED);
    else if (!this.#mayUse(node)) {
      const denial = node.resources.map((resource) => this.#host.claims.find(resource)).find((verdict) => verdict?.accepted === false);
      const why = denial?.accepted === false ? { reason: denial.reason, code: denial.code, detail: denial.detail } : { reason: 'token-missing', code: codeOfSasRefusal('token-missing'), detail: describeSasRefusal('token-missing') };
      this.#host.emit({ event: 'amqpRefused', connection: this.#host.number, address, ...why });
      link.close(UNAUTHORIZED);
    } else if (node.elsewhere !== undefined) link.close(node.elsewhere);
    else if (node[direction] === undefined) link.close(NOT_ALLOWED);
    else return node;
    return undefined;
  }

  #mayUse(node: AmqpNode): boolean {
    return node.resources.length === 0 || node.resources.some((resource) => this.#host.claims.find(resource)?.accepted === true);
  }

  #forgetDelivery(delivery: Delivery, { bytes }: InFlight): void {
    this.#inFlight.delete(delivery);
    this.#inFlightBytes -= bytes;
  }

  #tell(event: 'amqpLinkOpened' | 'amqpLinkClosed', address: string): void {
    this.#host.emit({ event, connection: this.#host.number, address });
  }
}

/** One that is too long for any node is none: it would stand in events. */
function addressOf(address: unknown): string {
  return typeof address === 'string' && address.length <= MAX_ADDRESS_CHARACTERS ? address : '';
}

function addressField(address: unknown): { address?: string } {
  return typeof address === 'string' ? { address } : {};
}
