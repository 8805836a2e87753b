/** Every bound of an AMQP connection. Tests and options may lower them. */
export interface AmqpLimits {
  /** Connections at a time. */
  readonly connections: number;
  /** A frame from a client, whole; the hub says so in `open`. */
  readonly frameBytes: number;
  /** SASL frames are small before anybody is known. */
  readonly saslFrameBytes: number;
  readonly sessions: number;
  /** Links of one connection. */
  readonly links: number;
  /** A message from a client with everything around its body. */
  readonly messageBytes: number;
  /** Bytes of messages to a client that it has not settled. */
  readonly unsettledBytes: number;
  /** Messages to a client that it has not settled. */
  readonly unsettledMessages: number;
  /** Bytes that wait for a client that does not read; beyond them it is cut. */
  readonly waitingBytes: number;
  /** Messages that a client may send before the hub has answered. */
  readonly credit: number;
  /** Answers of `$cbs` and `$management` that a client has not settled. */
  readonly openReplies: number;
  /** Tokens of one connection. */
  readonly claims: number;
  /** Refused tokens after which a connection is closed. */
  readonly refusedClaims: number;
  /** From the open connection to the first token that is accepted. */
  readonly authenticateTimeoutMs: number;
  /** How often a client must be heard, empty frames too; the hub says so in `open`. One that is silent for twice as long is gone. */
  readonly idleTimeoutMs: number;
  /** The shortest idle time-out of a client that the hub keeps up with. */
  readonly minPeerIdleMs: number;
  /** From the hub's end of a connection to its destruction, for a peer that does not close. */
  readonly lingerMs: number;
}

export const DEFAULT_AMQP_LIMITS: AmqpLimits = {
  connections: 200,
  frameBytes: 64 * 1024,
  // A SASL frame has at most 512 bytes (AMQP 1.0, 5.3.1: MIN-MAX-FRAME-SIZE); tokens make PLAIN longer, as IoT Hub takes them.
  saslFrameBytes: 4 * 1024,
  sessions: 64,
  // An Event Hubs client opens one session and two links for each partition and for $cbs and $management.
  links: 128,
  messageBytes: 128 * 1024,
  unsettledBytes: 2 * 1024 * 1024,
  unsettledMessages: 1_000,
  waitingBytes: 4 * 1024 * 1024,
  credit: 50,
  openReplies: 16,
  claims: 64,
  refusedClaims: 10,
  authenticateTimeoutMs: 30_000,
  // IoT Hub's own.
  idleTimeoutMs: 240_000,
  minPeerIdleMs: 1_000,
  lingerMs: 2_000,
};

/** AMQP 1.0, 2.4.1 and 5.3.1. */
export const MIN_MAX_FRAME_BYTES = 512;

/** Nesting of values: what SDKs send stays below 6. */
export const MAX_VALUE_DEPTH = 12;

/** Values in one frame or message, those inside others counted. */
export const MAX_VALUES = 8_192;

/** Credit that may be drained: rhea counts it down one by one. */
export const MAX_DRAINED_CREDIT = 65_536;

/** Addresses of links and audiences of tokens: the longest host name and ids of 128 characters, percent-encoded, stay below it. */
export const MAX_ADDRESS_CHARACTERS = 2_048;

/** Link and container names. */
export const MAX_NAME_CHARACTERS = 512;
