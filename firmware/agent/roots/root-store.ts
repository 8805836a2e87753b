import { BundleError } from './bundle-error.ts';
import { equalBytes, type RootBundle, type RootPurpose, type TrustedRoot, type UpdateKeys } from './bundle.ts';
import { erasesLeft, type EraseClock } from './erase-budget.ts';
import { BLOCKS_PER_SLOT, LOG_FIRST_BLOCK, type RootFlash } from './root-flash.ts';
import * as limits from './root-limits.ts';
import { RootLog } from './root-log.ts';
import { FACTORY, MAX_REVOKED, type RootPhase, type RootState, type Staging, type StoredBundle } from './root-records.ts';
import { detach, loadSets, readStored, revokedOf, withoutRevoked, type FactorySet, type RootSets } from './root-sets.ts';
import type { RootVerifier } from './root-verifier.ts';
import { SlotArea } from './slot-area.ts';

export type { FactorySet } from './root-sets.ts';

const FACTORY_BUNDLE: StoredBundle = { slot: FACTORY, length: 0, digest: new Uint8Array(limits.SHA256_BYTES) };
/** Erases in an hour for bundles that are verified and that flash does not take: the largest one, and the log. */
const MAX_FAILED_ERASES = BLOCKS_PER_SLOT + 1;

/**
 * The device's roots in flash. Three slots hold bundles as they came: the committed one, the last one that reached the hub, and
 * the next one while it comes. What is decided is one record of the log, so that a power cut at any write leaves the
 * state before or the state after. Version and keys are committed when a bundle is verified, and nothing takes them back; only its roots
 * are on trial. The way back is the base without what was revoked since.
 */
export class RootStore {
  readonly #area: SlotArea;
  readonly #verifier: RootVerifier;
  readonly #factory: FactorySet;
  readonly #clock: EraseClock;
  readonly #log: RootLog;
  #state: RootState;
  #loaded: RootSets | undefined;
  /** Whether the roots in use lie in memory of their own. */
  #isDetached = false;
  /** When flash was erased for verified bundles, since the last one that it took. */
  #verifiedErases: readonly number[] = [];

  /** Reads the log; writes nothing. Bundles are read when they are first asked for: an application starts deep in the stack. */
  constructor(flash: RootFlash, verifier: RootVerifier, factory: FactorySet, clock: EraseClock) {
    this.#area = new SlotArea(flash);
    this.#verifier = verifier;
    this.#factory = factory;
    this.#clock = clock;
    this.#log = new RootLog(flash, LOG_FIRST_BLOCK, clock);
    const { state } = this.#log;
    const first: RootState = { version: factory.version, phase: 'kept', failures: 0, committed: FACTORY_BUNDLE, base: FACTORY_BUNDLE, revoked: [] };
    // A state without a bundle is that of whatever the image brings now.
    this.#state = state === undefined || state.committed.slot === FACTORY ? first : state;
  }

  /** Of the committed bundle, or the factory's. */
  get version(): number {
    return this.#state.version;
  }

  /** Of the bundle that would do something: the one that follows, or the committed one again when flash has lost it. */
  get nextVersion(): number {
    return this.isDamaged ? this.version : this.version + 1;
  }

  get phase(): RootPhase {
    return this.#state.phase;
  }

  get keys(): UpdateKeys {
    return this.#sets.keys;
  }

  /** SHA-256 of the committed bundle; `undefined` for the factory's set. */
  get digest(): Uint8Array | undefined {
    return this.#state.committed.slot === FACTORY ? undefined : this.#state.committed.digest;
  }

  /** Until when the committed bundle may be relied on; Infinity for the factory's set. */
  get expiresMs(): number {
    return this.#sets.expiresMs;
  }

  /** Flash does not hold what was verified: the device takes that bundle again and no other one. */
  get isDamaged(): boolean {
    return this.#sets.isDamaged;
  }

