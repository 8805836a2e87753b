import type { UpdateSetup } from '../simulation/device-folder.ts';
import { readDraft } from './bundle-draft.ts';
import { explained, readEnvelopeFile } from './bundle-files.ts';
import { pointsOf } from './update-key.ts';

/** What a device begins with: the roots and keys of a bundle, most often version 1. */
export interface FirstSet {
  /** Trust anchors for the hub, DER. */
  readonly roots: readonly Uint8Array[];
  readonly updates: UpdateSetup;
}

/**
 * The set of a bundle for a device that is provisioned with it; no signature is asked for, since the file comes from its owner.
 * @param recoveryHosts `host` or `host:port` of servers of bundles
 * @throws ERR_FILE, ERR_BUNDLE
 */
export function readFirstSet(file: string, recoveryHosts: readonly string[] = []): FirstSet {
  const { roots, keys, threshold, version } = explained(file, () => readDraft(readEnvelopeFile(file)));
  return {
    roots: roots.filter(({ purposes }) => purposes.includes('hub')).map(({ der }) => der),
    updates: { keys: pointsOf(keys), threshold, version, recoveryHosts },
  };
}
