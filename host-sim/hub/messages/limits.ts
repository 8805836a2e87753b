/** Every bound of cloud-to-device messages. Tests and options may lower them. */
export interface MessageLimits {
  /** Messages that wait for one device, locked ones counted. */
  readonly queuedMessages: number;
  /** Body and properties of one message. */
  readonly messageBytes: number;
  /** Life of a message that says nothing about its expiry. */
  readonly defaultTtlMs: number;
  /** The longest life of a message, whatever it asks for. */
  readonly maxTtlMs: number;
  /** How long a receiver may keep a message that it neither completes nor gives back. */
  readonly lockTimeoutMs: number;
  /** Given back so often, a message is dead-lettered. */
  readonly maxDeliveryCount: number;
  /** Application properties of one message. */
  readonly properties: number;
}

const HOUR_MS = 3_600_000;

/** @see https://learn.microsoft.com/azure/iot-hub/iot-hub-devguide-messages-c2d#cloud-to-device-configuration-options */
export const DEFAULT_MESSAGE_LIMITS: MessageLimits = {
  queuedMessages: 50,
  messageBytes: 64 * 1024,
  defaultTtlMs: HOUR_MS,
  maxTtlMs: 48 * HOUR_MS,
  lockTimeoutMs: 60_000,
  maxDeliveryCount: 10,
  // 64 KB of the shortest pairs would be 32,768 of them: more than any client means to send, and more work than bytes.
  properties: 1_000,
};

/** Bounds of the feedback for services. */
export interface FeedbackLimits {
  /** Records that wait to be read; beyond that the oldest goes, as if expired. */
  readonly records: number;
  /** Life of a record. */
  readonly ttlMs: number;
  /** Records in one message. */
  readonly batchRecords: number;
  /** A batch that is not full leaves so long after the one before. */
  readonly batchIntervalMs: number;
  readonly lockTimeoutMs: number;
  readonly maxDeliveryCount: number;
}

export const DEFAULT_FEEDBACK_LIMITS: FeedbackLimits = {
  // Ours: 10,000 records of at most 0.6 KB stay below 6 MB.
  records: 10_000,
  ttlMs: HOUR_MS,
  batchRecords: 64,
  batchIntervalMs: 15_000,
  lockTimeoutMs: 60_000,
  maxDeliveryCount: 10,
};
