import type { Duplex } from 'node:stream';
import type { IConnectPacket, Packet } from 'mqtt-packet';
import type { Clock } from '../../time/clock.ts';
import { CONNACK_ACCEPTED, CONNACK_PROTOCOL_VERSION, type ConnectDenial, type ConnectGrant } from './connect-rules.ts';
import { ConnectedClient, type DeviceServices } from './connected-client.ts';
import type { DisconnectReason, HubEventBody } from '../events.ts';
import { parseClientId, type Identity } from '../identity.ts';
import type { DeviceFaults } from '../faults/device-faults.ts';
import { Lag } from '../faults/lag.ts';
import { MAX_DELAYED_BYTES } from '../faults/limits.ts';
import { Framer } from './framer.ts';
import { keepAliveWaitMs, type HubLimits } from '../limits.ts';
import { PacketHold } from './packet-hold.ts';
import { PacketReader, type MalformedPacket } from './packet-reader.ts';
import { PacketWriter } from './packet-writer.ts';
import { digestToken } from '../access/sas.ts';
import { readModelId } from './model-id.ts';
import type { Session } from './session.ts';
import type { TwinChange } from '../twins/twin-store.ts';

/** Beyond this an answer does not wait for the end of the chunk that it answers. */
const FLUSH_BYTES = 64 * 1024;
/** Beyond this cloud-to-device messages wait in their queue for the client to read. */
const CONGESTED_BYTES = 128 * 1024;

/** MQTT 3.1.1, table 3.1: the server is there and does not take the connection now. */
const CONNACK_UNAVAILABLE = 3;

/** What a connection asks of its hub. */
export interface ConnectionHost {
  readonly services: DeviceServices;
  readonly clock: Clock;
  readonly limits: HubLimits;
  readonly graceMs: number;
  /** The hub's clock, milliseconds since 1970. */
  now(): number;
  emit(event: HubEventBody): void;
  readonly faults: DeviceFaults;
  decideConnect(packet: IConnectPacket): ConnectGrant | ConnectDenial;
  /** A fault: whether CONNECTs of this client id are left lying for now. */
  holdsConnect(clientId: string): boolean;
  /** Makes `connection` the one of its identity; an older one is evicted. */
  admit(connection: Connection, grant: ConnectGrant, cleanSession: boolean): { readonly session: Session; readonly sessionPresent: boolean };
  release(connection: Connection): void;
}

/** One client's connection: bytes in, events and bytes out, all in the same turn. */
export class Connection {
  readonly number: number;
  readonly #stream: Duplex;
  readonly #host: ConnectionHost;
  readonly #framer = new Framer();
  readonly #reader = new PacketReader();
  readonly #writer = new PacketWriter();
  #isClosed = false;
  #grant: ConnectGrant | undefined;
  #client: ConnectedClient | undefined;
  readonly #hold: PacketHold;
  #heldClientId: string | undefined;
  readonly #inbound: Lag;
  readonly #outbound: Lag;
  #isAcceptedSlowly = false;
  #isReceiving = false;
  #modelId: string | undefined;
  #connectedMs = 0;
  #keepAliveMs = 0;
  #lastHeardMs: number;
  #cancelWatch: () => void;
  #cancelExpiry: () => void = () => {};
  #cancelLinger: () => void = () => {};

