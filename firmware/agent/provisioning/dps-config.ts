import { isAlphanumeric } from '../identity.ts';
import { LatchkeyError } from '../errors.ts';
import { MAX_ID_SCOPE, MAX_REGISTRATION_ID } from './dps-limits.ts';

/** Where a device that is assigned its hub asks for it, and as what. */
export interface DpsConfig {
  /** ID scope of the service. */
  readonly scope: string;
  readonly registrationId: string;
  readonly host: string;
  readonly port: number;
}

/** @throws ERR_CONFIG */
export function checkScope(value: string, label: string): void {
  check(value, MAX_ID_SCOPE, '', label, 'copy the ID scope from the overview of the service');
}

/** @throws ERR_CONFIG */
export function checkRegistrationId(value: string, label: string): void {
  check(value, MAX_REGISTRATION_ID, '-._:', label, 'a registration id has letters, digits and - . _ :');
}

function check(value: string, maxLength: number, punctuation: string, label: string, remedy: string): void {
  let isGood = value.length > 0 && value.length <= maxLength;
  for (let i = 0; i < value.length && isGood; i++) isGood = isAlphanumeric(value.charCodeAt(i)) || punctuation.includes(value.charAt(i));
  if (!isGood) throw new LatchkeyError('ERR_CONFIG', `${label} is not valid: ${remedy}, ${maxLength} at most`);
}
