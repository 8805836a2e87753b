import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Connection, Container, Delivery, EventContext, Message, Receiver, Sender, Session } from 'rhea';
import type { Clock } from '../../time/clock.ts';
import { digestToken } from '../access/sas.ts';
import type { AmqpCloseReason, AmqpEvent } from './amqp-events.ts';
import { Claims, type AuthorizeToken } from './claims.ts';
import { FrameGate } from './frame-gate.ts';
import type { AmqpLimits } from './limits.ts';
import type { NodeDirectory } from './link-node.ts';
import { LinkTable } from './link-table.ts';
import { ProtocolFault } from './protocol-fault.ts';
import { RheaSocket } from './rhea-socket.ts';
import { createServerConnection, flush, sentDeliveries, setHandleMax } from './rhea.ts';
import { SASL_AUTH, SASL_OK, policyOfUserName, type SaslRequest } from './sasl.ts';

/** rhea watches for silence too, by Node's clock: either may be first. */
const TIMER_SLACK_MS = 1_000;

/** What a connection asks of its service. */
export interface AmqpConnectionHost {
  readonly hubName: string;
  readonly clock: Clock;
  readonly limits: AmqpLimits;
  /** How long a connection outlives its tokens. */
  readonly graceMs: number;
  readonly container: Container;
  readonly nodes: NodeDirectory;
  /** The hub's clock, milliseconds since 1970. */
  now(): number;
  readonly authorize: AuthorizeToken;
  emit(event: AmqpEvent): void;
  release(connection: AmqpConnection): void;
}

/** One client's connection: its bytes go through the gate to rhea, its links to their nodes. */
export class AmqpConnection {
  readonly number: number;
  readonly #stream: Duplex;
  readonly #host: AmqpConnectionHost;
  readonly #claims: Claims;
  readonly #links: LinkTable;
  readonly #gate: FrameGate;
  readonly #socket: RheaSocket;
  readonly #rhea: Connection;
  #refusedClaims = 0;
  #isClosed = false;
  #lastHeardMs: number;
  #cancelTimeout: () => void;
  #cancelExpiry: () => void = () => {};
  #cancelLinger: () => void = () => {};

