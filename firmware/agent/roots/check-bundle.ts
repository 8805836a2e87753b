import { BundleError } from './bundle-error.ts';
import { equalBytes, readPayload, type Audience, type RootBundle, type UpdateKeys } from './bundle.ts';
import { matchesPattern } from './device-pattern.ts';
import type { RootVerifier } from './root-verifier.ts';

/** What the device holds when a bundle comes. */
export interface BundleContext {
  readonly verifier: RootVerifier;
  /** Of the stored set: they must have signed. */
  readonly keys: UpdateKeys;
  readonly version: number;
  /** Of the stored bundle; `undefined` while the factory's set is the stored one. */
  readonly digest: Uint8Array | undefined;
  readonly hub: string;
  readonly idScope: string | undefined;
  readonly deviceId: string;
  /** Milliseconds since 1970; `undefined` while no clock is trusted: then nothing is refused for its date. */
  readonly nowMs: number | undefined;
  /** Another link follows: only the last one must not have expired. */
  readonly isInner: boolean;
}

/**
 * Decides whether `bundle` may become the stored set, in the order of The Update Framework 5.3: size and form, a threshold of the stored
 * keys, only then the payload, a threshold of the new keys over the same bytes, version, audience, dates, roots.
 * @returns `undefined` for the bundle that is stored already
 * @throws BundleError, or an Error of the verifier with such a code
 */
export function checkBundle(bundle: Uint8Array, context: BundleContext): RootBundle | undefined {
  const { verifier, keys } = context;
  if (context.digest !== undefined && equalBytes(new Uint8Array(verifier.sha256(bundle)), context.digest)) return undefined;
  const read = readPayload(new Uint8Array(verifier.openBundle(bundle, keys.points, keys.threshold)), verifier);
  verifier.confirmBundle(bundle, read.keys.points, read.keys.threshold, keys.points);
  checkVersion(read.version, context);
  checkAudience(read.audience, context);
  if (!context.isInner && context.nowMs !== undefined && context.nowMs >= read.expiresMs) {
    throw new BundleError('ERR_BUNDLE_EXPIRED', `version ${read.version} expired at ${new Date(read.expiresMs).toISOString()}`);
  }
  checkRoots(read, context);
  return read;
}

function checkVersion(version: number, { version: stored }: BundleContext): void {
  if (version === stored + 1) return;
  if (version > stored) throw new BundleError('ERR_BUNDLE_VERSION', `version ${version} does not follow ${stored}: send ${stored + 1} first`);
  if (version < stored) throw new BundleError('ERR_BUNDLE_REPLAY', `version ${version} is older than ${stored}`);
  throw new BundleError('ERR_BUNDLE_CONFLICT', `another version ${version} is stored`);
}

function checkAudience({ hubs, idScopes, devices }: Audience, { hub, idScope, deviceId }: BundleContext): void {
  const isForService = hubs.includes(hub.toLowerCase()) || (idScope !== undefined && idScopes.includes(idScope));
  if (isForService && matchesPattern(devices, deviceId)) return;
  throw new BundleError('ERR_BUNDLE_AUDIENCE', 'the bundle is for other hubs or devices');
}

/** The last link's roots must be of use today; those of an inner one are never used. */
function checkRoots({ roots, revoked }: RootBundle, { verifier, nowMs, isInner }: BundleContext): void {
  const dated = isInner ? undefined : nowMs;
  const digests: Uint8Array[] = [];
  let hasHub = false;
  let hasBegun = false;
  for (const { der, purposes } of roots) {
    const { sha256, notBeforeSeconds, notAfterSeconds } = verifier.readCertificate(der);
    const digest = new Uint8Array(sha256);
    if (digests.some((other) => equalBytes(other, digest))) throw new BundleError('ERR_BUNDLE_ROOTS', 'a root stands there twice');
    if (revoked.some((other) => equalBytes(other, digest))) throw new BundleError('ERR_BUNDLE_ROOTS', 'a root is trusted and revoked');
    if (dated !== undefined && notAfterSeconds * 1000 <= dated) throw new BundleError('ERR_BUNDLE_ROOTS', 'a root has ended');
    digests.push(digest);
    const isForHub = purposes.includes('hub');
    hasHub ||= isForHub;
    hasBegun ||= isForHub && (dated === undefined || notBeforeSeconds * 1000 <= dated);
  }
  // The agent could never reach its hub with it…
  if (!hasHub) throw new BundleError('ERR_BUNDLE_ROOTS', 'no root is for the hub');
  // …or not today; and a wrong date ends no trial.
  if (!hasBegun) throw new BundleError('ERR_BUNDLE_ROOTS', 'no root for the hub has begun yet');
}
