import { LatchkeyError } from './errors.ts';
import { Link, type LinkOwner, type LinkTarget } from './link.ts';
import * as limits from './limits.ts';
import { Framer, type Frame, type LargePublish } from './mqtt/framer.ts';
import type { Connect, InboundPacket, OutboundPacket, Publish, Suback } from './mqtt/packets.ts';
import type { Port } from './port.ts';

export interface HubConnectionOptions {
  /** Distinguishes connections; counts up from 1. */
  readonly serial: number;
  readonly target: LinkTarget;
  readonly keepAliveSeconds: number;
  readonly maxInboundBytes: number;
}

/** Hears what becomes of the connection. */
export interface HubConnectionOwner {
  nowMs(): number;
  connectionOpened(connection: HubConnection): void;
  connectionAccepted(connection: HubConnection, sessionPresent: boolean): void;
  connectionRefused(connection: HubConnection, returnCode: number): void;
  connectionClosed(connection: HubConnection, code: string): void;
}

/** Takes what the hub says after CONNACK. */
export interface PacketReceiver {
  connectionWritable(connection: HubConnection): void;
  pubackReceived(connection: HubConnection, packetId: number): void;
  subackReceived(connection: HubConnection, suback: Suback): void;
  readonly reception: PublishReceiver;
}

/** Takes the hub's messages. */
export interface PublishReceiver {
  publishReceived(connection: HubConnection, publish: Publish): void;
  /** A PUBLISH above the limit begins. True: its payload is wanted in pieces, and `largeEnded` follows. */
  claimsLarge(connection: HubConnection, publish: LargePublish): boolean;
  /** The bytes are a view; they are the receiver's. */
  largeReceived(connection: HubConnection, bytes: Uint8Array): void;
  largeEnded(connection: HubConnection, publish: LargePublish): void;
  /** A PUBLISH above the limit that nobody claimed has passed by. */
  oversizeReceived(connection: HubConnection, publish: LargePublish): void;
}

const OPENING = 0;
const OPEN = 1;
const CONNECTING = 2;
const ACCEPTED = 3;
const CLOSED = 4;

/** One MQTT connection over one link: CONNECT and CONNACK, keep-alive, packets both ways. What is sent and resent is its owner's. */
export class HubConnection implements LinkOwner {
  readonly serial: number;
  readonly #port: Port;
  readonly #owner: HubConnectionOwner;
  readonly #receiver: PacketReceiver;
  readonly #link: Link;
  readonly #framer: Framer;
  readonly #keepAliveMs: number;
  #state: typeof OPENING | typeof OPEN | typeof CONNECTING | typeof ACCEPTED | typeof CLOSED = OPENING;
  #lastSentAtMs = 0;
  #pingSentAtMs = Infinity;
  /** Small packets that found no room: acknowledgements and pings. */
  readonly #waiting: Uint8Array[] = [];

