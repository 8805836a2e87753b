import { createHash } from 'node:crypto';
import { readPayload, type RootBundle, type RootPurpose } from '../../firmware/agent/roots/bundle.ts';
import { readAnchor } from './anchor.ts';
import { decode, type Envelope } from './envelope.ts';
import { nodeRootVerifier } from './node-verifier.ts';
import { keyOfPoint, splitPoints, type UpdateKey } from './update-key.ts';

/** A root of a bundle, as its owner sees it. */
export interface DraftRoot {
  readonly der: Uint8Array;
  readonly purposes: readonly RootPurpose[];
}

/** What a bundle says; `formatPayload` and `readDraft` are each other's inverse. */
export interface BundleDraft {
  readonly version: number;
  readonly issuedAtMs: number;
  readonly expiresMs: number;
  readonly hubs: readonly string[];
  readonly idScopes: readonly string[];
  /** Device ids; `*` stands for any characters. */
  readonly devices: string;
  readonly roots: readonly DraftRoot[];
  /** SHA-256, hex. */
  readonly revoked: readonly string[];
  readonly keys: readonly UpdateKey[];
  readonly threshold: number;
}

/** The payload's JSON. */
export function formatPayload(draft: BundleDraft): string {
  return JSON.stringify({
    version: draft.version,
    issuedAt: formatTime(draft.issuedAtMs),
    expires: formatTime(draft.expiresMs),
    audience: { hubs: draft.hubs, idScopes: draft.idScopes, devices: draft.devices },
    roots: [
      ...draft.roots.map(({ der, purposes }) => ({ der: Buffer.from(der).toString('base64url'), purposes })),
      ...draft.revoked.map((sha256) => ({ sha256, revoked: true })),
    ],
    keys: draft.keys.map(({ jwk }) => jwk),
    threshold: draft.threshold,
  });
}

/** An envelope that nobody has signed. @throws BundleError for what no device would take */
export function makeDraft(draft: BundleDraft): Envelope {
  const payload = Buffer.from(formatPayload(draft));
  readPayload(new Uint8Array(payload), nodeRootVerifier);
  for (const { der } of draft.roots) readAnchor(der);
  return { payload: payload.toString('base64url'), signatures: [] };
}

/** @throws BundleError */
export function readDraft(envelope: Envelope): BundleDraft {
  return toDraft(readPayload(new Uint8Array(decode(envelope.payload)), nodeRootVerifier));
}

export function fingerprintOf(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex');
}

function toDraft({ audience, keys, revoked, roots, ...rest }: RootBundle): BundleDraft {
  return {
    version: rest.version,
    issuedAtMs: rest.issuedAtMs,
    expiresMs: rest.expiresMs,
    ...audience,
    roots: roots.map(({ der, purposes }) => ({ der: new Uint8Array(der), purposes })),
    revoked: revoked.map((sha256) => Buffer.from(sha256).toString('hex')),
    keys: splitPoints(keys.points).map(keyOfPoint),
    threshold: keys.threshold,
  };
}

function formatTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
