import { crc32 } from '../crc32.ts';
import type { SpentErases } from './erase-budget.ts';
import { SHA256_BYTES } from './root-limits.ts';

/** Where a slot number would stand: the factory's set, which lies in no slot. */
export const FACTORY = 0xff;

/**
 * `kept`: the committed set is the one in use. `inner`: only its version and keys count, a later link brings the roots. `trial`: its
 * roots are in use and not yet proven. `failed`: they were proven not to reach the hub; the base is in use.
 */
export type RootPhase = 'kept' | 'inner' | 'trial' | 'failed';

const PHASES: readonly RootPhase[] = ['kept', 'inner', 'trial', 'failed'];

/** A bundle in a slot. */
export interface StoredBundle {
  /** FACTORY for the image's own set: length 0, digest all zero. */
  readonly slot: number;
  readonly length: number;
  readonly digest: Uint8Array;
}

/** What is decided. Version and keys are the committed bundle's, whatever becomes of its roots. */
export interface RootState {
  readonly version: number;
  readonly phase: RootPhase;
  /** Failures of this trial. */
  readonly failures: number;
  readonly committed: StoredBundle;
  /** The last set that reached the hub: the way back, without what was revoked since. */
  readonly base: StoredBundle;
  /**
   * First bytes of the SHA-256 of roots of the base or of the factory's set that bundles have revoked. More than MAX_REVOKED: flash has not kept
   * them all, and nothing of either set counts.
   */
  readonly revoked: readonly Uint8Array[];
}

/** A bundle that comes in parts. */
export interface Staging {
  readonly slot: number;
  readonly version: number;
  readonly count: number;
  readonly digest: Uint8Array;
  /** Bytes of each part that is in flash whole; `undefined` where none is. */
  readonly lengths: (number | undefined)[];
}

/** First bytes of a revoked root's SHA-256: 64 bits tell sixteen roots apart. */
export const FINGERPRINT_BYTES = 8;
/** Revoked roots that a record of the state holds. */
export const MAX_REVOKED = 11;

export const UNIT_BYTES = 16;
export const KIND_STATE = 1;
export const KIND_STAGE = 2;
export const KIND_PART = 3;
export const KIND_ERASES = 4;
export const STATE_BYTES = 192;
export const STAGE_BYTES = 64;
export const PART_BYTES = 32;
export const ERASES_BYTES = 32;

/** `LR`, little-endian. */
const MAGIC = 0x524c;
const HEADER_BYTES = 8;
export const CRC_BYTES = 4;
const STATE_AT = { slots: 8, version: 12, lengths: 16, digests: 24, revoked: 88, count: 152, stage: 156, moreRevoked: 160 } as const;
/** Of the revoked ones; the others stand at `moreRevoked`. */
const FIRST_REVOKED = 8;
const NOTHING: StoredBundle = { slot: FACTORY, length: 0, digest: new Uint8Array(SHA256_BYTES) };

/** Puts in front what every record begins with: magic, kind, length, sequence number. Its last four bytes are the CRC of all before. */
export function labelRecord(record: Uint8Array<ArrayBuffer>, kind: number, sequence: number): DataView {
  const view = new DataView(record.buffer);
  view.setUint16(0, MAGIC, true);
  record[2] = kind;
  record[3] = record.length / UNIT_BYTES;
  view.setUint32(4, sequence, true);
  return view;
}

/** 0 when no whole record begins at `at`. */
export function lengthOfRecord(bytes: Uint8Array, view: DataView, at: number): number {
  const length = (bytes[at + 3] ?? 0) * UNIT_BYTES;
  if (view.getUint16(at, true) !== MAGIC || length < PART_BYTES || at + length > bytes.length) return 0;
  return view.getUint32(at + length - CRC_BYTES, true) === crc32(bytes.subarray(at, at + length), length - CRC_BYTES) ? length : 0;
}

/** @param consumed sequence number of the last staging that is over */
export function encodeState(state: RootState, consumed: number): Uint8Array<ArrayBuffer> {
  const record = new Uint8Array(STATE_BYTES);
  const view = new DataView(record.buffer);
  const { committed, base, revoked } = state;
  record[STATE_AT.slots] = committed.slot;
  record[STATE_AT.slots + 1] = base.slot;
  record[STATE_AT.slots + 2] = PHASES.indexOf(state.phase);
  record[STATE_AT.slots + 3] = state.failures;
  view.setUint32(STATE_AT.version, state.version, true);
  view.setUint32(STATE_AT.lengths, committed.length, true);
  view.setUint32(STATE_AT.lengths + 4, base.length, true);
  record.set(committed.digest, STATE_AT.digests);
  record.set(base.digest, STATE_AT.digests + SHA256_BYTES);
  for (let i = 0; i < Math.min(revoked.length, MAX_REVOKED); i++) record.set(revoked[i] ?? [], revokedAt(i));
  record[STATE_AT.count] = Math.min(revoked.length, 0xff);
  view.setUint32(STATE_AT.stage, consumed, true);
  return record;
}

