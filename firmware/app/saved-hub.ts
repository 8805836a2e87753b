import storage from 'embedded:storage/key-value';

import type { DpsConfig } from '../agent/provisioning/dps-config.ts';

/** Beside the settings, which provisioning writes whole. */
const DOMAIN = 'latchkey-dps';
const KEY = 'assigned';

/** The hub that was assigned to this registration; `undefined`: none yet, or to another one. */
export function readSavedHub({ scope, registrationId }: Pick<DpsConfig, 'scope' | 'registrationId'>): string | undefined {
  const texts = storage.open({ path: DOMAIN, mode: 'r+', format: 'string' });
  const value = texts.read(KEY);
  texts.close();
  if (typeof value !== 'string') return undefined;
  const [ofScope, ofRegistration, hub] = value.split(' ');
  return ofScope === scope && ofRegistration === registrationId ? hub : undefined;
}

/** In one entry: a power cut leaves the old one or the new one. @throws when the storage is full */
export function saveHub({ scope, registrationId }: DpsConfig, hub: string): void {
  const texts = storage.open({ path: DOMAIN, mode: 'r+', format: 'string' });
  texts.write(KEY, `${scope} ${registrationId} ${hub}`);
  texts.close();
}
