/**
 * The frames between the virtual board and its driver (docs/architecture.md, "The board program"):
 * `u32 length (of type and payload), u8 type, payload`, little-endian.
 */

/** What the driver sends. Times are milliseconds of virtual monotonic time. */
export type HostFrame =
  /** First frame of all: the wall clock at monotonic 0. */
  | { readonly type: 'start'; readonly wallMs: number }
  /** Ends a batch of events; the first one also runs `main.js`. Answered by exactly one `idle`. */
  | { readonly type: 'run'; readonly nowMs: number }
  | { readonly type: 'tcp-connected'; readonly id: number }
  | { readonly type: 'tcp-data'; readonly id: number; readonly bytes: Uint8Array }
  /** Orderly end. */
  | { readonly type: 'tcp-closed'; readonly id: number }
  /** Refused, unreachable or reset. */
  | { readonly type: 'tcp-failed'; readonly id: number }
  | { readonly type: 'udp-data'; readonly id: number; readonly address: string; readonly port: number; readonly bytes: Uint8Array }
  /** An empty address says that the name was not found. */
  | { readonly type: 'resolved'; readonly id: number; readonly address: string }
  /** Handled with the next `run`. */
  | { readonly type: 'stop' }
  /** Answered at once by a `line` with the report. */
  | { readonly type: 'report' }
  /** Answered at once by `dumped`. */
  | { readonly type: 'dump'; readonly path: string };

/** What the board sends. */
export type BoardFrame =
  /** Answers `run`; `wakeAtMs` is `Infinity` when no timer is set. */
  | { readonly type: 'idle'; readonly wakeAtMs: number }
  | { readonly type: 'tcp-open'; readonly id: number; readonly port: number; readonly address: string }
  | { readonly type: 'tcp-write'; readonly id: number; readonly bytes: Uint8Array }
  /** No more frames for this id from the board; those still under way to it are dropped. */
  | { readonly type: 'tcp-close'; readonly id: number }
  | { readonly type: 'udp-send'; readonly id: number; readonly address: string; readonly port: number; readonly bytes: Uint8Array }
  | { readonly type: 'udp-close'; readonly id: number }
  | { readonly type: 'resolve'; readonly id: number; readonly name: string }
  /** A line that the board prints on stdout in real-time mode. */
  | { readonly type: 'line'; readonly text: string }
  | { readonly type: 'dumped' };

export type DriverFrame = HostFrame | BoardFrame;

const TYPE_CODES = {
  start: 1,
  run: 2,
  'tcp-connected': 3,
  'tcp-data': 4,
  'tcp-closed': 5,
  'tcp-failed': 6,
  'udp-data': 7,
  resolved: 8,
  stop: 9,
  report: 10,
  dump: 11,
  idle: 65,
  'tcp-open': 66,
  'tcp-write': 67,
  'tcp-close': 68,
  'udp-send': 69,
  'udp-close': 70,
  resolve: 71,
  line: 72,
  dumped: 73,
} as const satisfies Record<DriverFrame['type'], number>;

/** Bytes of the fixed fields of each payload. */
const FIXED_BYTES = {
  start: 8,
  run: 8,
  'tcp-connected': 4,
  'tcp-data': 4,
  'tcp-closed': 4,
  'tcp-failed': 4,
  'udp-data': 10,
  resolved: 4,
  stop: 0,
  report: 0,
  dump: 0,
  idle: 8,
  'tcp-open': 6,
  'tcp-write': 4,
  'tcp-close': 4,
  'udp-send': 10,
  'udp-close': 4,
  resolve: 4,
  line: 0,
  dumped: 0,
} as const satisfies Record<DriverFrame['type'], number>;

const TYPE_NAMES = new Map<number, DriverFrame['type']>(
  Object.entries(TYPE_CODES).map(([name, code]) => [code, name as DriverFrame['type']]),
);

/** Bytes of the length field in front of every frame. */
export const LENGTH_BYTES = 4;
/** Longest frame that either side takes: a stream write is at most a few kilobytes, a line a few hundred bytes. */
export const MAX_FRAME_BYTES = 1 << 20;

/** One frame, its length in front. */
export function encodeFrame(frame: DriverFrame): Buffer {
  const payload = encodePayload(frame);
  const head = Buffer.allocUnsafe(LENGTH_BYTES + 1);
  head.writeUInt32LE(1 + payload.length, 0);
  head.writeUInt8(TYPE_CODES[frame.type], LENGTH_BYTES);
  return Buffer.concat([head, payload]);
}