  /** Whether a trial that fails has somewhere to go back to. */
  get hasWayBack(): boolean {
    return reachesHub(this.#sets.wayBack);
  }

  /** Whether a way back would be left once these are revoked; SHA-256 each. */
  keepsWayBack(revoked: readonly Uint8Array[]): boolean {
    return reachesHub(withoutRevoked(this.#sets.wayBack, this.#revokedWith(revoked), this.#verifier));
  }

  /**
   * The trust anchors of now, DER; the same memory at each call. None for an inner link that has revoked all that was trusted: its own roots were
   * never to be used, and whoever holds back the next link may have the key of one of them.
   */
  anchors(purpose: RootPurpose): readonly ArrayBuffer[] {
    this.#detach();
    return this.#roots.filter(({ purposes }) => purposes.includes(purpose)).map(({ der }) => der.buffer as ArrayBuffer);
  }

  /** SHA-256 of every root in use, hex. */
  fingerprints(): readonly string[] {
    return this.#roots.map(({ der }) => toHex(new Uint8Array(this.#verifier.sha256(der))));
  }

  get #roots(): readonly TrustedRoot[] {
    const { committed, wayBack } = this.#sets;
    const { phase } = this.#state;
    const usesCommitted = phase === 'kept' || phase === 'trial' || (phase === 'failed' && !reachesHub(wayBack));
    return usesCommitted && committed.length > 0 ? committed : wayBack;
  }

  // --- parts ---

  get staging(): Staging | undefined {
    return this.#log.staging;
  }

  /** Makes room for a bundle that comes in parts; the parts of another one are forgotten. @throws ERR_BUNDLE_RATE, ERR_BUNDLE_SIZE */
  beginParts(version: number, count: number, digest: Uint8Array): void {
    if (count < 1 || count > limits.MAX_PARTS) throw new BundleError('ERR_BUNDLE_SIZE', `${count} parts; at most ${limits.MAX_PARTS}`);
    const slot = this.#makeRoom(Math.min(count * limits.PART_BYTES, limits.MAX_BUNDLE_BYTES), false);
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
    const isThere = (length ?? bytes.length) === bytes.length && this.#area.holds(bytes, staging.slot, index * limits.PART_BYTES);
    if (length !== undefined) {
      if (isThere) return;
      throw new BundleError('ERR_BUNDLE_PART', `part ${index} came twice, with different bytes`);
    }
    if (!isThere) this.#writePart(staging, index, bytes);
    this.#log.addPart(index, bytes.length);
  }

  /** A power cut in the middle of a part leaves what cannot be written over: all of it is erased, and the other parts come again. */
  #writePart({ slot, version, count, digest }: Staging, index: number, bytes: Uint8Array): void {
    const isErased = this.#area.isErased(slot, index * limits.PART_BYTES, bytes.length);
    if (!isErased) this.beginParts(version, count, digest);
    this.#area.write(bytes, this.#log.staging?.slot ?? slot, index * limits.PART_BYTES);
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
    const bytes = readStored({ slot: staging.slot, length: lengthOf(staging), digest: staging.digest }, this.#area, this.#verifier);
    if (bytes !== undefined) return bytes;
    this.dropParts();
    throw new BundleError('ERR_BUNDLE_PART', 'the parts together are not the bundle that was announced');
  }

  dropParts(): void {
    if (this.#log.staging !== undefined) this.#log.setState(this.#state, true);
  }

  // --- decisions ---

  /**
   * Makes a verified bundle the committed one: version and keys for good, its roots on trial unless a later link follows.
   * What it revokes is gone at once. @throws ERR_BUNDLE_FLASH
   */
  commit(bundle: RootBundle, bytes: Uint8Array, isInner: boolean): void {
    const stored = this.#store(bytes);
    const sets = this.#sets;
    const revoked = this.#revokedWith(bundle.revoked);
    const state: RootState = { version: bundle.version, phase: isInner ? 'inner' : 'trial', failures: 0, committed: stored, base: this.#state.base, revoked };
    this.#log.setState(state, true);
    this.#state = state;
    this.#loaded = {
      keys: bundle.keys, expiresMs: bundle.expiresMs, isDamaged: false, committed: isInner ? [] : bundle.roots, wayBack: withoutRevoked(sets.wayBack, revoked, this.#verifier),
    };
    this.#isDetached = false;
    this.#verifiedErases = [];
  }

  /** The committed bundle once more, for flash has lost it. @returns false when it is another one. @throws ERR_BUNDLE_FLASH */
  repair(bytes: Uint8Array): boolean {
    const { committed, base } = this.#state;
    if (!this.isDamaged || !equalBytes(new Uint8Array(this.#verifier.sha256(bytes)), committed.digest)) return false;
    const stored = this.#store(bytes);
    const state: RootState = { ...this.#state, committed: stored, base: base.slot === committed.slot ? stored : base };
    this.#log.setState(state, true);
    this.#state = state;
    this.#loaded = undefined;
    this.#verifiedErases = [];
    return true;
  }

  /** The roots on trial have reached the hub: they are the base from now on. */
  trialPassed(): void {
    if (this.#state.phase !== 'trial') return;
    const { committed } = this.#sets;
    // What the image holds could still come back, where flash loses the bundles; but for what the owner trusts again.
    const { revoked: earlier } = this.#state;
    // More than flash keeps: then all of the image's.
    const named = earlier.length > MAX_REVOKED ? this.#factory.roots.map(({ der }) => new Uint8Array(this.#verifier.sha256(der))) : earlier;
    const trusted = revokedOf(committed, named, this.#verifier);
    const revoked = revokedOf(this.#factory.roots, named, this.#verifier).filter((digest) => !trusted.some((other) => equalBytes(other, digest)));
    this.#loaded = { ...this.#sets, wayBack: committed };
    this.#settle({ ...this.#state, phase: 'kept', failures: 0, base: this.#state.committed, revoked });
  }

  /** The hub was not reached because of its issuer. After three times the way back is taken, where there is one. */
  trialFailed(): void {
    if (this.#state.phase !== 'trial') return;
    const failures = Math.min(this.#state.failures + 1, limits.TRIAL_FAILURES);
    const isOver = failures === limits.TRIAL_FAILURES && this.hasWayBack;
    if (failures === this.#state.failures && !isOver) return;
    this.#settle({ ...this.#state, phase: isOver ? 'failed' : 'trial', failures });
  }

  /** Hours after a trial failed: once more. */
  trialAgain(): void {
    if (this.#state.phase === 'failed') this.#settle({ ...this.#state, phase: 'trial', failures: 0 });
  }

  /** What is revoked once these are. Only what the base and the image hold counts: it is all that could come back. */
  #revokedWith(revoked: readonly Uint8Array[]): readonly Uint8Array[] {
    return unite(this.#state.revoked, revokedOf([...this.#sets.wayBack, ...this.#factory.roots], revoked, this.#verifier));
  }

  /** What has happened counts until the next start, also where flash does not take it. */
  #settle(state: RootState): void {
    this.#state = state;
    this.#log.setState(state, false);
  }

  // --- flash ---

  get #sets(): RootSets {
    this.#loaded ??= loadSets(this.#state, this.#area, this.#verifier, this.#factory);
    return this.#loaded;
  }

  /** Not in `commit`: the bytes of the bundle are still in memory there. */
  #detach(): void {
    if (this.#isDetached) return;
    this.#isDetached = true;
    const { committed, wayBack, ...rest } = this.#sets;
    const own = detach(committed);
    this.#loaded = { ...rest, committed: own, wayBack: wayBack === committed ? own : detach(wayBack) };
  }

  /** Puts verified bytes where nothing that counts lies, or leaves them where their parts came together. */
  #store(bytes: Uint8Array): StoredBundle {
    const digest = new Uint8Array(this.#verifier.sha256(bytes));
    const slot = this.#slotOf(bytes, digest) ?? this.#makeRoom(bytes.length, true);
    if (!this.#area.holds(bytes, slot)) this.#area.write(bytes, slot);
    if (!this.#area.holds(bytes, slot)) throw new BundleError('ERR_BUNDLE_FLASH', 'flash did not take the bundle');
    return { slot, length: bytes.length, digest };
  }

  /** Where the parts of just this bundle lie whole; compared piece by piece, for a second copy of it would not fit. */
  #slotOf(bytes: Uint8Array, digest: Uint8Array): number | undefined {
    const staging = this.#log.staging;
    if (staging === undefined || !this.isComplete || !equalBytes(staging.digest, digest)) return undefined;
    return lengthOf(staging) === bytes.length && this.#area.holds(bytes, staging.slot) ? staging.slot : undefined;
  }

  /** An erased slot that nobody needs, and room in the log for what follows. @throws ERR_BUNDLE_RATE */
  #makeRoom(byteLength: number, isVerified: boolean): number {
    if (!this.#log.hasRoom) {
      this.#allow(1, isVerified);
      this.#log.turn();
    }
    const { committed, base } = this.#state;
    let slot = 0;
    while (slot === committed.slot || slot === base.slot) slot += 1;
    const used: number[] = [];
    // Here and not deeper: parts come by a desired property on a stack that is nearly full.
    for (let block = 0; block * this.#area.blockLength < byteLength; block++) {
      if (!this.#area.isErased(slot, block * this.#area.blockLength, this.#area.blockLength)) used.push(block);
    }
    this.#allow(used.length, isVerified);
    // Whatever parts lie there are gone with the erase: they are forgotten before it.
    this.dropParts();
    if (used.length > 0) this.#log.noteErases(used.length);
    this.#area.erase(slot, used);
    return slot;
  }

  /** A bundle that its owner has signed is not made to wait by those that somebody offered; it comes once. */
  #allow(erases: number, isVerified: boolean): void {
    if (erases === 0) return;
    const nowMs = this.#clock.nowMs();
    const wallSeconds = this.#clock.wallSeconds();
    const failed = this.#verifiedErases.filter((atMs) => nowMs - atMs < limits.ERASE_PERIOD_MS);
    const left = isVerified ? MAX_FAILED_ERASES - failed.length : erasesLeft(this.#log.erases, nowMs, wallSeconds);
    if (erases > left) throw new BundleError('ERR_BUNDLE_RATE', `flash is erased at most ${limits.MAX_ERASES_PER_HOUR} times an hour: try again later`);
    if (isVerified) this.#verifiedErases = [...failed, ...Array.from({ length: erases }, () => nowMs)];
  }
}

/** A way back without a root for the hub leads nowhere. */
function reachesHub(roots: readonly TrustedRoot[]): boolean {
  return roots.some(({ purposes }) => purposes.includes('hub'));
}

function lengthOf({ count, lengths }: Staging): number {
  return (count - 1) * limits.PART_BYTES + (lengths[count - 1] ?? 0);
}

function unite(first: readonly Uint8Array[], second: readonly Uint8Array[]): readonly Uint8Array[] {
  return [...first, ...second.filter((digest) => !first.some((other) => equalBytes(other, digest)))];
}

function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += (byte < 16 ? '0' : '') + byte.toString(16);
  return text;
}
