import type { ReceivedProperties } from '../properties.ts';

/** A message from the cloud to the device. */
export interface InboundMessage {
  readonly topic: string;
  /** May be empty, and any bytes; they are the receiver's. */
  readonly payload: Uint8Array;
  /** System properties by their names in Microsoft's SDKs, the sender's own in `application`. */
  readonly properties: ReceivedProperties;
  /**
   * Tells the hub that it was handled (`complete` in Microsoft's SDKs); until then the hub keeps it, and sends it again on the next
   * connection. Idempotent. Over MQTT a message cannot be rejected or abandoned.
   */
  acknowledge(): void;
}

/** A message from the cloud that is too large to be held; its payload comes in pieces. */
export interface LargeMessage extends Omit<InboundMessage, 'payload'> {
  /** Of the payload. */
  readonly byteCount: number;
}

/** Takes the payload of a large message. What it throws becomes an event. */
export interface LargeMessageTaker {
  /** The next piece, never empty, some 1 KB; the bytes are the receiver's. */
  onPiece(bytes: Uint8Array): void;
  /** That was all; `acknowledge` the message when it is handled. */
  onEnd(): void;
  /** The connection has gone: the message comes again from its beginning. */
  onLost(): void;
}
