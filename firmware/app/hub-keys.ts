import type { AgentConfig } from '../agent/config.ts';
import { hubKeyLabel } from '../agent/hub-key.ts';

/** Slots below are the key store's; the key derived from slot n goes into slot 8 + n (firmware/native/signer.h). */
const DERIVED_SLOTS_FROM = 8;

/**
 * Where a slot holds a secret instead of a hub key, derives hub key n from it and signs with that: a new n is a new key, and the eFuse
 * block stays as it is.
 * @param numbers n of slot 0, 1, …; `undefined`: the slot's key is the hub key
 * @param derive the signer's
 */
export function useHubKeys(config: AgentConfig, numbers: readonly (number | undefined)[], derive: (from: number, label: string, into: number) => void): AgentConfig {
  const { credential, identity, dps } = config;
  // Where the hub is assigned, its key is the enrolment's.
  if (credential.type !== 'key' || dps !== undefined) return config;
  const slots = credential.slots.map((slot) => {
    const number = numbers[slot];
    if (number === undefined) return slot;
    const into = DERIVED_SLOTS_FROM + slot;
    derive(slot, hubKeyLabel(identity.hub, identity.deviceId, number), into);
    return into;
  });
  return { ...config, credential: { ...credential, slots } };
}
