import { crc32 } from '../crc32.ts';
import type { RootFlash } from './root-flash.ts';
import { MAX_PARTS, MAX_ROOTS, SHA256_BYTES } from './root-limits.ts';

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
  /** First bytes of the SHA-256 of base roots that later bundles revoked. */
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

/** First bytes of a revoked root's SHA-256: 64 bits tell eight roots apart. */
export const FINGERPRINT_BYTES = 8;

const UNIT_BYTES = 16;
/** `LR`, little-endian. */
const MAGIC = 0x524c;
const HEADER_BYTES = 8;
const CRC_BYTES = 4;
const KIND_STATE = 1;
const KIND_STAGE = 2;
const KIND_PART = 3;
const STATE_BYTES = 192;
const STAGE_BYTES = 64;
const PART_BYTES = 32;
const STATE_AT = { slots: 8, version: 12, lengths: 16, digests: 24, revoked: 88, count: 152, stage: 156 } as const;
const NOTHING: StoredBundle = { slot: FACTORY, length: 0, digest: new Uint8Array(SHA256_BYTES) };

/** What a bundle may need until its trial is over: its stage and parts, the commit, three failures and the end. */
const ROOM_FOR_AN_UPDATE = STAGE_BYTES + MAX_PARTS * PART_BYTES + 6 * STATE_BYTES;

/**
 * Two blocks of records, each written once and checked by a CRC; the newest state is the one in force, so that writing one
 * is the atomic switch. A full block is left for the other one, which starts with the state. A power cut leaves the record before.
 */
export class RootLog {
  readonly #flash: RootFlash;
  readonly #firstBlock: number;
  readonly #blockLength: number;
  #block = 0;
  /** Where the next record goes in `#block`. */
  #offset = 0;
  #sequence = 0;
  #state: RootState | undefined;
  #staging: Staging | undefined;
  #stageSequence = 0;

  constructor(flash: RootFlash, firstBlock: number) {
    this.#flash = flash;
    this.#firstBlock = firstBlock;
    this.#blockLength = flash.status().blockLength;
    this.#load();
  }

  /** `undefined` before the first bundle. */
  get state(): RootState | undefined {
    return this.#state;
  }

  get staging(): Staging | undefined {
    return this.#staging;
  }

  /** Whether an update fits before the other block must be erased. */
  get hasRoom(): boolean {
    return this.#offset + ROOM_FOR_AN_UPDATE <= this.#blockLength;
  }