/** With the sequence number of the last staging that is over. */
export function readState(bytes: Uint8Array, view: DataView, at: number): { readonly state: RootState; readonly consumed: number } {
  const stored = (which: 0 | 1): StoredBundle => {
    const slot = bytes[at + STATE_AT.slots + which] ?? FACTORY;
    if (slot === FACTORY) return NOTHING;
    const digestAt = at + STATE_AT.digests + which * SHA256_BYTES;
    return { slot, length: view.getUint32(at + STATE_AT.lengths + 4 * which, true), digest: bytes.slice(digestAt, digestAt + SHA256_BYTES) };
  };
  const revoked: Uint8Array[] = [];
  for (let i = 0; i < (bytes[at + STATE_AT.count] ?? 0); i++) {
    revoked.push(i < MAX_REVOKED ? bytes.slice(at + revokedAt(i), at + revokedAt(i) + FINGERPRINT_BYTES) : new Uint8Array(FINGERPRINT_BYTES));
  }
  const state: RootState = {
    version: view.getUint32(at + STATE_AT.version, true),
    phase: PHASES[bytes[at + STATE_AT.slots + 2] ?? 0] ?? 'failed',
    failures: bytes[at + STATE_AT.slots + 3] ?? 0,
    committed: stored(0),
    base: stored(1),
    revoked,
  };
  return { state, consumed: view.getUint32(at + STATE_AT.stage, true) };
}

function revokedAt(index: number): number {
  return index < FIRST_REVOKED ? STATE_AT.revoked + index * FINGERPRINT_BYTES : STATE_AT.moreRevoked + (index - FIRST_REVOKED) * FINGERPRINT_BYTES;
}

export function encodeStage({ slot, version, count, digest }: Omit<Staging, 'lengths'>): Uint8Array<ArrayBuffer> {
  const record = new Uint8Array(STAGE_BYTES);
  record[HEADER_BYTES] = slot;
  record[HEADER_BYTES + 1] = count;
  new DataView(record.buffer).setUint32(HEADER_BYTES + 4, version, true);
  record.set(digest, HEADER_BYTES + 8);
  return record;
}

export function readStage(bytes: Uint8Array, view: DataView, at: number): Staging {
  const digestAt = at + HEADER_BYTES + 8;
  return {
    slot: bytes[at + HEADER_BYTES] ?? 0,
    count: bytes[at + HEADER_BYTES + 1] ?? 0,
    version: view.getUint32(at + HEADER_BYTES + 4, true),
    digest: bytes.slice(digestAt, digestAt + SHA256_BYTES),
    lengths: [],
  };
}

/** A part of the staging with the sequence number `stage`. */
export interface PartRecord {
  readonly stage: number;
  readonly index: number;
  readonly length: number;
}

export function encodePart({ stage, index, length }: PartRecord): Uint8Array<ArrayBuffer> {
  const record = new Uint8Array(PART_BYTES);
  const view = new DataView(record.buffer);
  record[HEADER_BYTES] = index;
  view.setUint32(HEADER_BYTES + 4, length, true);
  view.setUint32(HEADER_BYTES + 8, stage, true);
  return record;
}

export function readPart(bytes: Uint8Array, view: DataView, at: number): PartRecord {
  return { stage: view.getUint32(at + HEADER_BYTES + 8, true), index: bytes[at + HEADER_BYTES] ?? 0, length: view.getUint32(at + HEADER_BYTES + 4, true) };
}

export function encodeErases({ id, count, wallSeconds }: SpentErases): Uint8Array<ArrayBuffer> {
  const record = new Uint8Array(ERASES_BYTES);
  const view = new DataView(record.buffer);
  record[HEADER_BYTES] = count;
  view.setUint32(HEADER_BYTES + 4, wallSeconds, true);
  view.setUint32(HEADER_BYTES + 8, id, true);
  return record;
}

export function readErases(bytes: Uint8Array, view: DataView, at: number): SpentErases {
  return { id: view.getUint32(at + HEADER_BYTES + 8, true), count: bytes[at + HEADER_BYTES] ?? 0, wallSeconds: view.getUint32(at + HEADER_BYTES + 4, true), atMs: 0, isEarlier: true };
}
