/** Every bound of the hub, each with where it comes from. Tests and options may lower them. */
export interface HubLimits {
  /** Body and properties of one message. */
  readonly messageBytes: number;
  /** A whole CONNECT: what an unauthenticated peer may make the hub hold. */
  readonly connectBytes: number;
  /** Every later packet, whole. */
  readonly packetBytes: number;
  /** Bytes that wait for a client that does not read. */
  readonly waitingBytes: number;
  /** Connections at a time, accepted or not. */
  readonly connections: number;
  /** From the open connection to a complete CONNECT. */
  readonly connectTimeoutMs: number;
  /** From the hub's end of a connection to its destruction, for a peer that does not close. */
  readonly lingerMs: number;
}

/** "Device-to-cloud messages can be at most 256 KB": the message with its properties. */
const MESSAGE_BYTES = 256 * 1024;

/** MQTT 3.1.1, 1.5.3: a UTF-8 string has at most 65,535 bytes. */
const MQTT_STRING_BYTES = 65_535;
const FIXED_HEADER_BYTES = 5;

export const DEFAULT_LIMITS: HubLimits = {
  messageBytes: MESSAGE_BYTES,
  // A will with its topic, and room for client id, user name and token: IoT Hub's user names and tokens stay below 2 KB.
  connectBytes: MQTT_STRING_BYTES + 16 * 1024,
  packetBytes: FIXED_HEADER_BYTES + MQTT_STRING_BYTES + 4 + MESSAGE_BYTES,
  // More than 60,000 PUBACKs: nobody who reads at all gets there.
  waitingBytes: 256 * 1024,
  connections: 1_000,
  connectTimeoutMs: 30_000,
  lingerMs: 2_000,
};

/** IoT Hub waits 1.5 times the keep-alive and never longer than 29.45 minutes; 0 counts as the longest. */
export const MAX_KEEP_ALIVE_WAIT_MS = 1_767_000;
export const KEEP_ALIVE_FACTOR = 1.5;

/** IoT Hub keeps a connection about five minutes beyond the end of its token. */
export const DEFAULT_GRACE_MS = 5 * 60_000;

/** @returns how long the hub waits for a sign of life */
export function keepAliveWaitMs(keepAliveSeconds: number): number {
  if (keepAliveSeconds === 0) return MAX_KEEP_ALIVE_WAIT_MS;
  return Math.min(keepAliveSeconds * KEEP_ALIVE_FACTOR * 1_000, MAX_KEEP_ALIVE_WAIT_MS);
}
