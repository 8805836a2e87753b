import { HubError } from '../hub-error.ts';
import { formatClientId, type Identity } from '../identity.ts';
import { parseIdentityRecord } from '../registry/registered-identity.ts';
import { firstEtag, GenerationIds } from '../registry/versions.ts';

/** Whether the text is a state file as this hub wrote it first: one JSON object of registry and policies. */
export function isVersion1(text: string): boolean {
  return /^\s*\{\s*"version":\s*1\b/.test(text);
}

/** @returns the records of a state file of version 1. @throws ERR_STATE_FILE; the message holds no key */
export function migrateVersion1(text: string, path: string, nowMs: number): ReadonlyMap<string, unknown> {
  const records = new Map<string, unknown>();
  const generations = new GenerationIds();
  try {
    const { identities, policies } = JSON.parse(text) as { readonly identities: readonly Version1Identity[]; readonly policies: readonly Version1Policy[] };
    for (const { name, permissions, primaryKey, secondaryKey } of policies) records.set(`policy/${name}`, { permissions, primaryKey, secondaryKey });
    for (const { status, ...identity } of identities) {
      const generationId = generations.next(nowMs);
      const record = { ...identity, enabled: status !== 'disabled', authentication: { type: 'sas' }, generationId, etag: firstEtag(generationId) };
      records.set(`identity/${formatClientId(parseIdentityRecord(record))}`, record);
    }
  } catch {
    // The parser's message would quote the text, which holds keys.
    throw new HubError('ERR_STATE_FILE', `${path} is a broken state file of version 1`, 'move the file away to start with an empty hub, or restore a copy of it');
  }
  return records;
}

interface Version1Identity extends Identity {
  readonly status: 'enabled' | 'disabled';
  readonly primaryKey: string;
  readonly secondaryKey: string;
}

interface Version1Policy {
  readonly name: string;
  readonly permissions: readonly string[];
  readonly primaryKey: string;
  readonly secondaryKey: string;
}
