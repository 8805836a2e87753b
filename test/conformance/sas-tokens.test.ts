import { spawnSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { SharedAccessSignature as CommonSignature } from 'azure-iot-common';
import { SharedAccessSignature as DeviceSignature } from 'azure-iot-device';
import { resourceSegments, type Identity } from '../../host-sim/hub/identity.ts';
import { Registry } from '../../host-sim/hub/registry/registry.ts';
import { verifySas, type SasVerdict } from '../../host-sim/hub/access/sas.ts';
import { encodeKey, generateKeyPair } from '../../host-sim/hub/access/symmetric-key.ts';
import { recordEvidence } from '../evidence.ts';

const HUB = 'myhub.azure-devices.net';
const NOW_SECONDS = 1_800_000_000;
const EXPIRY_SECONDS = NOW_SECONDS + 3_600;

/** Every character that IoT Hub allows in an id, and ids of both extreme lengths. */
const IDS = ['a', 'Dev-1', 'x'.repeat(128), "-:.+%_#*?!(),=@$'", 'a%41', 'a%2Fb', '100%', 'a+b', '%25', "it's(1)!*"];

let formsAccepted = 0;
const FORMS = ['python', 'csharp', 'java', 'embedded-c', 'documented', 'c'] as const;

interface TokenRequest {
  readonly form: (typeof FORMS)[number];
  readonly resource: string;
  readonly key: string;
  readonly expiry: number;
  readonly policy?: string;
}

function makeTokens(requests: readonly TokenRequest[]): string[] {
  const script = new URL('./sas-forms.py', import.meta.url).pathname;
  const run = spawnSync('python3', [script], { input: requests.map((request) => JSON.stringify(request)).join('\n'), encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`python3 is needed for this test: ${run.error?.message ?? run.stderr}`);
  return run.stdout.trimEnd().split('\n');
}

function createHubOf(identity: Identity): { registry: Registry; key: string; verify: (token: string | Uint8Array) => SasVerdict } {
  const registry = new Registry();
  if (identity.moduleId !== undefined) registry.add({ deviceId: identity.deviceId });
  const { keys } = registry.add(identity);
  const dummyKeys = generateKeyPair();
  const verify = (token: string | Uint8Array): SasVerdict =>
    verifySas({
      token,
      resource: { host: HUB, segments: resourceSegments(identity) },
      permissions: ['DeviceConnect'],
      keyring: { identity: registry.find(identity), policy: (name) => registry.findPolicy(name), dummyKeys },
      nowSeconds: NOW_SECONDS,
    });
  return { registry, key: encodeKey(keys.primary), verify };
}

const resourceOf = (identity: Identity): string => [HUB, ...resourceSegments(identity)].join('/');

test.each(IDS)("accepts the token of Microsoft's Node SDK for device id %s", (deviceId) => {
  const { key, verify } = createHubOf({ deviceId });
  expect(verify(DeviceSignature.create(HUB, deviceId, key, EXPIRY_SECONDS).toString())).toEqual({
    accepted: true, scope: { host: HUB, segments: ['devices', deviceId] }, expirySeconds: EXPIRY_SECONDS, key: 'primary', policy: undefined,
  });
});

test.each(IDS)('accepts the documented Node snippet, encodeURIComponent and sr, sig, se, for device id %s', (deviceId) => {
  const { key, verify } = createHubOf({ deviceId });
  const encoded = encodeURIComponent(resourceOf({ deviceId }));
  const signature = CommonSignature.create(encoded, '', key, EXPIRY_SECONDS).toString();
  expect(verify(signature)).toMatchObject({ accepted: true });
});

test.each(FORMS)('accepts the %s form of a token for every id, device and module, own key and policy key', (form) => {
  const cases = IDS.flatMap((id) => [{ deviceId: id }, { deviceId: 'parent', moduleId: id }]);
  const hubs = cases.map((identity) => ({ identity, ...createHubOf(identity) }));
  const requests = hubs.flatMap(({ identity, registry, key }): TokenRequest[] => {
    const common = { form, resource: resourceOf(identity), expiry: EXPIRY_SECONDS };
    return [{ ...common, key }, { ...common, key: encodeKey(registry.findPolicy('device')!.keys.secondary), policy: 'device' }];
  });
  const tokens = makeTokens(requests);
  expect(tokens).toHaveLength(requests.length);

  const verdicts = tokens.map((token, index) => hubs[index >> 1]!.verify(token));
  // A client that does not encode `sr` cannot write an id with a percent sign that then decodes to another id, or not at all.
  const isAmbiguous = (index: number): boolean => form === 'c' && /%/.test(requests[index]!.resource);
  for (const [index, verdict] of verdicts.entries()) {
    expect({ token: requests[index]!.resource, accepted: verdict.accepted }).toEqual({ token: requests[index]!.resource, accepted: !isAmbiguous(index) });
  }
  const accepted = verdicts.filter((verdict) => verdict.accepted).length;
  expect(accepted).toBeGreaterThanOrEqual(20);
  formsAccepted += accepted;
  recordEvidence('sas-forms', formsAccepted);
});

test('refuses the token of another form whose hex was changed after it was signed: the raw sr is what is signed', () => {
  const { key, verify } = createHubOf({ deviceId: 'dev1' });
  const token = DeviceSignature.create(HUB, 'dev1', key, EXPIRY_SECONDS).toString();
  expect(verify(token.replaceAll('%2F', '%2f'))).toMatchObject({ accepted: false, reason: 'signature-wrong' });
  expect(verify(token)).toMatchObject({ accepted: true });
});

let bitsRefused = 0;
const HEX_ESCAPE = /%[0-9A-Fa-f]{2}/g;

/** Bits of `token` that only turn a hex letter of `sig`'s escapes to the other case: another spelling of the same token. */
function spellingBits(token: string): Set<number> {
  const from = token.indexOf('sig=');
  const to = (token + '&').indexOf('&', from);
  const bits = new Set<number>();
  for (const match of token.slice(from, to).matchAll(HEX_ESCAPE)) {
    for (const offset of [1, 2]) {
      const index = from + match.index + offset;
      if (/[A-Fa-f]/.test(token[index]!)) bits.add(index * 8 + 5);
    }
  }
  return bits;
}

test.each([
  ['of the Node SDK', (key: string): string => DeviceSignature.create(HUB, 'dev1', key, EXPIRY_SECONDS).toString()],
  ['of the C SDK', (key: string): string => makeTokens([{ form: 'c', resource: `${HUB}/devices/dev1`, key, expiry: EXPIRY_SECONDS }])[0]!],
])('refuses the token %s with any one bit changed, but for the case of hex in sig', (_, make) => {
  const { key, verify } = createHubOf({ deviceId: 'dev1' });
  const token = make(key);
  const spellings = spellingBits(token);
  expect(verify(token)).toMatchObject({ accepted: true });

  let refused = 0;
  for (let bit = 0; bit < token.length * 8; bit++) {
    const bytes = Buffer.from(token, 'latin1');
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    const { accepted } = verify(bytes);
    if (accepted !== spellings.has(bit)) throw new Error(`bit ${bit} of ${token.length * 8}: accepted is ${accepted}`);
    if (!accepted) refused += 1;
  }
  expect(refused).toBe(token.length * 8 - spellings.size);
  bitsRefused += refused;
  recordEvidence('sas-changed-bits', bitsRefused);
});

test('refuses a policy token with any one bit of its policy name changed', () => {
  const { registry, verify } = createHubOf({ deviceId: 'dev1' });
  const key = encodeKey(registry.findPolicy('iothubowner')!.keys.primary);
  const token = CommonSignature.create(encodeURIComponent(HUB), 'iothubowner', key, EXPIRY_SECONDS).toString();
  expect(verify(token)).toMatchObject({ accepted: true, policy: 'iothubowner' });
  for (let bit = 0; bit < token.length * 8; bit++) {
    const bytes = Buffer.from(token, 'latin1');
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    expect({ bit, accepted: verify(bytes).accepted }).toEqual({ bit, accepted: spellingBits(token).has(bit) });
  }
});