  /** Goes on in the other block; erases it. */
  turn(): void {
    const other = 1 - this.#block;
    this.#flash.eraseBlock(this.#firstBlock + other);
    this.#block = other;
    this.#offset = 0;
    const { state, staging } = { state: this.#state, staging: this.#staging };
    if (state !== undefined) this.#writeState(state);
    if (staging === undefined) return;
    this.#writeStage(staging);
    staging.lengths.forEach((length, index) => length !== undefined && this.#writePart(index, length));
  }

  /** Whether the next `setState` erases a block. */
  get isFull(): boolean {
    return this.#offset + STATE_BYTES > this.#blockLength;
  }

  /** The atomic switch; `endsStaging` also forgets the parts that came. */
  setState(state: RootState, endsStaging: boolean): void {
    if (endsStaging) this.#staging = undefined;
    // In force first: `turn` writes it.
    this.#state = state;
    if (this.isFull) this.turn();
    else this.#writeState(state);
  }

  beginStaging(staging: Omit<Staging, 'lengths'>): void {
    this.#staging = { ...staging, lengths: [] };
    this.#writeStage(staging);
  }

  addPart(index: number, length: number): void {
    this.#writePart(index, length);
    if (this.#staging !== undefined) this.#staging.lengths[index] = length;
  }

  #writeState(state: RootState): void {
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
    revoked.forEach((fingerprint, index) => record.set(fingerprint, STATE_AT.revoked + index * FINGERPRINT_BYTES));
    record[STATE_AT.count] = revoked.length;
    view.setUint32(STATE_AT.stage, this.#staging === undefined ? this.#sequence : this.#stageSequence - 1, true);
    this.#append(KIND_STATE, record);
  }

  #writeStage({ slot, version, count, digest }: Omit<Staging, 'lengths'>): void {
    const record = new Uint8Array(STAGE_BYTES);
    record[HEADER_BYTES] = slot;
    record[HEADER_BYTES + 1] = count;
    new DataView(record.buffer).setUint32(HEADER_BYTES + 4, version, true);
    record.set(digest, HEADER_BYTES + 8);
    this.#append(KIND_STAGE, record);
    this.#stageSequence = this.#sequence;
  }

  #writePart(index: number, length: number): void {
    const record = new Uint8Array(PART_BYTES);
    const view = new DataView(record.buffer);
    record[HEADER_BYTES] = index;
    view.setUint32(HEADER_BYTES + 4, length, true);
    view.setUint32(HEADER_BYTES + 8, this.#stageSequence, true);
    this.#append(KIND_PART, record);
  }

  #append(kind: number, record: Uint8Array<ArrayBuffer>): void {
    if (this.#offset + record.length > this.#blockLength) throw new RangeError('root log: full');
    const view = new DataView(record.buffer);
    this.#sequence += 1;
    view.setUint16(0, MAGIC, true);
    record[2] = kind;
    record[3] = record.length / UNIT_BYTES;
    view.setUint32(4, this.#sequence, true);
    view.setUint32(record.length - CRC_BYTES, crc32(record, record.length - CRC_BYTES), true);
    const at = this.#offset;
    this.#offset += record.length;
    this.#flash.write(record, (this.#firstBlock + this.#block) * this.#blockLength + at);
  }

  #load(): void {
    let consumed = 0;
    let stateSequence = 0;
    const stages: { readonly sequence: number; readonly staging: Staging }[] = [];
    const parts: { readonly stage: number; readonly index: number; readonly length: number }[] = [];
    for (let block = 0; block < 2; block++) {
      const bytes = new Uint8Array(this.#flash.read(this.#blockLength, (this.#firstBlock + block) * this.#blockLength));
      const view = new DataView(bytes.buffer);
      let end = 0;
      for (let at = 0; at < bytes.length; ) {
        const length = lengthOfRecord(bytes, view, at);
        if (length === 0) {
          if (!isErased(bytes, at)) end = at + UNIT_BYTES;
          at += UNIT_BYTES;
          continue;
        }
        const sequence = view.getUint32(at + 4, true);
        if (bytes[at + 2] === KIND_STATE && sequence > stateSequence) {
          stateSequence = sequence;
          this.#state = readState(bytes, view, at);
          consumed = view.getUint32(at + STATE_AT.stage, true);
        } else if (bytes[at + 2] === KIND_STAGE) {
          stages.push({ sequence, staging: readStage(bytes, view, at) });
        } else if (bytes[at + 2] === KIND_PART) {
          parts.push({ stage: view.getUint32(at + HEADER_BYTES + 8, true), index: bytes[at + HEADER_BYTES] ?? 0, length: view.getUint32(at + HEADER_BYTES + 4, true) });
        }
        at += length;
        end = at;
        if (sequence <= this.#sequence) continue;
        this.#sequence = sequence;
        this.#block = block;
      }
      if (block === this.#block) this.#offset = end;
    }
    const stage = stages.reduce<(typeof stages)[number] | undefined>((newest, each) => (each.sequence > (newest?.sequence ?? consumed) ? each : newest), undefined);
    if (stage === undefined) return;
    this.#staging = stage.staging;
    this.#stageSequence = stage.sequence;
    for (const part of parts) if (part.stage === stage.sequence) stage.staging.lengths[part.index] = part.length;
  }
}

/** 0 when no whole record begins here. */
function lengthOfRecord(bytes: Uint8Array, view: DataView, at: number): number {
  const length = (bytes[at + 3] ?? 0) * UNIT_BYTES;
  if (view.getUint16(at, true) !== MAGIC || length < PART_BYTES || at + length > bytes.length) return 0;
  return view.getUint32(at + length - CRC_BYTES, true) === crc32(bytes.subarray(at, at + length), length - CRC_BYTES) ? length : 0;
}

function isErased(bytes: Uint8Array, at: number): boolean {
  for (let i = at; i < at + UNIT_BYTES; i++) if (bytes[i] !== 0xff) return false;
  return true;
}

function readState(bytes: Uint8Array, view: DataView, at: number): RootState {
  const stored = (which: 0 | 1): StoredBundle => {
    const slot = bytes[at + STATE_AT.slots + which] ?? FACTORY;
    if (slot === FACTORY) return NOTHING;
    const digestAt = at + STATE_AT.digests + which * SHA256_BYTES;
    return { slot, length: view.getUint32(at + STATE_AT.lengths + 4 * which, true), digest: bytes.slice(digestAt, digestAt + SHA256_BYTES) };
  };
  const revoked: Uint8Array[] = [];
  for (let i = 0; i < Math.min(bytes[at + STATE_AT.count] ?? 0, MAX_ROOTS); i++) {
    const from = at + STATE_AT.revoked + i * FINGERPRINT_BYTES;
    revoked.push(bytes.slice(from, from + FINGERPRINT_BYTES));
  }
  return {
    version: view.getUint32(at + STATE_AT.version, true),
    phase: PHASES[bytes[at + STATE_AT.slots + 2] ?? 0] ?? 'failed',
    failures: bytes[at + STATE_AT.slots + 3] ?? 0,
    committed: stored(0),
    base: stored(1),
    revoked,
  };
}

function readStage(bytes: Uint8Array, view: DataView, at: number): Staging {
  const digestAt = at + HEADER_BYTES + 8;
  return {
    slot: bytes[at + HEADER_BYTES] ?? 0,
    count: bytes[at + HEADER_BYTES + 1] ?? 0,
    version: view.getUint32(at + HEADER_BYTES + 4, true),
    digest: bytes.slice(digestAt, digestAt + SHA256_BYTES),
    lengths: [],
  };
}
