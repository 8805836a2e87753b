import { addSignature, fileSigner, type BundleSigner } from '../roots/bundle-signer.ts';
import { formatEnvelope } from '../roots/envelope.ts';
import { makeDraft } from '../roots/bundle-draft.ts';
import { generateUpdateKey, parsePrivateKey, pointsOf } from '../roots/update-key.ts';
import type { UpdateSetup } from './device-folder.ts';
import { HUB_NAME, SERVER_NAMES } from './hub-side.ts';
import { openLocalPki, type LocalPki } from './local-pki.ts';

const DAY_MS = 24 * 3600 * 1000;
const YEAR_MS = 365 * DAY_MS;
const KEY_COUNT = 3;
const THRESHOLD = 2;
/** Recovery begins after minutes in the field; here nobody wants to wait so long. */
const RECOVERY = { failures: 3, overMs: 5000, pauseMs: 5000 } as const;

/** Where devices ask for bundles on their own, and where the owner put a wrong one. RFC 2606 keeps `.test`. */
export const BUNDLE_HOST = 'roots.latchkey-sim.test';
export const MISTAKE_HOST = 'mistake.latchkey-sim.test';

/** The owner of a fleet: its keys, the chain that the hub moves to, and the bundles. */
export interface MigrationOwner {
  /** What the hub shows after the move. */
  readonly moved: LocalPki;
  /** For a device's settings. */
  readonly updates: UpdateSetup;
  /** Version 2 for everybody: the root of today and the one of tomorrow. */
  readonly bundle: Uint8Array;
  /** Version 2 with a root that the hub never has. */
  readonly mistake: Uint8Array;
  /** Version 3: version 2 once more, for whoever took the wrong one. */
  readonly next: Uint8Array;
}

/** Makes keys and bundles. @param nowMs the time at which certificates and bundles must hold */
export async function openMigrationOwner(today: LocalPki, nowMs: number): Promise<MigrationOwner> {
  const moved = await openLocalPki(SERVER_NAMES, nowMs, 'virtual-moved');
  const stranger = await openLocalPki(SERVER_NAMES, nowMs, 'virtual-stranger');
  const signers = Array.from({ length: KEY_COUNT }, () => fileSigner(parsePrivateKey(generateUpdateKey(undefined).privatePem, undefined, 'the key of the simulation')));
  const keys = signers.map(({ publicKey }) => publicKey);
  const make = async (version: number, roots: readonly Uint8Array[]): Promise<Uint8Array> => {
    const draft = makeDraft({
      version,
      issuedAtMs: nowMs - DAY_MS,
      expiresMs: nowMs + YEAR_MS,
      hubs: [HUB_NAME],
      idScopes: [],
      devices: 'sim-*',
      roots: roots.map((der) => ({ der, purposes: ['hub'] })),
      revoked: [],
      keys,
      threshold: THRESHOLD,
    });
    return Buffer.from(formatEnvelope(await signAll(draft, signers.slice(0, THRESHOLD))));
  };
  const both = [today.rootDer, moved.rootDer];
  return {
    moved,
    updates: { keys: pointsOf(keys), threshold: THRESHOLD, recoveryHosts: [BUNDLE_HOST], recovery: RECOVERY },
    bundle: await make(2, both),
    mistake: await make(2, [stranger.rootDer]),
    next: await make(3, both),
  };
}

async function signAll(draft: Parameters<typeof addSignature>[0], signers: readonly BundleSigner[]): ReturnType<typeof addSignature> {
  let envelope = draft;
  for (const signer of signers) envelope = await addSignature(envelope, signer);
  return envelope;
}
