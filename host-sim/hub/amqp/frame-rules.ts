import { MAX_DRAINED_CREDIT, MAX_NAME_CHARACTERS, MIN_MAX_FRAME_BYTES, type AmqpLimits } from './limits.ts';
import { checkMessage } from './message-check.ts';
import { flagField, numberField, textField, type Performative } from './performative.ts';
import { ProtocolFault } from './protocol-fault.ts';

interface LinkState {
  readonly name: string;
  /** The client sends on it. */
  readonly isInbound: boolean;
  /** Pieces of the message that is under way. */
  pieces: Buffer[] | undefined;
  bytes: number;
  isPlainFormat: boolean;
}

type Channel = Map<number, LinkState>;

/** Deliveries that one disposition may name: rhea keeps at most so many of a session. */
const MAX_DISPOSITION_SPAN = 2_048;

/**
 * What a client may say when: it keeps the sessions, links and half messages of one connection within bounds and lets nothing through
 * that the AMQP engine behind it would have to guess about.
 */
export class FrameRules {
  readonly #limits: AmqpLimits;
  readonly #sentDeliveries: (channel: number) => number;
  readonly #channels = new Map<number, Channel>();
  #isOpen = false;
  #isClosed = false;
  #links = 0;
  #pendingBytes = 0;

  /** @param sentDeliveries how many deliveries went out to the client in a session */
  constructor(limits: AmqpLimits, sentDeliveries: (channel: number) => number) {
    this.#limits = limits;
    this.#sentDeliveries = sentDeliveries;
  }