  constructor(stream: Duplex, peer: string, number: number, host: ConnectionHost) {
    this.#stream = stream;
    this.number = number;
    this.#host = host;
    this.#lastHeardMs = host.clock.monotonicMs();
    this.#inbound = new Lag(host.clock);
    this.#outbound = new Lag(host.clock);
    this.#hold = new PacketHold(host.clock, {
      pause: () => void stream.pause(),
      take: (packets) => this.#takeHeld(packets),
      goOn: () => {
        stream.resume();
        this.act((client) => client.pump());
      },
    });
    this.#cancelWatch = host.clock.setTimer(host.limits.connectTimeoutMs, () => this.close('connect-timeout'));
    host.emit({ event: 'connectionOpened', connection: number, peer });
    stream.on('data', (chunk: Buffer) => this.#arrive(chunk));
    stream.on('drain', () => this.act((client) => client.pump()));
    stream.on('end', () => this.#inbound.pass(this.#lagMs(), 0, () => this.close('connection-lost', 'ended by the client without DISCONNECT')));
    stream.on('error', (error: NodeJS.ErrnoException) => this.close('connection-lost', error.code ?? error.message, true));
    stream.on('close', () => {
      this.close('connection-lost', undefined, true);
      this.#cancelLinger();
    });
  }

  /** Who is connected and by which token; `undefined` before a CONNECT was accepted. */
  get grant(): ConnectGrant | undefined {
    return this.#grant;
  }

  /** The Plug and Play model that its CONNECT announced. */
  get modelId(): string | undefined {
    return this.#modelId;
  }

  /** When its CONNECT was accepted, by the hub's clock. */
  get connectedMs(): number {
    return this.#connectedMs;
  }

  /** How long ago the client was heard. */
  get silentMs(): number {
    return this.#host.clock.monotonicMs() - this.#lastHeardMs;
  }

  /** Does something that the client did not ask for; nothing when it is not connected. */
  act(action: (client: ConnectedClient) => void): void {
    if (this.#client !== undefined && !this.#isClosed) action(this.#client);
  }

  tellDesired(change: TwinChange): void {
    this.act((client) => client.tellDesired(change));
  }

  /** Ends the connection from the hub's side; `abruptly` means without sending what waits. */
  close(reason: DisconnectReason, detail?: string, abruptly = false): void {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#cancelWatch();
      this.#cancelExpiry();
      this.#hold.end();
      this.#tellClosed(reason, detail);
      this.#client?.end();
      this.#host.release(this);
      this.#inbound.close();
      if (!abruptly) this.#outbound.pass(0, 0, () => this.#endStream());
    }
    if (!abruptly) return;
    this.#outbound.close();
    this.#stream.destroy();
  }

  /** Client id of the CONNECT that is held. */
  get heldClientId(): string | undefined {
    return this.#heldClientId;
  }

  /** A fault: nothing is read and nothing answered until `resume`. */
  stall(): void {
    this.#hold.stall();
  }

  resume(): void {
    this.#heldClientId = undefined;
    this.#lastHeardMs = this.#host.clock.monotonicMs();
    this.#hold.endStall();
  }

  /** Sets the timer for the end of the token; again when the hub's clock was changed. */
  watchExpiry(): void {
    const grant = this.#grant;
    if (grant === undefined || this.#isClosed) return;
    this.#cancelExpiry();
    const { graceMs } = this.#host;
    this.#cancelExpiry = this.#host.clock.setTimer(grant.expirySeconds * 1000 + graceMs - this.#host.now(), () => {
      this.#host.emit({ event: 'expired', connection: this.number, ...grant.identity, expirySeconds: grant.expirySeconds, graceMs });
      this.close('token-expired');
    });
  }

  /** A fault: how long bytes wait, each way. */
  #lagMs(): number {
    return this.#host.faults.isQuiet ? 0 : this.#host.faults.delayMs(this.#grant?.identity);
  }

  #arrive(chunk: Buffer): void {
    const lagMs = this.#lagMs();
    if (lagMs === 0 && this.#inbound.isEmpty) return this.#receive(chunk);
    this.#inbound.pass(lagMs, chunk.length, () => {
      this.#receive(chunk);
      if (this.#inbound.pendingBytes < MAX_DELAYED_BYTES && !this.#hold.isHolding) this.#stream.resume();
    });
    if (this.#inbound.pendingBytes >= MAX_DELAYED_BYTES) this.#stream.pause();
  }

  #receive(chunk: Buffer): void {
    if (this.#isClosed) return;
    this.#lastHeardMs = this.#host.clock.monotonicMs();
    const { limits } = this.#host;
    this.#isReceiving = true;
    let fault: ReturnType<Framer['push']>;
    try {
      fault = this.#framer.push(
        chunk,
        () => (this.#client === undefined ? limits.connectBytes : limits.packetBytes),
        (packet) => this.#take(packet),
      );
    } catch (error) {
      // A fault of ours ends this one connection, not the hub.
      return this.close('hub-fault', error instanceof Error ? error.message : String(error), true);
    } finally {
      this.#isReceiving = false;
    }
    if (fault !== undefined) this.close(fault === 'packet-too-large' ? fault : 'packet-malformed', fault);
    this.#flush();
  }

  /** @returns whether the connection goes on */
  #take(bytes: Buffer): boolean {
    if (this.#isClosed) return false;
    if (this.#hold.holdsBehind(bytes)) return true;
    const packet = this.#reader.read(bytes);
    if (packet.cmd === 'malformed') this.#closeMalformed(packet);
    else if (this.#client !== undefined) {
      if (packet.cmd === 'publish' && this.#dropsAt('message')) return false;
      this.#handle(this.#client.handle(packet), bytes);
      if (packet.cmd === 'publish' && this.#dropsAt('acknowledgement')) return false;
    }
    else if (packet.cmd !== 'connect') this.close('first-packet-not-connect', `[MQTT-3.1.0-1] ${packet.cmd.toUpperCase()}`);
    else if (this.#host.holdsConnect(packet.clientId)) {
      this.#heldClientId = packet.clientId;
      this.#hold.stall(bytes);
    } else if (!this.#acceptsSlowly(packet, bytes)) this.#connect(packet);
    return !this.#isClosed;
  }

  /** A fault: the connection breaks at this message. */
  #dropsAt(moment: 'message' | 'acknowledgement'): boolean {
    const identity = this.#grant?.identity;
    if (this.#isClosed || identity === undefined || this.#host.faults.isQuiet || !this.#host.faults.dropsAt(moment, identity)) return false;
    this.close('dropped', 'by a fault', true);
    return true;
  }

  /** A fault: the CONNECT waits. */
  #acceptsSlowly({ clientId }: IConnectPacket, bytes: Buffer): boolean {
    if (this.#isAcceptedSlowly || this.#host.faults.isQuiet) return false;
    const delayMs = this.#host.faults.acceptDelayMs(parseClientId(clientId));
    if (delayMs === 0) return false;
    this.#isAcceptedSlowly = true;
    this.#hold.stall(bytes);
    // There is no token yet whose end is waited for.
    this.#cancelExpiry = this.#host.clock.setTimer(delayMs, () => this.resume());
    return true;
  }

  /** A fault: the CONNECT is refused, whatever its token. */
  #refuse(identity: Identity | undefined): boolean {
    const returnCode = this.#host.faults.isQuiet ? undefined : this.#host.faults.refusal(identity);
    if (returnCode === undefined) return false;
    this.#writer.add({ cmd: 'connack', returnCode, sessionPresent: false });
    this.close('refused', `by a fault, with ${returnCode}`);
    return true;
  }

  #handle(waitMs: number, bytes: Buffer): void {
    if (waitMs > 0) {
      if (!this.#hold.delay(bytes, waitMs)) this.close('throttled', '429001 ThrottlingException');
      return;
    }
    this.#hold.passed();
    if (this.#writer.bytes > FLUSH_BYTES) this.#flush();
  }

  #takeHeld(packets: readonly Buffer[]): void {
    this.#isReceiving = true;
    for (const packet of packets) this.#take(packet);
    this.#isReceiving = false;
    this.#flush();
  }

  #connect(packet: IConnectPacket): void {
    const token = packet.password === undefined ? {} : { token: digestToken(packet.password) };
    const { clientId, clean = true, keepalive = 0 } = packet;
    this.#host.emit({ event: 'connectReceived', connection: this.number, clientId, cleanSession: clean, keepAliveSeconds: keepalive, ...token });
    if (this.#refuse(parseClientId(clientId))) return;
    if ((this.#host.services.throttles?.tryTake('connect') ?? 0) > 0) {
      this.#writer.add({ cmd: 'connack', returnCode: CONNACK_UNAVAILABLE, sessionPresent: false });
      return this.close('throttled', '429001 ThrottlingException');
    }
    const decision = this.#host.decideConnect(packet);
    if (decision.accepted) {
      this.#modelId = readModelId(packet.username);
      this.#accept(decision, clean, keepalive, token.token ?? '');
    } else {
      const { accepted: _, returnCode, ...why } = decision;
      this.#host.emit({ event: 'refused', connection: this.number, clientId, ...why, ...token });
      this.#writer.add({ cmd: 'connack', returnCode, sessionPresent: false });
      this.close('refused', why.reason);
    }
  }

  #accept(grant: ConnectGrant, cleanSession: boolean, keepAliveSeconds: number, token: string): void {
    this.#grant = grant;
    this.#connectedMs = this.#host.now();
    const { session, sessionPresent } = this.#host.admit(this, grant, cleanSession);
    this.#client = new ConnectedClient(this.number, grant, session, this.#host.limits.messageBytes, this.#host.services, {
      send: (packet) => this.#send(packet),
      emit: (event) => this.#host.emit(event),
      close: (reason, detail) => this.close(reason, detail),
      isCongested: () => this.#hold.isHolding || this.#writer.bytes + this.#stream.writableLength > CONGESTED_BYTES,
    });
    this.#writer.add({ cmd: 'connack', returnCode: CONNACK_ACCEPTED, sessionPresent });
    this.#cancelWatch();
    this.#keepAliveMs = keepAliveWaitMs(keepAliveSeconds);
    this.#watchKeepAlive(this.#keepAliveMs);
    this.watchExpiry();
    const { identity, expirySeconds, key, policy } = grant;
    this.#host.emit({
      event: 'connected', connection: this.number, ...identity, token, expirySeconds, key, sessionPresent,
      ...(policy === undefined ? {} : { policy }),
      ...(this.#modelId === undefined ? {} : { modelId: this.#modelId }),
    });
    this.#client.start();
    if (!this.#host.faults.isQuiet) this.#host.faults.accepted(this);
  }

  #send(packet: Packet): void {
    if (this.#isClosed) return;
    this.#writer.add(packet);
    const identity = this.#grant?.identity;
    if (packet.cmd === 'publish' && packet.qos === 1 && identity !== undefined && this.#host.faults.duplicates(identity)) this.#writer.add({ ...packet, dup: true });
    // Within a chunk the answers leave together.
    if (!this.#isReceiving) this.#flush();
    if (this.#hold.isStalled && this.#writer.bytes > this.#host.limits.waitingBytes) this.close('client-does-not-read', 'stalled', true);
  }

  /** One timer for all packets: it looks at the time of the last one when it fires. */
  #watchKeepAlive(leftMs: number): void {
    this.#cancelWatch = this.#host.clock.setTimer(leftMs, () => {
      const silentMs = this.#host.clock.monotonicMs() - this.#lastHeardMs;
      if (this.#hold.isHolding) this.#watchKeepAlive(this.#keepAliveMs);
      else if (silentMs < this.#keepAliveMs) this.#watchKeepAlive(this.#keepAliveMs - silentMs);
      else this.close('keep-alive-elapsed', '[MQTT-3.1.2-24]');
    });
  }

  #closeMalformed(packet: MalformedPacket): void {
    if (packet.wrongVersion && this.#client === undefined) {
      this.#writer.add({ cmd: 'connack', returnCode: CONNACK_PROTOCOL_VERSION, sessionPresent: false });
    }
    this.close('packet-malformed', packet.fault);
  }

  #tellClosed(reason: DisconnectReason, detail: string | undefined): void {
    const will = this.#grant?.will;
    // [MQTT-3.1.2-8], [MQTT-3.14.4-3]
    if (will !== undefined && reason !== 'client-disconnected') this.#client?.tell(will.telemetry, { qos: will.qos, dup: false, will: true });
    this.#host.emit({
      event: 'disconnected', connection: this.number, reason, ...this.#grant?.identity,
      ...(detail === undefined ? {} : { detail }),
    });
  }

  #endStream(): void {
    const bytes = this.#writer.take();
    if (bytes !== undefined) this.#stream.write(bytes);
    this.#stream.end();
    this.#stream.resume();
    this.#cancelLinger = this.#host.clock.setTimer(this.#host.limits.lingerMs, () => this.#stream.destroy());
  }

  #flush(): void {
    if (this.#isClosed || this.#hold.isStalled) return;
    const waitingBytes = this.#stream.writableLength + this.#outbound.pendingBytes;
    const bytes = this.#writer.take();
    if (bytes === undefined) return;
    // What waited before counts: one answer may be larger than the bound.
    if (waitingBytes > this.#host.limits.waitingBytes) this.close('client-does-not-read', `${waitingBytes} bytes wait`, true);
    else this.#outbound.pass(this.#lagMs(), bytes.length, () => void this.#stream.write(bytes));
  }
}
