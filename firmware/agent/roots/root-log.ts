import { crc32 } from '../crc32.ts';
import { BundleError } from './bundle-error.ts';
import { equalBytes } from './bundle.ts';
import type { EraseClock, SpentErases } from './erase-budget.ts';
import type { RootFlash } from './root-flash.ts';
import { MAX_ERASES_PER_HOUR, MAX_PARTS } from './root-limits.ts';
import * as records from './root-records.ts';
import type { PartRecord, RootState, Staging } from './root-records.ts';

/** What a bundle may need until its trial is over: erases, its stage and parts, the commit, three failures and the end. */
const ROOM_FOR_AN_UPDATE = records.ERASES_BYTES + records.STAGE_BYTES + MAX_PARTS * records.PART_BYTES + 6 * records.STATE_BYTES;

/**
 * Two blocks of records, each written once and checked by a CRC; the newest state is the one in force, so that writing one
 * is the atomic switch. A full block is left for the other one, which starts with the state. A power cut leaves the record before. A state that
 * flash has not taken is written again in the other block.
 */
export class RootLog {
  readonly #flash: RootFlash;
  readonly #firstBlock: number;
  readonly #blockLength: number;
  readonly #clock: EraseClock;
  #block = 0;
  /** Where the next record goes in `#block`. */
  #offset = 0;
  #sequence = 0;
  #state: RootState | undefined;
  #staging: Staging | undefined;
  #stageSequence = 0;
  #erases: readonly SpentErases[] = [];

  constructor(flash: RootFlash, firstBlock: number, clock: EraseClock) {
    this.#flash = flash;
    this.#firstBlock = firstBlock;
    this.#blockLength = flash.status().blockLength;
    this.#clock = clock;
    this.#load();
  }

  /** `undefined` before the first bundle. */
  get state(): RootState | undefined {
    return this.#state;
  }

  get staging(): Staging | undefined {
    return this.#staging;
  }

  /** The last ones, as many as may count. */
  get erases(): readonly SpentErases[] {
    return this.#erases;
  }

  /** Whether an update fits before the other block must be erased. */
  get hasRoom(): boolean {
    return this.#fits(ROOM_FOR_AN_UPDATE);
  }