  /** @throws ProtocolFault, MalformedValue */
  check(channelNumber: number, performative: Performative): void {
    const { name } = performative;
    if (name === 'sasl-init' || name === 'sasl-response') throw new ProtocolFault('amqp:connection:framing-error', `${name} in an AMQP frame`);
    if (this.#isClosed || this.#isOpen === (name === 'open')) throw new ProtocolFault('amqp:connection:framing-error', `${name} at the wrong time`);
    if (name === 'open') return this.#open(performative);
    if (name === 'close') {
      this.#isClosed = true;
      return;
    }
    if (channelNumber >= this.#limits.sessions) throw new ProtocolFault('amqp:connection:framing-error', `channel ${channelNumber} is above channel-max`);
    if (name === 'begin') return this.#begin(channelNumber, performative);
    const channel = this.#channels.get(channelNumber);
    if (channel === undefined) throw new ProtocolFault('amqp:not-allowed', `${name} on channel ${channelNumber}, which has not begun`);
    this.#checkInSession(channelNumber, channel, performative);
  }

  #checkInSession(channelNumber: number, channel: Channel, performative: Performative): void {
    switch (performative.name) {
      case 'attach':
        return this.#attach(channel, performative);
      case 'transfer':
        return this.#transfer(this.#linkOf(channel, performative), performative);
      case 'detach':
        this.#forget(this.#linkOf(channel, performative));
        channel.delete(numberField(performative, 'handle') ?? 0);
        return;
      case 'flow':
        return this.#flow(channel, performative);
      case 'disposition':
        return this.#checkDisposition(channelNumber, performative);
      case 'end':
        for (const link of channel.values()) this.#forget(link);
        this.#channels.delete(channelNumber);
        return;
      default:
        throw new ProtocolFault('amqp:connection:framing-error', `${performative.name} in a session`);
    }
  }

  #open(performative: Performative): void {
    const maxFrameBytes = numberField(performative, 'max-frame-size');
    if (maxFrameBytes !== undefined && maxFrameBytes < MIN_MAX_FRAME_BYTES) throw new ProtocolFault('amqp:frame-size-too-small', `max-frame-size is at least ${MIN_MAX_FRAME_BYTES}`);
    const idleMs = numberField(performative, 'idle-time-out') ?? 0;
    if (idleMs > 0 && idleMs < this.#limits.minPeerIdleMs) throw new ProtocolFault('amqp:not-allowed', `an idle-time-out below ${this.#limits.minPeerIdleMs} ms`);
    checkName(textField(performative, 'container-id'));
    this.#isOpen = true;
  }

  #begin(channelNumber: number, performative: Performative): void {
    if (this.#channels.has(channelNumber)) throw new ProtocolFault('amqp:not-allowed', `channel ${channelNumber} has begun`);
    if (performative.fields['remote-channel'] !== undefined) throw new ProtocolFault('amqp:not-allowed', 'the hub begins no sessions');
    this.#channels.set(channelNumber, new Map());
  }

  #attach(channel: Channel, performative: Performative): void {
    const name = textField(performative, 'name') ?? '';
    const handle = numberField(performative, 'handle') ?? 0;
    checkName(name);
    if (handle >= this.#limits.links) throw new ProtocolFault('amqp:connection:framing-error', `handle ${handle} is above handle-max`);
    if (channel.has(handle)) throw new ProtocolFault('amqp:not-allowed', `handle ${handle} is in use`);
    const isInbound = !flagField(performative, 'role');
    if ([...channel.values()].some((link) => link.name === name && link.isInbound === isInbound)) throw new ProtocolFault('amqp:not-allowed', 'the session has a link of this name and direction');
    if (this.#links >= this.#limits.links) throw new ProtocolFault('amqp:resource-limit-exceeded', `a connection has at most ${this.#limits.links} links`);
    this.#links += 1;
    channel.set(handle, { name, isInbound, pieces: undefined, bytes: 0, isPlainFormat: true });
  }

  #transfer(link: LinkState, performative: Performative): void {
    if (!link.isInbound) throw new ProtocolFault('amqp:not-allowed', 'a transfer on a link that the hub sends on');
    if (flagField(performative, 'aborted') || flagField(performative, 'resume')) throw new ProtocolFault('amqp:not-implemented', 'aborted and resumed deliveries');
    if (link.pieces === undefined) {
      const hasIds = performative.fields['delivery-id'] !== undefined && performative.fields['delivery-tag'] !== undefined;
      if (!hasIds) throw new ProtocolFault('amqp:not-allowed', 'a delivery without delivery-id and delivery-tag');
      link.isPlainFormat = (numberField(performative, 'message-format') ?? 0) === 0;
      link.pieces = [];
    }
    const { payload } = performative;
    link.pieces.push(payload);
    link.bytes += payload.length;
    this.#pendingBytes += payload.length;
    const tooMuch = link.bytes > this.#limits.messageBytes || this.#pendingBytes > 2 * this.#limits.messageBytes || link.pieces.length > MAX_DISPOSITION_SPAN;
    if (tooMuch) throw new ProtocolFault('amqp:resource-limit-exceeded', `messages have at most ${this.#limits.messageBytes} bytes`);
    if (flagField(performative, 'more')) return;
    const { pieces, isPlainFormat } = link;
    this.#dropPending(link);
    if (isPlainFormat) checkMessage(pieces.length === 1 ? payload : Buffer.concat(pieces));
  }

  #flow(channel: Channel, performative: Performative): void {
    if (performative.fields['handle'] === undefined) return;
    const link = this.#linkOf(channel, performative);
    // Only a receiver may ask for it, and the hub asks nobody.
    if (link.isInbound && flagField(performative, 'drain')) throw new ProtocolFault('amqp:not-allowed', 'drain on a link that the client sends on');
    const credit = numberField(performative, 'link-credit') ?? 0;
    if (flagField(performative, 'drain') && credit > MAX_DRAINED_CREDIT) throw new ProtocolFault('amqp:not-allowed', `more than ${MAX_DRAINED_CREDIT} credits to drain`);
  }

  #checkDisposition(channelNumber: number, performative: Performative): void {
    const first = numberField(performative, 'first') ?? 0;
    const last = numberField(performative, 'last') ?? first;
    if (last < first || last - first > MAX_DISPOSITION_SPAN) throw new ProtocolFault('amqp:not-allowed', `a disposition from ${first} to ${last}`);
    if (flagField(performative, 'role') && last >= this.#sentDeliveries(channelNumber)) throw new ProtocolFault('amqp:not-allowed', `a disposition of delivery ${last}, which was not sent`);
  }

  #linkOf(channel: Channel, performative: Performative): LinkState {
    const handle = numberField(performative, 'handle') ?? 0;
    const link = channel.get(handle);
    if (link === undefined) throw new ProtocolFault('amqp:not-allowed', `${performative.name} on handle ${handle}, which is not attached`);
    return link;
  }

  #forget(link: LinkState): void {
    this.#dropPending(link);
    this.#links -= 1;
  }

  #dropPending(link: LinkState): void {
    this.#pendingBytes -= link.bytes;
    link.pieces = undefined;
    link.bytes = 0;
  }
}

function checkName(name: string | undefined): void {
  if (name !== undefined && name.length > MAX_NAME_CHARACTERS) throw new ProtocolFault('amqp:not-allowed', `a name of more than ${MAX_NAME_CHARACTERS} characters`);
}
