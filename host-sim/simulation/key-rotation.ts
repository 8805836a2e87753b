import { generateKeyPair, type KeyPair } from '../hub/access/symmetric-key.ts';
import type { HubEvent } from '../hub/events.ts';
import type { Hub } from '../hub/hub.ts';
import { DEFAULT_RUN_MS } from './options.ts';
import type { Plan } from './scenarios.ts';

/** Parts of the run at which things happen: between two of them every device renews its token at least once, if tokens live a sixth of the run. */
const AT = { primaryReplaced: 0.2, secondaryReplaced: 0.5, counted: 0.9 } as const;

const NAME = 'key-rotation';

/** What a device has in its signer: the keys of today, and the primary key to come. */
export interface RotationKeys {
  readonly today: KeyPair;
  readonly nextPrimary: Uint8Array;
}

/** In the order in which the agent tries them. */
export function slotsOf({ today, nextPrimary }: RotationKeys): readonly Uint8Array[] {
  return [today.primary, today.secondary, nextPrimary];
}

/**
 * The service replaces one key after the other while devices are connected: the primary by one that they have already (as boards that derive
 * their hub keys do), then, when they live by the secondary, that one too.
 * @returns a function that takes what is left off the clock
 */
export function planKeyRotation(hub: Hub, keys: ReadonlyMap<string, RotationKeys>, { clock, durationMs = DEFAULT_RUN_MS, tell }: Plan): () => void {
  const used = new Map<string, 'primary' | 'secondary'>();
  const stopWatching = hub.onEvent((event: HubEvent) => {
    if (event.event === 'connected' && keys.has(event.deviceId)) used.set(event.deviceId, event.key);
  });
  const livesBy = (key: 'primary' | 'secondary'): string => `${[...used.values()].filter((each) => each === key).length} of ${keys.size} devices`;
  const say = (event: 'began' | 'step' | 'ended', text: string): void => tell({ source: 'scenario', body: { event, name: NAME, text } });
  const at = (part: number, action: () => void): (() => void) => clock.setTimer(part * durationMs, action);
  const cancels = [
    at(AT.primaryReplaced, () => {
      say('began', `the service replaces the primary keys; ${livesBy('primary')} are connected by theirs`);
      for (const [deviceId, { today, nextPrimary }] of keys) hub.registry.setKeys({ deviceId }, { primary: nextPrimary, secondary: today.secondary });
    }),
    at(AT.secondaryReplaced, () => {
      say('step', `${livesBy('secondary')} have changed over to their secondary keys; the service replaces those, too`);
      for (const [deviceId, { nextPrimary }] of keys) hub.registry.setKeys({ deviceId }, { primary: nextPrimary, secondary: generateKeyPair().secondary });
    }),
    at(AT.counted, () => say('ended', `${livesBy('primary')} have changed over to their new primary keys`)),
  ];
  return () => {
    for (const cancel of cancels) cancel();
    stopWatching();
  };
}