  /** Before sectors are erased: a restart right after it must not make them uncounted. */
  noteErases(count: number): void {
    this.#sequence += 1;
    const atMs = this.#clock.nowMs();
    const wallSeconds = this.#clock.wallSeconds();
    const erases: SpentErases = { id: this.#sequence, count, atMs, isEarlier: false, wallSeconds };
    this.#erases = [...this.#erases, erases].slice(-MAX_ERASES_PER_HOUR);
    if (this.#fits(records.ERASES_BYTES)) this.#append(records.KIND_ERASES, records.encodeErases(erases));
  }

  /** Goes on in the other block; erases it. @throws ERR_BUNDLE_FLASH when the state cannot be written there either */
  turn(): void {
    this.noteErases(1);
    const staging = this.#staging;
    const [block, offset] = [this.#block, this.#offset];
    const other = 1 - block;
    this.#flash.eraseBlock(this.#firstBlock + other);
    this.#block = other;
    this.#offset = 0;
    let isHeld = false;
    try {
      isHeld = this.#state === undefined || this.#writeState(this.#state);
    } finally {
      // The last state that flash holds is in the block before: it is this one that is erased the next time.
      if (!isHeld) [this.#block, this.#offset] = [block, offset];
    }
    if (!isHeld) throw new BundleError('ERR_BUNDLE_FLASH', 'flash did not take the state of the roots');
    for (const erases of this.#erases) this.#append(records.KIND_ERASES, records.encodeErases(erases));
    if (staging === undefined) return;
    this.#writeStage(staging);
    staging.lengths.forEach((length, index) => length !== undefined && this.#writePart(index, length));
  }

  /** The atomic switch; `endsStaging` also forgets the parts that came. @throws ERR_BUNDLE_FLASH; the state before is in force then */
  setState(state: RootState, endsStaging: boolean): void {
    const before = this.#state;
    if (endsStaging) this.#staging = undefined;
    // In force first: `turn` writes it.
    this.#state = state;
    try {
      // A note of erases always fits behind it.
      if (!this.#fits(records.STATE_BYTES + records.ERASES_BYTES) || !this.#writeState(state)) this.turn();
    } catch (error) {
      this.#state = before;
      throw error;
    }
  }

  beginStaging(staging: Omit<Staging, 'lengths'>): void {
    this.#staging = { ...staging, lengths: [] };
    this.#writeStage(staging);
  }

  addPart(index: number, length: number): void {
    this.#writePart(index, length);
    if (this.#staging !== undefined) this.#staging.lengths[index] = length;
  }

  #fits(byteLength: number): boolean {
    return this.#offset + byteLength <= this.#blockLength;
  }

  /** Whether flash holds it now. */
  #writeState(state: RootState): boolean {
    const record = records.encodeState(state, this.#staging === undefined ? this.#sequence : this.#stageSequence - 1);
    const at = this.#append(records.KIND_STATE, record);
    return equalBytes(new Uint8Array(this.#flash.read(record.length, at)), record);
  }

  #writeStage(staging: Omit<Staging, 'lengths'>): void {
    this.#append(records.KIND_STAGE, records.encodeStage(staging));
    this.#stageSequence = this.#sequence;
  }

  #writePart(index: number, length: number): void {
    this.#append(records.KIND_PART, records.encodePart({ stage: this.#stageSequence, index, length }));
  }

  /** @returns where it lies. Flat: parts come by a desired property on a stack that is nearly full */
  #append(kind: number, record: Uint8Array<ArrayBuffer>): number {
    if (!this.#fits(record.length)) throw new RangeError('root log: full');
    this.#sequence += 1;
    const view = records.labelRecord(record, kind, this.#sequence);
    const crcAt = record.length - records.CRC_BYTES;
    view.setUint32(crcAt, crc32(record, crcAt), true);
    const at = (this.#firstBlock + this.#block) * this.#blockLength + this.#offset;
    this.#offset += record.length;
    this.#flash.write(record, at);
    return at;
  }

  #load(): void {
    let consumed = 0;
    let stateSequence = 0;
    const stages: { readonly sequence: number; readonly staging: Staging }[] = [];
    const parts: PartRecord[] = [];
    const erases: SpentErases[] = [];
    for (let block = 0; block < 2; block++) {
      const bytes = new Uint8Array(this.#flash.read(this.#blockLength, (this.#firstBlock + block) * this.#blockLength));
      const view = new DataView(bytes.buffer);
      let end = 0;
      for (let at = 0; at < bytes.length; ) {
        const length = records.lengthOfRecord(bytes, view, at);
        if (length === 0) {
          if (!isErased(bytes, at)) end = at + records.UNIT_BYTES;
          at += records.UNIT_BYTES;
          continue;
        }
        const sequence = view.getUint32(at + 4, true);
        const kind = bytes[at + 2];
        if (kind === records.KIND_STATE && sequence > stateSequence) {
          stateSequence = sequence;
          ({ state: this.#state, consumed } = records.readState(bytes, view, at));
        } else if (kind === records.KIND_STAGE) {
          stages.push({ sequence, staging: records.readStage(bytes, view, at) });
        } else if (kind === records.KIND_PART) {
          parts.push(records.readPart(bytes, view, at));
        } else if (kind === records.KIND_ERASES) {
          erases.push(records.readErases(bytes, view, at));
        }
        at += length;
        end = at;
        if (sequence <= this.#sequence) continue;
        this.#sequence = sequence;
        this.#block = block;
      }
      if (block === this.#block) this.#offset = end;
    }
    this.#erases = newestOf(erases);
    const stage = stages.reduce<(typeof stages)[number] | undefined>((newest, each) => (each.sequence > (newest?.sequence ?? consumed) ? each : newest), undefined);
    if (stage === undefined) return;
    this.#staging = stage.staging;
    this.#stageSequence = stage.sequence;
    for (const part of parts) if (part.stage === stage.sequence) stage.staging.lengths[part.index] = part.length;
  }
}

/** Each once, for a block that was begun anew has copies; and no more than count. */
function newestOf(erases: readonly SpentErases[]): readonly SpentErases[] {
  const once = erases.filter(({ id }, index) => erases.findIndex((other) => other.id === id) === index);
  return once.sort((a, b) => a.id - b.id).slice(-MAX_ERASES_PER_HOUR);
}

function isErased(bytes: Uint8Array, at: number): boolean {
  for (let i = at; i < at + records.UNIT_BYTES; i++) if (bytes[i] !== 0xff) return false;
  return true;
}
