import { LatchkeyError } from './errors.ts';
import { MAX_HOST_LENGTH, MAX_ID_LENGTH } from './limits.ts';

/** Who the agent is to the hub. */
export interface Identity {
  /** Host name in user name and token, such as `myhub.azure-devices.net`. */
  readonly hub: string;
  readonly deviceId: string;
  /** Present when the agent speaks for a module of the device. */
  readonly moduleId?: string | undefined;
}

/** The characters of device and module ids besides letters and digits. @see azure-facts: device identity properties */
const ID_PUNCTUATION = "-:.+%_#*?!(),=@$'";

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

function isAlphanumeric(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
}
