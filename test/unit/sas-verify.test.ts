import { createHmac } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { covers, parseResource } from '../../host-sim/hub/access/resource-scope.ts';
import { digestToken, verifySas, type Permission, type SasKeyring, type SasVerdict, type SignSas } from '../../host-sim/hub/access/sas.ts';

const HUB = 'MyHub.azure-devices.net';
const NOW_SECONDS = 1_800_000_000;
const FUTURE = String(NOW_SECONDS + 60);
const key = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const [PRIMARY, SECONDARY, POLICY_PRIMARY, POLICY_SECONDARY, DUMMY] = [1, 2, 3, 4, 5].map(key) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array];

const keyring = (identity: SasKeyring['identity']): SasKeyring => ({
  identity,
  policy: (name) => {
    const permissions: Record<string, Permission[]> = { device: ['DeviceConnect'], service: ['ServiceConnect'] };
    return permissions[name] === undefined ? undefined : { keys: { primary: POLICY_PRIMARY, secondary: POLICY_SECONDARY }, permissions: permissions[name] };
  },
  dummyKeys: { primary: DUMMY, secondary: DUMMY },
});

const ENABLED = { keys: { primary: PRIMARY, secondary: SECONDARY }, enabled: true };

function verify(token: string | Uint8Array | undefined, identity: SasKeyring['identity'] = ENABLED, sign?: SignSas, host = HUB): SasVerdict {
  return verifySas(
    { token, resource: { host, segments: ['devices', 'dev1'] }, permissions: ['DeviceConnect'], keyring: keyring(identity), nowSeconds: NOW_SECONDS },
    sign,
  );
}

const signature = (signingKey: Uint8Array, sr: string, se: string): string => createHmac('sha256', signingKey).update(`${sr}\n${se}`).digest('base64');

interface Parts {
  readonly sr?: string;
  readonly se?: string;
  readonly skn?: string;
  readonly key?: Uint8Array;
}

function make({ sr = 'myhub.azure-devices.net%2Fdevices%2Fdev1', se = FUTURE, skn, key: signingKey = PRIMARY }: Parts = {}): string {
  const policy = skn === undefined ? '' : `&skn=${skn}`;
  return `SharedAccessSignature sr=${sr}&sig=${encodeURIComponent(signature(signingKey, sr, se))}&se=${se}${policy}`;
}

const [SR, SIG, SE] = make().replace('SharedAccessSignature ', '').split('&') as [string, string, string];

