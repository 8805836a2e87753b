import { ServiceError } from '../service-error.ts';
import type { MessageLimits } from './limits.ts';

/** For which ends of a message its sender wants feedback: `positive` success, `negative` every other end, `full` both. */
export type Acknowledgement = 'none' | 'positive' | 'negative' | 'full';

/** A message as a service sends it. */
export interface OutgoingCloudMessage {
  /** Without it feedback cannot be told apart; empty when absent. */
  readonly messageId?: string;
  readonly correlationId?: string;
  readonly userId?: string;
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly ack?: Acknowledgement;
  /** Milliseconds since 1970. */
  readonly expiryMs?: number;
  readonly properties: Readonly<Record<string, string>>;
  /** The queue's from now on. */
  readonly payload: Buffer;
}

/** A message in the queue of a device. */
export interface QueuedMessage extends OutgoingCloudMessage {
  readonly messageId: string;
  readonly ack: Acknowledgement;
  readonly expiryMs: number;
  /** Whether its sender asked for an expiry: only then the device is told. */
  readonly expiryIsSet: boolean;
  readonly enqueuedMs: number;
  /** From 1, in the order in which messages came to the hub. */
  readonly sequenceNumber: number;
  /** How often it was abandoned, or its lock timed out. */
  readonly deliveryCount: number;
}

/** A message handed to a receiver. */
export interface CloudMessage extends QueuedMessage {
  /** Names this delivery; it is the receiver's until settled, unlocked or timed out. */
  readonly lockToken: string;
  /** Whether it was handed out before. */
  readonly redelivered: boolean;
}

/** Why a message left its queue, in the words of feedback. */
export type FinalState = 'Success' | 'Expired' | 'DeliveryCountExceeded' | 'Rejected' | 'Purged';

const ACKNOWLEDGEMENTS: readonly string[] = ['none', 'positive', 'negative', 'full'];

/** Service properties have up to 128 characters: message-id, correlation-id and user-id as the REST reference has them. */
const MAX_ID_CHARACTERS = 128;

export function isAcknowledgement(text: string): text is Acknowledgement {
  return ACKNOWLEDGEMENTS.includes(text);
}

/** Whether the sender of a message with this `ack` wants to hear of that end. */
export function wantsFeedback(ack: Acknowledgement, state: FinalState): boolean {
  if (ack === 'full') return true;
  return ack === (state === 'Success' ? 'positive' : 'negative');
}

/** @throws ServiceError 413 MessageTooLarge, 400 ArgumentInvalid */
export function checkMessage(message: OutgoingCloudMessage, limits: MessageLimits): void {
  const entries = Object.entries(message.properties);
  if (entries.length > limits.properties) {
    throw new ServiceError(400, 400_004, 'ArgumentInvalid', `a message can have at most ${limits.properties} properties, got ${entries.length}`);
  }
  const system = [message.messageId, message.correlationId, message.userId, message.contentType, message.contentEncoding];
  if (system.some((value) => value !== undefined && value.length > MAX_ID_CHARACTERS)) {
    throw new ServiceError(400, 400_004, 'ArgumentInvalid', `ids and content type have at most ${MAX_ID_CHARACTERS} characters`);
  }
  const texts = [...entries.flat(), ...system.filter((value) => value !== undefined)];
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), message.payload.length);
  if (bytes > limits.messageBytes) {
    throw new ServiceError(413, 413_001, 'MessageTooLarge', `cloud-to-device messages have at most ${limits.messageBytes} bytes with their properties, got ${bytes}`);
  }
}

/** What stands in the state file. */
export function formatMessageRecord(message: QueuedMessage): unknown {
  return { ...message, payload: message.payload.toString('base64') };
}

/** @throws TypeError when the record is none */
export function parseMessageRecord(record: unknown): QueuedMessage {
  const fields = record as Omit<QueuedMessage, 'payload'> & { readonly payload: unknown };
  if (typeof record !== 'object' || record === null || typeof fields.payload !== 'string' || typeof fields.sequenceNumber !== 'number') {
    throw new TypeError('no record of a cloud-to-device message');
  }
  return { ...fields, payload: Buffer.from(fields.payload, 'base64') };
}