  constructor(stream: Duplex, peer: string, number: number, host: AmqpConnectionHost) {
    this.number = number;
    this.#stream = stream;
    this.#host = host;
    this.#claims = new Claims(host.authorize, host.limits.claims);
    this.#links = new LinkTable({
      number,
      limits: host.limits,
      claims: this.#claims,
      nodes: host.nodes,
      hostName: () => this.#rhea.hostname,
      isCongested: () => this.#isClosed || stream.writableNeedDrain,
      claim: (audience, token) => this.#claim(audience, token),
      emit: (event) => host.emit(event),
    });
    this.#socket = new RheaSocket((bytes) => this.#write(bytes), () => this.#finish(this.#silentMs() < 2 * host.limits.idleTimeoutMs - TIMER_SLACK_MS ? 'malformed' : 'idle', undefined));
    this.#gate = new FrameGate(host.limits, {
      write: (bytes) => this.#write(bytes),
      authenticate: (request) => this.#authenticate(request),
      forward: (bytes) => this.#forward(bytes),
      sentDeliveries: (channel) => sentDeliveries(this.#rhea, channel),
    });
    this.#rhea = this.#startEngine();
    this.#lastHeardMs = host.clock.monotonicMs();
    this.#cancelTimeout = host.clock.setTimer(host.limits.authenticateTimeoutMs, () => this.close('authenticate-timeout', 'amqp:unauthorized-access', 'no token came in time'));
    host.emit({ event: 'amqpOpened', connection: number, peer });
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    stream.on('drain', () => this.#links.pumpAll());
    stream.on('end', () => this.#finish('connection-lost', 'ended by the client without close'));
    stream.on('error', (error: NodeJS.ErrnoException) => this.destroy('connection-lost', error.code ?? error.message));
    stream.on('close', () => {
      this.#finish('connection-lost', undefined);
      this.#cancelLinger();
    });
  }

  /** Ends the connection from the hub's side, with AMQP's own words where the client has begun to speak it. */
  close(reason: AmqpCloseReason, condition: string, description: string): void {
    if (this.#isClosed) return;
    if (this.#rhea.is_remote_open()) this.#rhea.close({ condition, description });
    this.#finish(reason, description);
  }

  /** Cuts the connection without a word. */
  destroy(reason: AmqpCloseReason, detail?: string): void {
    this.#finish(reason, detail);
    this.#stream.destroy();
  }

  /** Sets the timer for the end of the next token; again when the hub's clock was changed. */
  watchExpiry(): void {
    this.#cancelExpiry();
    const firstSeconds = this.#claims.firstExpirySeconds();
    if (firstSeconds === undefined || this.#isClosed) return;
    const leftMs = firstSeconds * 1_000 + this.#host.graceMs - this.#host.now();
    this.#cancelExpiry = this.#host.clock.setTimer(Math.max(0, leftMs), () => this.#endTokens());
  }

  /** Links end with the last token that is for them, the connection with the last of all. */
  #endTokens(): void {
    this.#claims.forgetEnded((this.#host.now() - this.#host.graceMs) / 1_000);
    if (this.#claims.isEmpty) return this.close('token-expired', 'amqp:unauthorized-access', 'the last token has ended');
    this.#links.detachUncovered();
    flush(this.#rhea);
    this.watchExpiry();
  }

  #receive(chunk: Buffer): void {
    if (this.#isClosed) return;
    this.#lastHeardMs = this.#host.clock.monotonicMs();
    try {
      this.#gate.feed(chunk);
      while (!this.#isClosed && this.#gate.step());
    } catch (error) {
      const condition = error instanceof ProtocolFault ? error.condition : 'amqp:decode-error';
      this.close('malformed', condition, error instanceof Error ? error.message : 'unreadable');
    }
  }

  /** In place of the time for a token; one timer for all frames, which looks at the time of the last one when it fires. */
  #watchSilence(leftMs: number): void {
    this.#cancelTimeout();
    this.#cancelTimeout = this.#host.clock.setTimer(leftMs, () => {
      const silentMs = this.#silentMs();
      const limitMs = 2 * this.#host.limits.idleTimeoutMs;
      if (silentMs < limitMs) this.#watchSilence(limitMs - silentMs);
      else this.close('idle', 'amqp:resource-limit-exceeded', 'the client was silent for too long');
    });
  }

  #silentMs(): number {
    return this.#host.clock.monotonicMs() - this.#lastHeardMs;
  }

  #forward(bytes: Buffer): void {
    this.#socket.deliver(bytes);
    if (!this.#isClosed) flush(this.#rhea);
  }

  #write(bytes: Buffer): void {
    if (this.#stream.destroyed || this.#stream.writableEnded) return;
    this.#stream.write(bytes);
    if (this.#stream.writableLength > this.#host.limits.waitingBytes) this.destroy('client-does-not-read', `${this.#stream.writableLength} bytes wait`);
  }

  #claim(audience: string, token: string): boolean {
    const verdict = this.#claims.put(audience, token);
    if (verdict?.accepted === true) {
      this.#watchSilence(2 * this.#host.limits.idleTimeoutMs);
      const { policy = '', key, expirySeconds } = verdict;
      this.#host.emit({ event: 'amqpAuthorized', connection: this.number, audience, policy, key, expirySeconds, token: digestToken(token) });
      this.watchExpiry();
      return true;
    }
    if (verdict === undefined) this.#tellRefused(audience, 'claims-exceeded', 403_000, 'the connection has shown too many tokens');
    else this.#tellRefused(audience, verdict.reason, verdict.code, verdict.detail);
    this.#refusedClaims += 1;
    if (this.#refusedClaims >= this.#host.limits.refusedClaims) this.close('refused', 'amqp:unauthorized-access', 'too many refused tokens');
    return false;
  }

  #authenticate(request: SaslRequest): number {
    if (request.kind === 'anonymous') return SASL_OK;
    const isService = request.kind === 'plain' && policyOfUserName(request.userName, this.#host.hubName) !== undefined;
    if (isService && this.#claim(this.#host.hubName, request.password.toString('latin1'))) return SASL_OK;
    if (!isService) this.#tellRefused('sasl', 'user-name-wrong', 401_003, request.kind === 'unknown' ? request.detail : 'a user name other than {policy}@sas.root.{hub name}');
    setImmediate(() => this.#finish('refused', undefined));
    return SASL_AUTH;
  }

  #tellRefused(address: string, reason: string, code: number, detail: string): void {
    this.#host.emit({ event: 'amqpRefused', connection: this.number, address, reason, code, detail });
  }

  #startEngine(): Connection {
    const { hubName, limits, container } = this.#host;
    const rhea = createServerConnection(container, {
      container_id: hubName, max_frame_size: limits.frameBytes, channel_max: limits.sessions - 1, idle_time_out: limits.idleTimeoutMs,
    });
    const on = (names: readonly string[], listener: (context: EventContext) => void): void => {
      for (const name of names) rhea.on(name, listener);
    };
    // rhea writes to the console what nobody listens to, and throws the errors that nobody listens to.
    on(['connection_open', 'session_error', 'sender_error', 'receiver_error', 'connection_error'], () => {});
    on(['session_open'], ({ session }) => setHandleMax(session as Session, this.#host.limits.links - 1));
    on(['receiver_open'], ({ receiver }) => this.#links.openInbound(receiver as Receiver));
    on(['sender_open'], ({ sender }) => this.#links.openOutbound(sender as Sender));
    on(['receiver_close'], ({ receiver }) => this.#links.closed(receiver as Receiver));
    on(['sender_close'], ({ sender }) => this.#links.closed(sender as Sender));
    on(['session_close'], ({ session }) => this.#links.sessionClosed(session as Session));
    on(['message'], ({ receiver, message, delivery }) => this.#links.receive(receiver as Receiver, message as Message, delivery as Delivery));
    on(['sendable'], ({ sender }) => this.#links.pump(sender as Sender));
    on(['sender_draining'], ({ sender }) => this.#links.drain(sender as Sender));
    for (const outcome of ['accepted', 'released', 'modified', 'rejected', 'settled'] as const) {
      on([outcome], ({ sender, delivery }) => void (sender !== undefined && this.#links.settle(sender, delivery as Delivery, outcome)));
    }
    rhea.on('protocol_error', (error: Error) => this.#finish('malformed', error.message));
    rhea.on('error', (error: Error) => this.#finish('malformed', error.message));
    on(['connection_close'], () => this.#finish('client-closed', undefined));
    on(['disconnected'], () => this.#finish('idle', undefined));
    rhea.accept(this.#socket as unknown as Socket);
    return rhea;
  }

  /** From now on nothing of the client's is read; what rhea still has to say is written, then the stream ends. */
  #finish(reason: AmqpCloseReason, detail: string | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelTimeout();
    this.#cancelExpiry();
    this.#links.closeAll();
    this.#host.emit({ event: 'amqpClosed', connection: this.number, reason, ...(detail === undefined ? {} : { detail }) });
    this.#host.release(this);
    this.#stream.resume();
    setImmediate(() => {
      this.#socket.finish();
      this.#stream.end();
      this.#cancelLinger = this.#host.clock.setTimer(this.#host.limits.lingerMs, () => this.#stream.destroy());
      if (this.#stream.destroyed) this.#cancelLinger();
    });
  }
}