test.each<[what: string, token: string | undefined, reason: string]>([
  ['no token', undefined, 'token-missing'],
  ['an empty token', '', 'token-missing'],
  ['2,049 bytes', make() + 'x'.repeat(2_049 - make().length), 'token-too-long'],
  ['another scheme', `Bearer ${SR}&${SIG}&${SE}`, 'token-malformed'],
  ['the scheme in lower case', make().replace('Shared', 'shared'), 'token-malformed'],
  ['two spaces after the scheme', `SharedAccessSignature  ${SR}&${SIG}&${SE}`, 'token-malformed'],
  ['a tab after the scheme', `SharedAccessSignature\t${SR}&${SIG}&${SE}`, 'token-malformed'],
  ['a line end behind it', `${make()}\n`, 'token-malformed'],
  ['a space inside', `SharedAccessSignature ${SR}& ${SIG}&${SE}`, 'token-malformed'],
  ['a NUL inside', `${make()}\0`, 'token-malformed'],
  ['an ampersand too many', `${make()}&`, 'token-malformed'],
  ['a field without value sign', `${make()}&skn`, 'token-malformed'],
  ['no sr', `SharedAccessSignature ${SIG}&${SE}`, 'token-field-missing'],
  ['no sig', `SharedAccessSignature ${SR}&${SE}`, 'token-field-missing'],
  ['no se', `SharedAccessSignature ${SR}&${SIG}`, 'token-field-missing'],
  ['an empty sig', `SharedAccessSignature ${SR}&sig=&${SE}`, 'token-field-missing'],
  ['sr twice', `${make()}&${SR}`, 'token-field-repeated'],
  ['an empty skn twice', `${make()}&skn=&skn=`, 'token-field-repeated'],
  ['an unknown field', `${make()}&xyz=1`, 'token-field-unknown'],
  ['a field name in upper case', make().replace('sr=', 'SR='), 'token-field-unknown'],
  ['se with a fraction', make({ se: `${FUTURE}.5` }), 'expiry-malformed'],
  ['se with a sign', make({ se: `+${FUTURE}` }), 'expiry-malformed'],
  ['se in hex', make({ se: '0x7fffffff' }), 'expiry-malformed'],
  ['se with an exponent', make({ se: '2e9' }), 'expiry-malformed'],
  ['se that is a date', make({ se: '2030-01-01' }), 'expiry-malformed'],
  ['se of 13 digits', make({ se: '1800000060000' }), 'expiry-malformed'],
  ['sr with a broken escape', make({ sr: 'myhub.azure-devices.net%2Fdevices%2' }), 'resource-malformed'],
  ['sr with escapes that are no UTF-8', make({ sr: 'myhub.azure-devices.net%2Fdevices%2F%ff' }), 'resource-malformed'],
  ['sig with a broken escape', `SharedAccessSignature ${SR}&sig=abc%&${SE}`, 'token-malformed'],
  ['another device', make({ sr: 'myhub.azure-devices.net%2Fdevices%2Fdev2' }), 'resource-not-covered'],
  ['a device whose id begins with this one', make({ sr: 'myhub.azure-devices.net%2Fdevices%2Fdev' }), 'resource-not-covered'],
  ['a device id in another case', make({ sr: 'myhub.azure-devices.net%2Fdevices%2FDEV1' }), 'resource-not-covered'],
  ['something below the device', make({ sr: 'myhub.azure-devices.net%2Fdevices%2Fdev1%2Fmodules%2Fm' }), 'resource-not-covered'],
  ['a slash at the end', make({ sr: 'myhub.azure-devices.net%2Fdevices%2Fdev1%2F' }), 'resource-not-covered'],
  ['a slash at the front', make({ sr: '%2Fmyhub.azure-devices.net%2Fdevices%2Fdev1' }), 'resource-not-covered'],
  ['another hub', make({ sr: 'yourhub.azure-devices.net%2Fdevices%2Fdev1' }), 'resource-not-covered'],
  ['a hub whose name begins with this one', make({ sr: 'myhub.azure-devices.net.example%2Fdevices%2Fdev1' }), 'resource-not-covered'],
  ['a scheme before the host', make({ sr: 'https%3A%2F%2Fmyhub.azure-devices.net%2Fdevices%2Fdev1' }), 'resource-not-covered'],
  ['sr encoded twice', make({ sr: 'myhub.azure-devices.net%252Fdevices%252Fdev1' }), 'resource-not-covered'],
  ['a wrong key', make({ key: key(9) }), 'signature-wrong'],
  ['the dummy key for a known device', make({ key: DUMMY }), 'signature-wrong'],
  ['a policy key without skn', make({ key: POLICY_PRIMARY }), 'signature-wrong'],
  ['a device key with skn', make({ skn: 'device' }), 'signature-wrong'],
  ['a signature over the decoded resource', make().replace(/sig=[^&]*/, `sig=${encodeURIComponent(signature(PRIMARY, 'myhub.azure-devices.net/devices/dev1', FUTURE))}`), 'signature-wrong'],
  ['a signature in base64url', make().replace(/sig=[^&]*/, `sig=${createHmac('sha256', PRIMARY).update(`${SR.slice(3)}\n${FUTURE}`).digest('base64url')}`), 'signature-wrong'],
  ['another se than was signed', make().replace(`se=${FUTURE}`, `se=${NOW_SECONDS + 61}`), 'signature-wrong'],
  ['a zero before se', make().replace(`se=${FUTURE}`, `se=0${FUTURE}`), 'signature-wrong'],
  ['an unknown policy', make({ skn: 'nobody', key: POLICY_PRIMARY }), 'policy-unknown'],
  ['a policy that does not let devices connect', make({ skn: 'service', key: POLICY_PRIMARY }), 'permission-missing'],
  ['se one second ago', make({ se: String(NOW_SECONDS - 1) }), 'token-expired'],
  ['se right now', make({ se: String(NOW_SECONDS) }), 'token-expired'],
])('refuses %s', (_, token, reason) => {
  expect(verify(token)).toMatchObject({ accepted: false, reason });
});

test.each<[what: string, token: string | Uint8Array, verdict: object]>([
  ['the primary key', make(), { key: 'primary', policy: undefined, expirySeconds: NOW_SECONDS + 60 }],
  ['the secondary key', make({ key: SECONDARY }), { key: 'secondary' }],
  ['bytes instead of text', Buffer.from(make()), { key: 'primary' }],
  ['fields in another order', `SharedAccessSignature ${SE}&${SIG}&${SR}`, { key: 'primary' }],
  ['an empty skn', `${make()}&skn=`, { policy: undefined }],
  ['lower-case hex in sr', make({ sr: 'myhub.azure-devices.net%2fdevices%2fdev1' }), {}],
  ['sr that is not encoded', make({ sr: 'myhub.azure-devices.net/devices/dev1' }), {}],
  ['sr with more escapes than needed', make({ sr: 'myhub%2Eazure%2Ddevices.net%2Fdevices%2F%64ev1' }), {}],
  ['the host in another case', make({ sr: 'MYHUB.Azure-Devices.net%2Fdevices%2Fdev1' }), {}],
  ['the whole hub as resource', make({ sr: 'myhub.azure-devices.net' }), {}],
  ['all devices as resource', make({ sr: 'myhub.azure-devices.net%2Fdevices' }), {}],
  ['sig with hex in lower case', make().replace(/%[0-9A-F]{2}/g, (hex) => (SIG.includes(hex) && hex !== '%2F' ? hex.toLowerCase() : hex)), {}],
  ['a policy with DeviceConnect', make({ skn: 'device', key: POLICY_PRIMARY }), { policy: 'device', key: 'primary' }],
  ["a policy's secondary key", make({ skn: 'device', key: POLICY_SECONDARY, sr: 'myhub.azure-devices.net' }), { policy: 'device', key: 'secondary' }],
  ['a policy name with escapes', make({ skn: '%64evice', key: POLICY_PRIMARY }), { policy: 'device' }],
  ['se in the next second', make({ se: String(NOW_SECONDS + 1) }), {}],
  ['se in the year 33,658', make({ se: '999999999999' }), {}],
])('accepts %s', (_, token, verdict) => {
  expect(verify(token)).toMatchObject({ accepted: true, ...verdict });
});