  constructor(port: Port, options: HubConnectionOptions, owner: HubConnectionOwner, receiver: PacketReceiver) {
    this.#port = port;
    this.#owner = owner;
    this.#receiver = receiver;
    this.serial = options.serial;
    this.#keepAliveMs = options.keepAliveSeconds * 1000;
    this.#framer = new Framer({
      maxInboundBytes: options.maxInboundBytes,
      decodeUtf8: (bytes) => port.text.decodeUtf8(bytes),
      claims: (publish) => this.#claims(publish),
    });
    this.#link = new Link(port, options.target, this);
  }

  open(): void {
    this.#link.open();
  }

  get isAccepted(): boolean {
    return this.#state === ACCEPTED;
  }

  get canSend(): boolean {
    return this.#state !== CLOSED && this.#link.canSend;
  }

  /** When `woke` has something to do; Infinity when nothing. */
  get wakeAtMs(): number {
    if (this.#state !== ACCEPTED) return Infinity;
    if (this.#pingSentAtMs !== Infinity) return this.#pingSentAtMs + limits.PING_TIMEOUT_MS;
    return this.#lastSentAtMs + this.#keepAliveMs;
  }

  connect(packet: Connect): void {
    if (this.#state !== OPEN) return;
    this.#state = CONNECTING;
    this.send(packet);
  }

  /** Call only while `canSend`, except for acknowledgements, which wait. */
  send(packet: OutboundPacket): void {
    if (this.#state === CLOSED) return;
    const bytes = this.#port.mqtt.encode(packet);
    this.#lastSentAtMs = this.#owner.nowMs();
    if (this.#link.canSend) this.#link.send(bytes);
    else if (this.#waiting.length < limits.MAX_WAITING_PACKETS) this.#waiting.push(bytes);
    else this.#closeFor('ERR_LINK_STALLED');
  }

  /** Keep-alive; `false` when the hub has not answered a PINGREQ in time and the connection is dead. */
  woke(nowMs: number): boolean {
    if (nowMs < this.wakeAtMs) return true;
    if (this.#pingSentAtMs !== Infinity) return false;
    this.#pingSentAtMs = nowMs;
    this.send({ type: 'pingreq' });
    return true;
  }

  /** DISCONNECT if the hub had accepted, close_notify, close. Says nothing to the owner. */
  close(): void {
    if (this.#state === ACCEPTED && this.#link.canSend) this.send({ type: 'disconnect' });
    this.#state = CLOSED;
    this.#waiting.length = 0;
    this.#link.close();
  }

  linkOpened(): void {
    this.#state = OPEN;
    this.#owner.connectionOpened(this);
  }

  linkWritable(): void {
    if (this.#waiting.length > 0 && !this.#sendWaiting()) return;
    this.#receiver.connectionWritable(this);
  }

  /** True when all have left and there is room for more. */
  #sendWaiting(): boolean {
    while (this.#waiting.length > 0 && this.#link.canSend) {
      const bytes = this.#waiting.shift();
      if (bytes !== undefined) this.#link.send(bytes);
    }
    return this.canSend;
  }

  linkReceived(_link: Link, bytes: Uint8Array): void {
    try {
      this.#framer.feed(bytes);
      for (let frame = this.#framer.next(); frame !== undefined; frame = this.#framer.next()) {
        if (frame.kind === 'packet') this.#received(this.#port.mqtt.decode(frame.bytes));
        else this.#largeReceived(frame);
        if (this.#state === CLOSED) return;
      }
    } catch (error) {
      this.#closeFor(error instanceof LatchkeyError ? error.code : 'ERR_PROTOCOL');
    }
  }

  linkClosed(_link: Link, code: string): void {
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    this.#owner.connectionClosed(this, code);
  }

  #received(packet: InboundPacket): void {
    if (packet.type === 'connack') return this.#connackReceived(packet.returnCode, packet.sessionPresent);
    if (this.#state !== ACCEPTED) throw new LatchkeyError('ERR_PROTOCOL', `${packet.type} before CONNACK`);
    switch (packet.type) {
      case 'puback':
        return this.#receiver.pubackReceived(this, packet.packetId);
      case 'publish':
        return this.#receiver.reception.publishReceived(this, packet);
      case 'suback':
        return this.#receiver.subackReceived(this, packet);
      case 'pingresp':
        this.#pingSentAtMs = Infinity;
        return;
      case 'unsuback':
        return;
    }
  }

  #connackReceived(returnCode: number, sessionPresent: boolean): void {
    if (this.#state !== CONNECTING) throw new LatchkeyError('ERR_PROTOCOL', 'CONNACK that no CONNECT asked for');
    if (returnCode === 0) {
      this.#state = ACCEPTED;
      this.#owner.connectionAccepted(this, sessionPresent);
      return;
    }
    this.#state = CLOSED;
    this.#link.close();
    this.#owner.connectionRefused(this, returnCode);
  }

  #claims(publish: LargePublish): boolean {
    if (this.#state !== ACCEPTED) throw new LatchkeyError('ERR_PROTOCOL', 'PUBLISH before CONNACK');
    return this.#receiver.reception.claimsLarge(this, publish);
  }

  #largeReceived(frame: Exclude<Frame, { readonly kind: 'packet' }>): void {
    switch (frame.kind) {
      case 'large-begun':
        return;
      case 'large-piece':
        return this.#receiver.reception.largeReceived(this, frame.bytes);
      case 'large-ended':
        return this.#receiver.reception.largeEnded(this, frame.publish);
      case 'oversize':
        return this.#receiver.reception.oversizeReceived(this, frame.publish);
    }
  }

  #closeFor(code: string): void {
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    this.#link.close();
    this.#owner.connectionClosed(this, code);
  }
}
