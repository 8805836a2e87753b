import { BundleError } from './bundle-error.ts';
import { equalBytes, readPayload, type RootBundle, type RootPurpose, type TrustedRoot, type UpdateKeys } from './bundle.ts';
import { EraseBudget } from './erase-budget.ts';
import { BLOCKS_PER_SLOT, LOG_FIRST_BLOCK, SLOTS, type RootFlash } from './root-flash.ts';
import * as limits from './root-limits.ts';
import { FACTORY, FINGERPRINT_BYTES, RootLog, type RootPhase, type RootState, type Staging, type StoredBundle } from './root-log.ts';
import type { RootVerifier } from './root-verifier.ts';

/** The set in the image: version 1, unless the fleet began later. */
export interface FactorySet {
  readonly version: number;
  readonly roots: readonly TrustedRoot[];
  readonly keys: UpdateKeys;
}

const UNIT_BYTES = 16;
/** Flash is compared in pieces, so that no second copy of a bundle is needed. */
const PIECE_BYTES = 512;
const FACTORY_BUNDLE: StoredBundle = { slot: FACTORY, length: 0, digest: new Uint8Array(limits.SHA256_BYTES) };

/**
 * The device's roots in flash. Three slots hold bundles as they came: the committed one, the last one that reached the hub, and
 * the next one while it comes. What is decided is one record of the log, so that a power cut at any write leaves the
 * state before or the state after. Version and keys are committed when a bundle is verified, and nothing takes them back; only its roots
 * are on trial. The way back is the base without what was revoked since.
 */
export class RootStore {
  readonly #flash: RootFlash;
  readonly #verifier: RootVerifier;
  readonly #factory: FactorySet;
  readonly #nowMs: () => number;
  readonly #log: RootLog;
  readonly #budget = new EraseBudget();
  #state: RootState;
  #keys: UpdateKeys;
  /** Of the committed bundle. */
  #committedRoots: readonly TrustedRoot[] = [];
  /** Of the base, without what was revoked since: what a failed trial leaves. */
  #wayBack: readonly TrustedRoot[] = [];
  /** The stored bytes of the committed bundle are not those that were verified: nothing can follow them. */
  #isDamaged = false;
  #isLoaded = false;

  /** Reads the log; writes nothing. Bundles are read when they are first asked for: an application starts deep in the stack. @param nowMs a clock that never goes back, for counting erases */
  constructor(flash: RootFlash, verifier: RootVerifier, factory: FactorySet, nowMs: () => number) {
    this.#flash = flash;
    this.#nowMs = nowMs;
    this.#verifier = verifier;
    this.#factory = factory;
    this.#log = new RootLog(flash, LOG_FIRST_BLOCK);
    this.#state = this.#log.state ?? { version: factory.version, phase: 'kept', failures: 0, committed: FACTORY_BUNDLE, base: FACTORY_BUNDLE, revoked: [] };
    this.#keys = factory.keys;
  }

  /** Of the committed bundle, or the factory's. */
  get version(): number {
    return this.#state.version;
  }

  get phase(): RootPhase {
    return this.#state.phase;
  }

  get keys(): UpdateKeys {
    this.#load();
    return this.#keys;
  }

  /** SHA-256 of the committed bundle; `undefined` for the factory's set. */
  get digest(): Uint8Array | undefined {
    return this.#state.committed.slot === FACTORY ? undefined : this.#state.committed.digest;
  }

  /** Flash does not hold what was verified: the device keeps its roots and takes no bundle until it is provisioned again. */
  get isDamaged(): boolean {
    this.#load();
    return this.#isDamaged;
  }