test('a token signed with half a second left on the hub clock is accepted, and refused when that has passed', () => {
  const at = (nowSeconds: number): boolean =>
    verifySas({ token: make(), resource: { host: HUB, segments: ['devices', 'dev1'] }, permissions: [], keyring: keyring(ENABLED), nowSeconds }).accepted;
  expect(at(NOW_SECONDS + 59.5)).toBe(true);
  expect(at(NOW_SECONDS + 60)).toBe(false);
});

test('refuses a disabled device only behind a right signature', () => {
  const disabled = { ...ENABLED, enabled: false };
  expect(verify(make(), disabled)).toMatchObject({ reason: 'identity-disabled' });
  expect(verify(make({ skn: 'device', key: POLICY_PRIMARY }), disabled)).toMatchObject({ reason: 'identity-disabled' });
  expect(verify(make({ key: key(9) }), disabled)).toMatchObject({ reason: 'signature-wrong' });
});

test('refuses a policy token for a device that does not exist', () => {
  expect(verifySas({
    token: make({ skn: 'device', key: POLICY_PRIMARY }), resource: { host: HUB, segments: ['devices', 'dev1'] },
    permissions: ['DeviceConnect'], keyring: keyring(undefined), nowSeconds: NOW_SECONDS,
  })).toMatchObject({ reason: 'identity-unknown' });
});

test('an unknown device, a wrong key and an unknown policy cost the same signatures over the same text', () => {
  const calls = (token: string, identity: SasKeyring['identity']): { verdict: SasVerdict; signed: string[] } => {
    const signed: string[] = [];
    const sign: SignSas = (signingKey, text) => {
      signed.push(`${signingKey.length} ${text}`);
      return createHmac('sha256', signingKey).update(text).digest('base64');
    };
    const verdict = verifySas({
      token, resource: { host: HUB, segments: ['devices', 'dev1'] }, permissions: ['DeviceConnect'], keyring: keyring(identity), nowSeconds: NOW_SECONDS,
    }, sign);
    return { verdict, signed };
  };
  const wrong = make({ key: key(9) });
  const wrongKey = calls(wrong, ENABLED);
  const unknown = calls(wrong, undefined);
  const unknownPolicy = calls(`${wrong}&skn=nobody`, ENABLED);
  const right = calls(make(), ENABLED);

  expect(wrongKey.signed).toEqual([`32 ${SR.slice(3)}\n${FUTURE}`, `32 ${SR.slice(3)}\n${FUTURE}`]);
  expect(unknown.signed).toEqual(wrongKey.signed);
  expect(unknownPolicy.signed).toEqual(wrongKey.signed);
  expect(right.signed).toEqual(wrongKey.signed);
  expect([wrongKey, unknown, unknownPolicy].map(({ verdict }) => (verdict.accepted ? '' : verdict.reason))).toEqual(['signature-wrong', 'identity-unknown', 'policy-unknown']);
});

test('nobody can sign for an unknown device with the dummy key', () => {
  expect(verifySas({
    token: make({ key: DUMMY }), resource: { host: HUB, segments: ['devices', 'dev1'] }, permissions: [], keyring: keyring(undefined), nowSeconds: NOW_SECONDS,
  })).toMatchObject({ reason: 'identity-unknown' });
});

test.each<[scope: string, resource: string, covered: boolean]>([
  ['h/a/b', 'h/a/b', true],
  ['h/a/b', 'h/a/b/c', true],
  ['h/a/b', 'h/a/bc', false],
  ['h/a/b', 'h/a', false],
  ['h', 'h/a', true],
  ['H', 'h/a', true],
  ['h/A', 'h/a', false],
  ['', 'h/a', false],
  ['h/', 'h/a', false],
  ['h//a', 'h/a', false],
  ['h2', 'h', false],
])('the scope %s covers %s: %s', (scope, resource, covered) => {
  expect(covers(parseResource(scope), parseResource(resource))).toBe(covered);
});

test('the digest of a token is 64 bits of its SHA-256, the same for text and bytes', () => {
  // printf abc | sha256sum
  expect(digestToken('abc')).toBe('ba7816bf8f01cfea');
  expect(digestToken(Buffer.from('abc'))).toBe('ba7816bf8f01cfea');
});
