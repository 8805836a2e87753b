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