  /** Whether a trial that fails has somewhere to go back to. */
  get hasWayBack(): boolean {
    this.#load();
    return reachesHub(this.#wayBack);
  }

  /** Whether a way back would be left once these are revoked; SHA-256 each. */
  keepsWayBack(revoked: readonly Uint8Array[]): boolean {
    this.#load();
    return reachesHub(this.#without(revoked));
  }

  /**
   * The trust anchors of now, DER. None for an inner link that has revoked all that was trusted: its own roots were never to be used, and
   * whoever holds back the next link may have the key of one of them.
   */
  anchors(purpose: RootPurpose): readonly ArrayBuffer[] {
    return this.#roots.filter(({ purposes }) => purposes.includes(purpose)).map(({ der }) => der.slice().buffer);
  }

  /** SHA-256 of every root in use, hex. */
  fingerprints(): readonly string[] {
    return this.#roots.map(({ der }) => toHex(new Uint8Array(this.#verifier.sha256(der))));
  }

  get #roots(): readonly TrustedRoot[] {
    this.#load();
    const { phase } = this.#state;
    const usesCommitted = phase === 'kept' || phase === 'trial' || (phase === 'failed' && !reachesHub(this.#wayBack));
    return usesCommitted && this.#committedRoots.length > 0 ? this.#committedRoots : this.#wayBack;
  }

  // --- parts ---

  get staging(): Staging | undefined {
    return this.#log.staging;
  }

  /** Makes room for a bundle that comes in parts; the parts of another one are forgotten. @throws ERR_BUNDLE_RATE, ERR_BUNDLE_SIZE */
  beginParts(version: number, count: number, digest: Uint8Array): void {
    if (count < 1 || count > limits.MAX_PARTS) throw new BundleError('ERR_BUNDLE_SIZE', `${count} parts; at most ${limits.MAX_PARTS}`);
    const slot = this.#makeRoom(Math.min(count * limits.PART_BYTES, limits.MAX_BUNDLE_BYTES));
    this.#log.beginStaging({ slot, version, count, digest });
  }

  /**
   * One part of the bundle that is coming, decoded; doing it twice with the same bytes is nothing.
   * @throws ERR_BUNDLE_PART, ERR_BUNDLE_RATE
   */
  addPart(index: number, bytes: Uint8Array): void {
    const staging = this.#log.staging;
    if (staging === undefined || index < 0 || index >= staging.count) throw new BundleError('ERR_BUNDLE_PART', `no part ${index} is expected`);
    const isLast = index === staging.count - 1;
    const isRightSize = isLast ? bytes.length > 0 && bytes.length <= limits.PART_BYTES : bytes.length === limits.PART_BYTES;
    if (!isRightSize || index * limits.PART_BYTES + bytes.length > limits.MAX_BUNDLE_BYTES) {
      throw new BundleError('ERR_BUNDLE_PART', `part ${index} has ${bytes.length} bytes; all but the last have ${limits.PART_BYTES}`);
    }
    const length = staging.lengths[index];
    const isThere = (length ?? bytes.length) === bytes.length && this.#holds(bytes, partOffset(staging, index, this.#blockLength));
    if (length !== undefined) {
      if (isThere) return;
      throw new BundleError('ERR_BUNDLE_PART', `part ${index} came twice, with different bytes`);
    }
    if (!isThere) this.#writePart(staging, index, bytes);
    this.#log.addPart(index, bytes.length);
  }

  /** A power cut in the middle of a part leaves what cannot be written over: all of it is erased, and the other parts come again. */
  #writePart(staging: Staging, index: number, bytes: Uint8Array): void {
    const { version, count, digest } = staging;
    let offset = partOffset(staging, index, this.#blockLength);
    if (!this.#isErased(offset, wholeUnits(bytes.length))) {
      this.beginParts(version, count, digest);
      offset = partOffset(this.#log.staging ?? staging, index, this.#blockLength);
    }
    this.#writeOver(bytes, offset);
  }

  /** Every part is there. */
  get isComplete(): boolean {
    const staging = this.#log.staging;
    if (staging === undefined) return false;
    for (let index = 0; index < staging.count; index++) if (staging.lengths[index] === undefined) return false;
    return true;
  }

  /** The bundle, once every part is there. @throws ERR_BUNDLE_PART when it is not the announced one; its parts are forgotten then */
  takeParts(): Uint8Array | undefined {
    const staging = this.#log.staging;
    if (staging === undefined || !this.isComplete) return undefined;
    const bytes = this.#read({ slot: staging.slot, length: lengthOf(staging), digest: staging.digest });
    if (bytes !== undefined) return bytes;
    this.dropParts();
    throw new BundleError('ERR_BUNDLE_PART', 'the parts together are not the bundle that was announced');
  }

  dropParts(): void {
    if (this.#log.staging !== undefined) this.#write(this.#state, true);
  }

  // --- decisions ---

  /**
   * Makes a verified bundle the committed one: version and keys for good, its roots on trial unless a later link follows.
   * What it revokes is gone at once. @throws ERR_BUNDLE_RATE
   */
  commit(bundle: RootBundle, bytes: Uint8Array, isInner: boolean): void {
    const digest = new Uint8Array(this.#verifier.sha256(bytes));
    const stored: StoredBundle = { slot: this.#slotOf(bytes, digest) ?? this.#writeBundle(bytes), length: bytes.length, digest };
    if (!this.#holds(bytes, offsetOf(stored.slot, this.#blockLength))) throw new BundleError('ERR_BUNDLE_PART', 'flash did not take the bundle');
    this.#load();
    // Only what the base holds counts: it is all that could come back.
    const wayBack = this.#without(bundle.revoked);
    const revoked = [...this.#state.revoked, ...this.#wayBack.filter((root) => !wayBack.includes(root)).map((root) => this.#fingerprintOf(root))];
    this.#decide({ version: bundle.version, phase: isInner ? 'inner' : 'trial', failures: 0, committed: stored, base: this.#state.base, revoked }, true);
    this.#keys = bundle.keys;
    this.#committedRoots = bundle.roots;
    this.#wayBack = wayBack;
  }

  /** The roots on trial have reached the hub: they are the base from now on. */
  trialPassed(): void {
    if (this.#state.phase !== 'trial') return;
    this.#load();
    this.#decide({ ...this.#state, phase: 'kept', failures: 0, base: this.#state.committed, revoked: [] }, false);
    this.#wayBack = this.#committedRoots;
  }

  /** The hub was not reached because of its issuer. After three times the way back is taken, where there is one. */
  trialFailed(): void {
    if (this.#state.phase !== 'trial') return;
    const failures = Math.min(this.#state.failures + 1, limits.TRIAL_FAILURES);
    const isOver = failures === limits.TRIAL_FAILURES && this.hasWayBack;
    if (failures === this.#state.failures && !isOver) return;
    this.#decide({ ...this.#state, phase: isOver ? 'failed' : 'trial', failures }, false);
  }

  /** Hours after a trial failed: once more. */
  trialAgain(): void {
    if (this.#state.phase === 'failed') this.#decide({ ...this.#state, phase: 'trial', failures: 0 }, false);
  }

  #decide(state: RootState, endsStaging: boolean): void {
    this.#write(state, endsStaging);
    this.#state = state;
  }

  /** A decision is never refused for an erase, and the erase counts. */
  #write(state: RootState, endsStaging: boolean): void {
    if (this.#log.isFull) this.#budget.spend(this.#nowMs());
    this.#log.setState(state, endsStaging);
  }

  // --- flash ---

  get #blockLength(): number {
    return this.#flash.status().blockLength;
  }

  /** Takes the sets of the state out of flash. */
  #load(): void {
    if (this.#isLoaded) return;
    this.#isLoaded = true;
    const { committed, base, revoked } = this.#state;
    const current = committed.slot === FACTORY ? this.#factory : this.#bundleOf(committed);
    this.#isDamaged = current === undefined;
    this.#keys = current?.keys ?? this.#factory.keys;
    this.#committedRoots = current?.roots ?? [];
    const isSame = base.slot === committed.slot && current !== undefined;
    const baseRoots = isSame ? this.#committedRoots : this.#rootsOf(base);
    this.#wayBack = baseRoots.filter((root) => !includes(revoked, this.#fingerprintOf(root)));
  }

  #rootsOf(stored: StoredBundle): readonly TrustedRoot[] {
    if (stored.slot === FACTORY) return this.#factory.roots;
    return this.#bundleOf(stored)?.roots ?? this.#factory.roots;
  }

  #bundleOf(stored: StoredBundle): RootBundle | undefined {
    const bytes = this.#read(stored);
    return bytes === undefined ? undefined : readPayload(new Uint8Array(this.#verifier.readBundle(bytes)), this.#verifier);
  }

  /** `undefined` when flash does not hold these bytes. */
  #read({ slot, length, digest }: StoredBundle): Uint8Array | undefined {
    if (slot >= SLOTS || length === 0 || length > limits.MAX_BUNDLE_BYTES) return undefined;
    const bytes = new Uint8Array(this.#flash.read(length, offsetOf(slot, this.#blockLength)));
    return equalBytes(new Uint8Array(this.#verifier.sha256(bytes)), digest) ? bytes : undefined;
  }

  /** Where the parts of just this bundle lie whole; compared piece by piece, for a second copy of it would not fit. */
  #slotOf(bytes: Uint8Array, digest: Uint8Array): number | undefined {
    const staging = this.#log.staging;
    if (staging === undefined || !this.isComplete || !equalBytes(staging.digest, digest)) return undefined;
    return lengthOf(staging) === bytes.length && this.#holds(bytes, offsetOf(staging.slot, this.#blockLength)) ? staging.slot : undefined;
  }

  #writeBundle(bytes: Uint8Array): number {
    const slot = this.#makeRoom(bytes.length);
    this.#writeOver(bytes, offsetOf(slot, this.#blockLength));
    return slot;
  }

  /** An erased slot that nobody needs, and room in the log for what follows. @throws ERR_BUNDLE_RATE */
  #makeRoom(byteLength: number): number {
    if (!this.#log.hasRoom) {
      this.#spend(1);
      this.#log.turn();
    }
    const { committed, base } = this.#state;
    let slot = 0;
    while (slot === committed.slot || slot === base.slot) slot += 1;
    const first = slot * BLOCKS_PER_SLOT;
    const used: number[] = [];
    for (let block = first; (block - first) * this.#blockLength < byteLength; block++) if (!this.#isErased(block * this.#blockLength, this.#blockLength)) used.push(block);
    this.#spend(used.length);
    // Whatever parts lie there are gone with the erase: they are forgotten before it.
    this.dropParts();
    for (const block of used) this.#flash.eraseBlock(block);
    return slot;
  }

  #spend(erases: number): void {
    const nowMs = this.#nowMs();
    if (erases > this.#budget.left(nowMs)) throw new BundleError('ERR_BUNDLE_RATE', `flash is erased at most ${limits.MAX_ERASES_PER_HOUR} times an hour: try again later`);
    for (let i = 0; i < erases; i++) this.#budget.spend(nowMs);
  }

  #isErased(offset: number, byteLength: number): boolean {
    for (let at = 0; at < byteLength; at += PIECE_BYTES) {
      const bytes = new Uint8Array(this.#flash.read(Math.min(PIECE_BYTES, byteLength - at), offset + at));
      for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0xff) return false;
    }
    return true;
  }

  #holds(bytes: Uint8Array, offset: number): boolean {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      const piece = bytes.subarray(at, at + PIECE_BYTES);
      if (!equalBytes(new Uint8Array(this.#flash.read(piece.length, offset + at)), piece)) return false;
    }
    return true;
  }

  /** Whole units; what follows the last byte is left as erased flash reads. */
  #writeOver(bytes: Uint8Array, offset: number): void {
    const whole = bytes.length - (bytes.length % UNIT_BYTES);
    if (whole > 0) this.#flash.write(bytes.subarray(0, whole), offset);
    if (whole === bytes.length) return;
    const rest = new Uint8Array(UNIT_BYTES).fill(0xff);
    rest.set(bytes.subarray(whole));
    this.#flash.write(rest, offset + whole);
  }

  /** The way back without what was revoked. */
  #without(revoked: readonly Uint8Array[]): readonly TrustedRoot[] {
    const gone = revoked.map((sha256) => sha256.subarray(0, FINGERPRINT_BYTES));
    return this.#wayBack.filter((root) => !includes(gone, this.#fingerprintOf(root)));
  }

  #fingerprintOf({ der }: TrustedRoot): Uint8Array {
    return new Uint8Array(this.#verifier.sha256(der)).slice(0, FINGERPRINT_BYTES);
  }
}

/** A way back without a root for the hub leads nowhere. */
function reachesHub(roots: readonly TrustedRoot[]): boolean {
  return roots.some(({ purposes }) => purposes.includes('hub'));
}

function offsetOf(slot: number, blockLength: number): number {
  return slot * BLOCKS_PER_SLOT * blockLength;
}

function partOffset({ slot }: Staging, index: number, blockLength: number): number {
  return offsetOf(slot, blockLength) + index * limits.PART_BYTES;
}

function wholeUnits(byteLength: number): number {
  return Math.ceil(byteLength / UNIT_BYTES) * UNIT_BYTES;
}

function lengthOf({ count, lengths }: Staging): number {
  return (count - 1) * limits.PART_BYTES + (lengths[count - 1] ?? 0);
}

function includes(list: readonly Uint8Array[], bytes: Uint8Array): boolean {
  return list.some((item) => equalBytes(item, bytes));
}

function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += (byte < 16 ? '0' : '') + byte.toString(16);
  return text;
}
