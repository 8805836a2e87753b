import { FrameRules } from './frame-rules.ts';
import { FrameSplitter, type Piece } from './frame-splitter.ts';
import type { AmqpLimits } from './limits.ts';
import { readPerformative } from './performative.ts';
import { ProtocolFault } from './protocol-fault.ts';
import { AMQP_FRAME_TYPE, AMQP_PROTOCOL_ID, SASL_FRAME_TYPE, SASL_HEADER, SASL_OK, SASL_PROTOCOL_ID, formatMechanisms, formatOutcome, readSaslInit, type SaslRequest } from './sasl.ts';

export interface GateEffects {
  /** Bytes of the SASL layer, for the client. */
  write(bytes: Buffer): void;
  /** @returns the outcome code of SASL */
  authenticate(request: SaslRequest): number;
  /** A header or a frame of AMQP that keeps the rules, whole. */
  forward(bytes: Buffer): void;
  /** How many deliveries went out to the client in the session of a channel. */
  sentDeliveries(channel: number): number;
}

/**
 * What stands between a client and the AMQP engine: SASL is answered here, and only frames that are well-formed, in place and within
 * bounds go on.
 */
export class FrameGate {
  readonly #limits: AmqpLimits;
  readonly #effects: GateEffects;
  readonly #splitter: FrameSplitter;
  readonly #rules: FrameRules;
  #layer: 'start' | 'sasl' | 'authenticated' | 'amqp' | 'refused' = 'start';

  constructor(limits: AmqpLimits, effects: GateEffects) {
    this.#limits = limits;
    this.#effects = effects;
    this.#splitter = new FrameSplitter(limits.saslFrameBytes);
    this.#rules = new FrameRules(limits, (channel) => effects.sentDeliveries(channel));
  }

  feed(chunk: Buffer): void {
    this.#splitter.feed(chunk);
  }

  /** Takes one header or frame. @returns false when there is no whole one  @throws ProtocolFault, MalformedValue */
  step(): boolean {
    const piece = this.#layer === 'refused' ? undefined : this.#splitter.next();
    if (piece === undefined) return false;
    if (piece.kind === 'header') this.#takeHeader(piece.protocolId, piece.bytes);
    else if (this.#layer === 'sasl') this.#takeSaslFrame(piece);
    else this.#takeAmqpFrame(piece);
    return true;
  }

  #takeHeader(protocolId: number, bytes: Buffer): void {
    if (protocolId === SASL_PROTOCOL_ID && this.#layer === 'start') {
      this.#layer = 'sasl';
      this.#effects.write(Buffer.concat([SASL_HEADER, formatMechanisms()]));
    } else if (protocolId === AMQP_PROTOCOL_ID && this.#layer !== 'amqp') {
      // Without SASL a client is as anonymous as with ANONYMOUS: Microsoft's service SDK for Node begins so.
      this.#layer = 'amqp';
      this.#splitter.setMaxFrameBytes(this.#limits.frameBytes);
      this.#effects.forward(bytes);
    } else throw new ProtocolFault('amqp:connection:framing-error', `protocol ${protocolId} at the wrong time`);
  }

  #takeSaslFrame(frame: Extract<Piece, { kind: 'frame' }>): void {
    if (frame.type !== SASL_FRAME_TYPE) throw new ProtocolFault('amqp:connection:framing-error', `a frame of type ${frame.type} before the end of SASL`);
    const performative = readPerformative(frame.body);
    if (performative.name !== 'sasl-init') throw new ProtocolFault('amqp:connection:framing-error', `${performative.name} where sasl-init belongs`);
    const code = this.#effects.authenticate(readSaslInit(performative));
    this.#effects.write(formatOutcome(code));
    this.#layer = code === SASL_OK ? 'authenticated' : 'refused';
    this.#splitter.expectHeader();
  }

  #takeAmqpFrame(frame: Extract<Piece, { kind: 'frame' }>): void {
    if (frame.type !== AMQP_FRAME_TYPE) throw new ProtocolFault('amqp:connection:framing-error', `a frame of type ${frame.type}`);
    if (frame.body.length > 0) this.#rules.check(frame.channel, readPerformative(frame.body));
    this.#effects.forward(frame.bytes);
  }
}
