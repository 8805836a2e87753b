import { HubError } from '../hub-error.ts';
import { isIdentityName, parseClientId, type Identity } from '../identity.ts';
import { decodeKey } from '../access/symmetric-key.ts';

/** A device or module from the command line; without a key one is generated. */
export interface DeviceOption {
  readonly identity: Identity;
  readonly key: Uint8Array | undefined;
}

/**
 * Reads `ID`, `ID=KEY`, `DEVICE/MODULE` or `DEVICE/MODULE=KEY`. Ids may hold `=` and keys end with it: the id ends at the
 * first one behind which stands a key.
 * @throws ERR_DEVICE_ID, ERR_KEY; the message does not repeat what stands behind a `=`
 */
export function parseDeviceOption(text: string): DeviceOption {
  for (let equals = text.indexOf('='); equals >= 0; equals = text.indexOf('=', equals + 1)) {
    const key = decodeKeyOrNothing(text.slice(equals + 1));
    if (key !== undefined) return { identity: requireIdentity(text.slice(0, equals)), key };
  }
  const [id = '', ...rest] = text.split('=');
  // Says what is wrong with the key.
  if (rest.length > 0) decodeKey(rest.join('='), isIdentityName(id) ? id : 'the device');
  return { identity: requireIdentity(text), key: undefined };
}

function decodeKeyOrNothing(base64: string): Uint8Array | undefined {
  try {
    return decodeKey(base64, '');
  } catch {
    return undefined;
  }
}

function requireIdentity(clientId: string): Identity {
  const identity = parseClientId(clientId);
  if (identity === undefined) {
    throw new HubError('ERR_DEVICE_ID', `no valid device id: ${JSON.stringify(clientId)}`, "use 1 to 128 letters, digits and - : . + % _ # * ? ! ( ) , = @ $ '; write ID=KEY, with a module ID/MODULE=KEY");
  }
  return identity;
}
