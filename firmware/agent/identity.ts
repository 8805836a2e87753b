import { LatchkeyError } from './errors.ts';
import { MAX_HOST_LENGTH, MAX_ID_LENGTH } from './limits.ts';

/** Who the agent is to the hub. */
export interface Identity {
  /** Host name in user name and token, such as `myhub.azure-devices.net`; empty until the provisioning service has assigned one. */
  readonly hub: string;
  readonly deviceId: string;
  /** Present when the agent speaks for a module of the device. */
  readonly moduleId?: string | undefined;
}

/** The characters of device and module ids besides letters and digits. @see azure-facts: device identity properties */
const ID_PUNCTUATION = "-:.+%_#*?!(),=@$'";

/** RFC 1035, section 2.3.4. */
const MAX_LABEL_LENGTH = 63;
const HYPHEN = 0x2d;

/** `{deviceId}` or `{deviceId}/{moduleId}`. */
export function clientIdOf(identity: Identity): string {
  return identity.moduleId === undefined ? identity.deviceId : `${identity.deviceId}/${identity.moduleId}`;
}

/** @throws ERR_CONFIG when `value` is no id of IoT Hub; `#` and `+` cannot be subscribed to over MQTT. */
export function checkId(value: string, label: string): void {
  if (value.length === 0 || value.length > MAX_ID_LENGTH) {
    throw new LatchkeyError('ERR_CONFIG', `${label} must have 1 to ${MAX_ID_LENGTH} characters, got ${value.length}`);
  }
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (isAlphanumeric(code) || ID_PUNCTUATION.includes(value.charAt(i))) continue;
    throw new LatchkeyError('ERR_CONFIG', `${label} has a character at position ${i + 1} that IoT Hub does not allow`);
  }
  if (value.includes('#') || value.includes('+')) {
    throw new LatchkeyError('ERR_CONFIG', `${label} has a "#" or "+": such a device cannot subscribe over MQTT; use another id`);
  }
}

/** @throws ERR_CONFIG unless `value` is a host name or a dotted address. */
export function checkHost(value: string, label: string): void {
  if (value.length === 0 || value.length > MAX_HOST_LENGTH) {
    throw new LatchkeyError('ERR_CONFIG', `${label} must have 1 to ${MAX_HOST_LENGTH} characters, got ${value.length}`);
  }
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (isAlphanumeric(code) || code === 0x2d || code === 0x2e) continue;
    throw new LatchkeyError('ERR_CONFIG', `${label} is no host name: character ${i + 1}; write it like myhub.azure-devices.net`);
  }
}

/** Whether `value` is the name of a host: labels of letters, digits and inner hyphens, the last one not all digits, which would be an address. */
export function isHostName(value: string): boolean {
  if (value.length === 0 || value.length > MAX_HOST_LENGTH) return false;
  let hasLetter = false;
  for (const label of value.split('.')) {
    if (label.length === 0 || label.length > MAX_LABEL_LENGTH || label.startsWith('-') || label.endsWith('-')) return false;
    hasLetter = false;
    for (let i = 0; i < label.length; i++) {
      const code = label.charCodeAt(i);
      if (code !== HYPHEN && !isAlphanumeric(code)) return false;
      if (code > 0x39) hasLetter = true;
    }
  }
  return hasLetter;
}

export function isAlphanumeric(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
}
