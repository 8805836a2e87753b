import { createHmac } from 'node:crypto';
import type { KeyPair } from '../hub/access/symmetric-key.ts';
import { HubError } from '../hub/hub-error.ts';

/** Who may register, and with which keys. */
export interface Enrolment {
  /** A group's name, or the registration id of one device. */
  readonly id: string;
  readonly type: 'group' | 'individual';
  readonly keys: KeyPair;
  /** Default `true`. */
  readonly enabled?: boolean;
  /** The hub that is assigned; default: the first one that is linked. */
  readonly hubName?: string;
  /** Of an individual enrolment; default: the registration id. */
  readonly deviceId?: string;
}

/** An enrolment as it is to one registration id; `keys` are those of the device. */
export type MatchedEnrolment = Omit<Enrolment, 'keys'> & { readonly keys: KeyPair };

/** "alphanumeric characters plus special characters '-', '.', '_', ':'; the last one alphanumeric or dash", at most 128. */
const REGISTRATION_ID = /^[A-Za-z0-9._:-]{0,127}[A-Za-z0-9-]$/;

export const isRegistrationId = (text: string): boolean => REGISTRATION_ID.test(text);

/** The enrolments of one service: individual ones, and groups whose devices are known by their derived keys alone. */
export class Enrolments {
  readonly #individuals = new Map<string, Enrolment>();
  readonly #groups = new Map<string, Enrolment>();

  /** Adds one, or replaces the one of this type and id. @throws ERR_ENROLMENT */
  set(enrolment: Enrolment): void {
    if (!isRegistrationId(enrolment.id)) throw new HubError('ERR_ENROLMENT', `no valid id: ${JSON.stringify(enrolment.id)}`, 'use 1 to 128 letters, digits and - . _ :');
    (enrolment.type === 'group' ? this.#groups : this.#individuals).set(enrolment.id, enrolment);
  }

  delete(type: Enrolment['type'], id: string): boolean {
    return (type === 'group' ? this.#groups : this.#individuals).delete(id);
  }

  list(): readonly Enrolment[] {
    return [...this.#groups.values(), ...this.#individuals.values()];
  }

  /** Those whose keys may have signed for this registration: its own, else every group. An individual enrolment wins over groups, as in DPS. */
  candidates(registrationId: string): readonly MatchedEnrolment[] {
    const own = this.#individuals.get(registrationId);
    if (own !== undefined) return [own];
    return [...this.#groups.values()].map((group) => ({ ...group, keys: deriveKeys(group.keys, registrationId) }));
  }
}

/** @see https://learn.microsoft.com/azure/iot-dps/concepts-symmetric-key-attestation#group-enrollments */
function deriveKeys({ primary, secondary }: KeyPair, registrationId: string): KeyPair {
  const derive = (key: Uint8Array): Buffer => createHmac('sha256', key).update(registrationId).digest();
  return { primary: derive(primary), secondary: derive(secondary) };
}
