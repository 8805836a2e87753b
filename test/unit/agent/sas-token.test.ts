import { createHmac } from 'node:crypto';

import { describe, expect, test } from '@jest/globals';
import { SharedAccessSignature as CommonSignature, encodeUriComponentStrict } from 'azure-iot-common';
import { SharedAccessSignature as DeviceSignature } from 'azure-iot-device';
import fc from 'fast-check';

import {
  encodeResource, expiryOf, expiryOfToken, formatSasToken, resourceOf,
} from '../../../firmware/agent/sas-token.ts';
import type { Identity } from '../../../firmware/agent/identity.ts';
import { recordEvidence } from '../../evidence.ts';

/** Every character of device and module ids, `#` and `+` included: a token can be made for those, too. */
const ID_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-:.+%_#*?!(),=@$'";
const KEY = Buffer.from('latchkey test key, not a secret!').toString('base64');
const HUB = 'myhub.azure-devices.net';

/** The token as the agent makes it, with Node's HMAC in the signer's place. */
function tokenOf(identity: Identity, key: string, expirySeconds: number, policyName?: string): string {
  const encodedResource = encodeResource(resourceOf(identity));
  const signature = createHmac('sha256', Buffer.from(key, 'base64')).update(`${encodedResource}\n${expirySeconds}`).digest('base64');
  return formatSasToken({ encodedResource, signature, expirySeconds, policyName });
}

/** The token as Microsoft's Node SDK makes it. */
function referenceOf(resource: string, key: string, expirySeconds: number, policyName?: string): string {
  const encoded = encodeUriComponentStrict(resource);
  return CommonSignature.create(encoded, policyName ?? '', key, expirySeconds).toString();
}

describe('a token equals that of the Node SDK, byte for byte', () => {
  test.each([...ID_CHARACTERS])('with "%s" in the device id', (character) => {
    for (const deviceId of [character, `a${character}b`, `${character}${character}z`]) {
      const token = tokenOf({ hub: HUB, deviceId }, KEY, 1_800_000_000);
      expect(token).toBe(referenceOf(`${HUB}/devices/${deviceId}`, KEY, 1_800_000_000));
      expect(token).toBe(DeviceSignature.create(HUB, deviceId, KEY, 1_800_000_000).toString());
    }
  });

  test.each([...ID_CHARACTERS])('with "%s" in the module id', (character) => {
    const identity = { hub: HUB, deviceId: 'dev1', moduleId: `m${character}1` };
    expect(tokenOf(identity, KEY, 1_800_000_000)).toBe(referenceOf(`${HUB}/devices/dev1/modules/m${character}1`, KEY, 1_800_000_000));
  });

  test('with all characters at once, in an id of 128', () => {
    const deviceId = `${ID_CHARACTERS}${ID_CHARACTERS}`.slice(0, 128);
    expect(tokenOf({ hub: HUB, deviceId }, KEY, 1_800_000_000)).toBe(referenceOf(`${HUB}/devices/${deviceId}`, KEY, 1_800_000_000));
  });

  test.each(['device', 'iothubowner', 'my policy', "po'li(c)y*!", 'ä/&=+'])('with the policy "%s"', (policyName) => {
    expect(tokenOf({ hub: HUB, deviceId: 'dev1' }, KEY, 1_800_000_000, policyName))
      .toBe(referenceOf(`${HUB}/devices/dev1`, KEY, 1_800_000_000, policyName));
  });

  test('for 2,000 random ids, keys of 16 to 64 bytes, policies and expiries', () => {
    const id = fc.string({ unit: fc.constantFrom(...ID_CHARACTERS), minLength: 1, maxLength: 128 });
    const key = fc.uint8Array({ minLength: 16, maxLength: 64 });
    const policy = fc.option(fc.string({ minLength: 1, maxLength: 64, unit: 'grapheme-ascii' }), { nil: undefined });
    const seconds = fc.integer({ min: 1, max: 4_102_444_800 });
    fc.assert(
      fc.property(id, fc.option(id, { nil: undefined }), key, policy, seconds, (deviceId, moduleId, keyBytes, policyName, se) => {
        const base64Key = Buffer.from(keyBytes).toString('base64');
        const resource = moduleId === undefined ? `${HUB}/devices/${deviceId}` : `${HUB}/devices/${deviceId}/modules/${moduleId}`;
        expect(tokenOf({ hub: HUB, deviceId, moduleId }, base64Key, se, policyName)).toBe(referenceOf(resource, base64Key, se, policyName));
      }),
      { seed: 20_261_101, numRuns: 2000 },
    );
    recordEvidence('sdk-equal-tokens', 2000);
  });
});

describe('a resource is percent-encoded', () => {
  test.each([
    ['', ''],
    ['abc', 'abc'],
    ['a/b', 'a%2Fb'],
    // Lower-case hex for what encodeURIComponent leaves alone: that is what the Node SDK signs.
    ["!'()*", '%21%27%28%29%2a'],
    ["x!y'z", 'x%21y%27z'],
    ['~-_.', '~-_.'],
    ['%2F', '%252F'],
  ])('"%s" becomes "%s"', (text, encoded) => expect(encodeResource(text)).toBe(encoded));

  test('and decodes to what it was, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(decodeURIComponent(encodeResource(text))).toBe(text);
        expect(encodeResource(text)).toBe(encodeUriComponentStrict(text));
      }),
      { seed: 1 },
    );
  });
});

describe('the expiry', () => {
  test.each([
    [1_700_000_000_000, 3600, 1_700_003_600],
    [1_700_000_000_001, 3600, 1_700_003_601],
    [1_700_000_000_999, 5, 1_700_000_006],
    [0, 5, 5],
    [2 ** 32 * 1000, 365 * 86_400, 2 ** 32 + 365 * 86_400],
  ])('of a token signed at %d ms to live %d s is %d', (wallMs, lifeSeconds, expiry) => {
    expect(expiryOf(wallMs, lifeSeconds)).toBe(expiry);
  });

  test.each([
    ['SharedAccessSignature sr=h%2Fdevices%2Fd&sig=x%3D&se=1800000000', 1_800_000_000],
    // Fields in any order; the C SDK leaves skn empty and the resource unencoded.
    ['SharedAccessSignature se=1800000000&skn=&sig=x&sr=h/devices/d', 1_800_000_000],
    ['SharedAccessSignature sr=h&sig=x&skn=device&se=1', 1],
    ['SharedAccessSignature sr=h&sig=x', undefined],
    ['SharedAccessSignature sr=h&sig=x&se=', undefined],
    ['SharedAccessSignature sr=h&sig=x&se=0', undefined],
    ['SharedAccessSignature sr=h&sig=x&se=-5', undefined],
    ['SharedAccessSignature sr=h&sig=x&se=1.5', undefined],
    ['SharedAccessSignature sr=h&sig=x&se=soon', undefined],
    ['SharedAccessSignature sr=h&sig=x&se=1e400', undefined],
    ['SharedAccessSignature sr=se=7&sig=x&xse=9', undefined],
    ['', undefined],
  ])('that stands in "%s" is %s', (token, expiry) => expect(expiryOfToken(token)).toBe(expiry));

  test('of every token of the Node SDK is read back', () => {
    for (const se of [1, 1_700_000_000, 4_102_444_800]) {
      expect(expiryOfToken(referenceOf(`${HUB}/devices/dev1`, KEY, se, 'device'))).toBe(se);
    }
  });
});
