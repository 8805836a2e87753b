import { Policies } from './access/policies.ts';
import { HubError } from './hub-error.ts';
import { Registry } from './registry/registry.ts';
import type { StateFile } from './state/state-file.ts';

/** A registry as it was kept, or a new one. @throws ERR_STATE_FILE */
export function openRegistry(state: StateFile | undefined, now: () => number): Registry {
  if (state === undefined) return new Registry({ now });
  return restoring(state, () => new Registry({ now, records: state.recordsOf('identity'), policies: new Policies(state.recordsOf('policy')) }));
}

/** Says of which file a record is that its store does not know. @throws ERR_STATE_FILE */
export function restoring<T>(state: StateFile | undefined, restore: () => T): T {
  try {
    return restore();
  } catch (cause) {
    if (state === undefined || (cause instanceof HubError && cause.code !== 'ERR_KEY')) throw cause;
    throw new HubError('ERR_STATE_FILE', `${state.path} holds a record that this hub does not understand: ${(cause as Error).message}`, 'use the version of Latchkey that wrote the file, or move the file away to start with an empty hub', { cause });
  }
}
