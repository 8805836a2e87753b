import { equalBytes, readPayload, type RootBundle, type TrustedRoot, type UpdateKeys } from './bundle.ts';
import { SLOTS } from './root-flash.ts';
import { MAX_BUNDLE_BYTES } from './root-limits.ts';
import { FACTORY, FINGERPRINT_BYTES, MAX_REVOKED, type RootState, type StoredBundle } from './root-records.ts';
import type { RootVerifier } from './root-verifier.ts';
import type { SlotArea } from './slot-area.ts';

/** The set in the image: version 1, unless the fleet began later. */
export interface FactorySet {
  readonly version: number;
  readonly roots: readonly TrustedRoot[];
  readonly keys: UpdateKeys;
}

/** The sets that a state names. */
export interface RootSets {
  readonly keys: UpdateKeys;
  /** Of the committed bundle; none of an inner link, whose roots are never used. */
  readonly committed: readonly TrustedRoot[];
  /** Of the base, without what was revoked since: what a failed trial leaves. */
  readonly wayBack: readonly TrustedRoot[];
  /** The stored bytes of the committed bundle are not those that were verified: nothing can follow them. */
  readonly isDamaged: boolean;
  readonly expiresMs: number;
}

/** Takes the sets of `state` out of flash. What cannot be read is replaced by the factory's set, and nothing that was ever revoked comes back with it. */
export function loadSets(state: RootState, area: SlotArea, verifier: RootVerifier, factory: FactorySet): RootSets {
  const { committed, base, phase } = state;
  const current = committed.slot === FACTORY ? { ...factory, expiresMs: Infinity } : readSet(committed, area, verifier);
  const isSame = base.slot === committed.slot && current !== undefined;
  const own = current === undefined ? [] : detach(current.roots);
  const baseRoots = isSame ? own : base.slot === FACTORY ? factory.roots : detach(readSet(base, area, verifier)?.roots ?? factory.roots);
  return {
    keys: current?.keys ?? factory.keys,
    committed: phase === 'inner' ? [] : own,
    wayBack: withoutRevoked(baseRoots, state.revoked, verifier),
    isDamaged: current === undefined,
    expiresMs: current?.expiresMs ?? Infinity,
  };
}

/** The bytes of a bundle; `undefined` when flash does not hold them. */
export function readStored({ slot, length, digest }: StoredBundle, area: SlotArea, verifier: RootVerifier): Uint8Array | undefined {
  if (slot >= SLOTS || length === 0 || length > MAX_BUNDLE_BYTES) return undefined;
  const bytes = area.read(slot, length);
  return equalBytes(new Uint8Array(verifier.sha256(bytes)), digest) ? bytes : undefined;
}

function readSet(stored: StoredBundle, area: SlotArea, verifier: RootVerifier): RootBundle | undefined {
  const bytes = readStored(stored, area, verifier);
  return bytes === undefined ? undefined : readPayload(new Uint8Array(verifier.readBundle(bytes)), verifier);
}

/** Each in memory of its own: a view keeps the whole payload of its bundle. What has that already stays as it is. */
export function detach(roots: readonly TrustedRoot[]): readonly TrustedRoot[] {
  return roots.map((root) => (root.der.length === root.der.buffer.byteLength ? root : { ...root, der: root.der.slice() }));
}

/** Roots without those of `revoked`, first bytes of SHA-256. */
export function withoutRevoked(roots: readonly TrustedRoot[], revoked: readonly Uint8Array[], verifier: RootVerifier): readonly TrustedRoot[] {
  if (revoked.length > MAX_REVOKED) return [];
  return revoked.length === 0 ? roots : roots.filter((root) => !includes(revoked, fingerprintOf(root, verifier)));
}

/** First bytes of the SHA-256 of those of `roots` that `revoked` names, each once; SHA-256 or first bytes of it. */
export function revokedOf(roots: readonly TrustedRoot[], revoked: readonly Uint8Array[], verifier: RootVerifier): readonly Uint8Array[] {
  const named = revoked.map((digest) => digest.subarray(0, FINGERPRINT_BYTES));
  const found: Uint8Array[] = [];
  for (const root of named.length === 0 ? [] : roots) {
    const fingerprint = fingerprintOf(root, verifier);
    if (includes(named, fingerprint) && !includes(found, fingerprint)) found.push(fingerprint);
  }
  return found;
}

function fingerprintOf({ der }: TrustedRoot, verifier: RootVerifier): Uint8Array {
  return new Uint8Array(verifier.sha256(der)).slice(0, FINGERPRINT_BYTES);
}

function includes(list: readonly Uint8Array[], bytes: Uint8Array): boolean {
  return list.some((item) => equalBytes(item, bytes));
}