function encodePayload(frame: DriverFrame): Uint8Array {
  switch (frame.type) {
    case 'start':
      return f64(frame.wallMs);
    case 'run':
      return f64(frame.nowMs);
    case 'idle':
      return f64(frame.wakeAtMs);
    case 'tcp-connected':
    case 'tcp-closed':
    case 'tcp-failed':
    case 'tcp-close':
    case 'udp-close':
      return u32(frame.id);
    case 'tcp-data':
    case 'tcp-write':
      return Buffer.concat([u32(frame.id), frame.bytes]);
    case 'udp-data':
    case 'udp-send':
      return Buffer.concat([u32(frame.id), ipv4(frame.address), u16(frame.port), frame.bytes]);
    case 'tcp-open':
      return Buffer.concat([u32(frame.id), u16(frame.port), Buffer.from(frame.address, 'utf8')]);
    case 'resolved':
      return Buffer.concat([u32(frame.id), Buffer.from(frame.address, 'utf8')]);
    case 'resolve':
      return Buffer.concat([u32(frame.id), Buffer.from(frame.name, 'utf8')]);
    case 'dump':
      return Buffer.from(frame.path, 'utf8');
    case 'line':
      return Buffer.from(frame.text, 'utf8');
    case 'stop':
    case 'report':
    case 'dumped':
      return Buffer.alloc(0);
  }
}

/**
 * The frame in `body` (type and payload, without the length).
 * @throws RangeError when the type is unknown or the payload too short.
 */
export function decodeFrame(body: Buffer): DriverFrame {
  const type = TYPE_NAMES.get(body.readUInt8(0));
  const payload = body.subarray(1);
  if (type === undefined) throw new RangeError(`driver frame of unknown type ${body.readUInt8(0)}`);
  if (payload.length < FIXED_BYTES[type]) throw new RangeError(`driver frame "${type}" with a payload of ${payload.length} bytes`);
  switch (type) {
    case 'start':
      return { type, wallMs: payload.readDoubleLE(0) };
    case 'run':
      return { type, nowMs: payload.readDoubleLE(0) };
    case 'idle':
      return { type, wakeAtMs: payload.readDoubleLE(0) };
    case 'tcp-connected':
    case 'tcp-closed':
    case 'tcp-failed':
    case 'tcp-close':
    case 'udp-close':
      return { type, id: payload.readUInt32LE(0) };
    case 'tcp-data':
    case 'tcp-write':
      return { type, id: payload.readUInt32LE(0), bytes: payload.subarray(4) };
    case 'udp-data':
    case 'udp-send':
      return {
        type,
        id: payload.readUInt32LE(0),
        port: payload.readUInt16LE(8),
        address: payload.subarray(4, 8).join('.'),
        bytes: payload.subarray(10),
      };
    case 'tcp-open':
      return { type, id: payload.readUInt32LE(0), port: payload.readUInt16LE(4), address: payload.toString('utf8', 6) };
    case 'resolved':
      return { type, id: payload.readUInt32LE(0), address: payload.toString('utf8', 4) };
    case 'resolve':
      return { type, id: payload.readUInt32LE(0), name: payload.toString('utf8', 4) };
    case 'dump':
      return { type, path: payload.toString('utf8') };
    case 'line':
      return { type, text: payload.toString('utf8') };
    case 'stop':
    case 'report':
    case 'dumped':
      return { type };
  }
}

/** True for the frames that a board sends. */
export function isBoardFrame(frame: DriverFrame): frame is BoardFrame {
  return TYPE_CODES[frame.type] >= TYPE_CODES.idle;
}

function f64(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeDoubleLE(value, 0);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32LE(value, 0);
  return bytes;
}

function u16(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(2);
  bytes.writeUInt16LE(value, 0);
  return bytes;
}

function ipv4(address: string): Buffer {
  const parts = address.split('.').map(Number);
  if (parts.length !== 4 || !parts.every((part) => Number.isInteger(part) && part >= 0 && part <= 255)) {
    throw new RangeError(`driver frame: an IPv4 address expected, got "${address}"`);
  }
  return Buffer.from(parts);
}
