import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { createDevelopmentPki } from '../../certs/development-pki.ts';
import { checkBundle } from '../../firmware/agent/roots/check-bundle.ts';
import type { RootBundle } from '../../firmware/agent/roots/bundle.ts';
import { PART_BYTES } from '../../firmware/agent/roots/root-limits.ts';
import type { RootVerifier } from '../../firmware/agent/roots/root-verifier.ts';
import type { RootFlash } from '../../firmware/agent/roots/root-flash.ts';
import { RootStore, type FactorySet } from '../../firmware/agent/roots/root-store.ts';
import { projectPath } from '../../host-sim/board/project-path.ts';
import { nodeRootVerifier } from '../../host-sim/roots/node-verifier.ts';
import { NorFlash } from './nor-flash.ts';
import { BUNDLE_HUB, makeBundle, makeUpdateKey, pointsOf, revoked, trusted, type BundleMembers, type UpdateKey } from './root-bundles.ts';

/** As the board's partition: 64 KB in blocks of 4 KB. */
export const PARTITION_BLOCKS = 16;
export const BLOCK_BYTES = 4096;
export const NOW_MS = Date.UTC(2026, 10, 22);

/** Signatures that were good once are not looked at again: a test of power cuts asks a thousand times about one bundle. */
function remembering(verifier: RootVerifier): RootVerifier {
  const good = new Set<string>();
  const once = (parts: readonly (ArrayBuffer | Uint8Array | number)[], look: () => void): void => {
    const hash = createHash('sha256');
    for (const part of parts) hash.update(typeof part === 'number' ? String(part) : new Uint8Array(part));
    const key = hash.digest('hex');
    if (!good.has(key)) look();
    good.add(key);
  };
  const certificates = new Map<string, ReturnType<RootVerifier['readCertificate']>>();
  return {
    ...verifier,
    readCertificate(der) {
      const key = Buffer.from(der).toString('latin1');
      const read = certificates.get(key) ?? verifier.readCertificate(der);
      certificates.set(key, read);
      return read;
    },
    openBundle(bundle, keys, threshold) {
      once([bundle, keys, threshold], () => void verifier.openBundle(bundle, keys, threshold));
      return verifier.readBundle(bundle);
    },
    confirmBundle(bundle, newKeys, threshold, oldKeys) {
      once([bundle, newKeys, threshold, oldKeys], () => verifier.confirmBundle(bundle, newKeys, threshold, oldKeys));
    },
  };
}

const verifier = remembering(nodeRootVerifier);

/** Public roots and one of ours, three update keys of which two must sign, and a device that holds the factory's set. */
export class RootFixture {
  readonly keys: readonly UpdateKey[];
  readonly oldRoot: Uint8Array;
  readonly newRoot: Uint8Array;
  readonly otherRoot: Uint8Array;
  readonly factory: FactorySet;

  private constructor(keys: readonly UpdateKey[], oldRoot: Uint8Array) {
    this.keys = keys;
    this.oldRoot = oldRoot;
    this.newRoot = readFileSync(projectPath('certs/microsoft-rsa-root-2017.der'));
    this.otherRoot = readFileSync(projectPath('certs/digicert-global-root-g2.der'));
    this.factory = {
      version: 1,
      roots: [{ der: new Uint8Array(oldRoot), purposes: ['hub', 'dps', 'storage', 'custom'] }],
      keys: { points: new Uint8Array(pointsOf(keys.slice(0, 3))), threshold: 2 },
    };
  }

  /** @param oldRoot the factory's one; a new one when not given */
  static async create(oldRoot?: Uint8Array): Promise<RootFixture> {
    const dates = { notBefore: new Date('2026-01-01T00:00:00Z'), notAfter: new Date('2036-01-01T00:00:00Z') };
    const root = oldRoot ?? (await createDevelopmentPki({ names: ['localhost'], ...dates })).root.certificateDer;
    return new RootFixture(await Promise.all(Array.from({ length: 6 }, makeUpdateKey)), root);
  }

  /** Version 2 with both public roots, signed by the first two keys. */
  bundle(members: Partial<BundleMembers> = {}, signers: readonly UpdateKey[] = this.keys.slice(0, 2)): Promise<Uint8Array> {
    return makeBundle({ version: 2, roots: [trusted(this.newRoot), trusted(this.otherRoot)], keys: this.keys.slice(0, 3), threshold: 2, ...members }, signers);
  }

  revokedOld(): object {
    return revoked(createHash('sha256').update(this.oldRoot).digest());
  }

  flash(): NorFlash {
    return new NorFlash(PARTITION_BLOCKS, BLOCK_BYTES);
  }

  /** @param wallSeconds of a trusted clock; 0: there is none */
  open(flash: RootFlash, nowMs: () => number = () => 0, factory: FactorySet = this.factory, wallSeconds: () => number = () => 0): RootStore {
    return new RootStore(flash, verifier, factory, { nowMs, wallSeconds });
  }

  /** What the device decides. @throws BundleError */
  check(store: RootStore, bundle: Uint8Array, options: { readonly nowMs?: number | undefined; readonly isInner?: boolean } = {}): RootBundle | undefined {
    return checkBundle(bundle, {
      verifier,
      keys: store.keys,
      version: store.version,
      digest: store.digest,
      hub: BUNDLE_HUB,
      idScope: undefined,
      deviceId: 'dev1',
      nowMs: 'nowMs' in options ? options.nowMs : NOW_MS,
      isInner: options.isInner ?? false,
    });
  }

  /** Brings `bundle` in as its parts, goes on where an earlier try ended, and commits it. */
  updateByParts(store: RootStore, bundle: Uint8Array, version = 2): void {
    const digest = createHash('sha256').update(bundle).digest();
    if (store.digest !== undefined && digest.equals(store.digest)) return;
    const count = Math.ceil(bundle.length / PART_BYTES);
    if (store.staging === undefined || !digest.equals(store.staging.digest)) store.beginParts(version, count, digest);
    // A part that a power cut tore makes the store begin anew: then the others come again.
    for (let missing = true; missing; ) {
      missing = false;
      for (let index = 0; index < count; index++) {
        if (store.staging?.lengths[index] !== undefined) continue;
        store.addPart(index, bundle.subarray(index * PART_BYTES, (index + 1) * PART_BYTES));
        missing = true;
      }
    }
    const bytes = store.takeParts();
    if (bytes === undefined) throw new Error('a part is missing');
    const read = this.check(store, bytes);
    if (read !== undefined) store.commit(read, bytes, false);
  }
}
