import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { createDevelopmentPki } from '../../certs/development-pki.ts';
import { checkBundle } from '../../firmware/agent/roots/check-bundle.ts';
import { startBoard, type BoardLine } from '../../host-sim/board/board.ts';
import { buildBoard, type BoardVariant } from '../../host-sim/board/build.ts';
import { buildFirmware } from '../../host-sim/board/bundle.ts';
import { projectPath } from '../../host-sim/board/project-path.ts';
import { writeSettings } from '../../host-sim/board/settings.ts';
import { nodeRootVerifier } from '../../host-sim/roots/node-verifier.ts';
import { recordEvidence } from '../evidence.ts';
import { formatPayload, makeBundle, makeUpdateKey, pointsOf, rawHeader, revoked, signBundle, trusted, type BundleMembers, type UpdateKey } from '../fakes/root-bundles.ts';
import { ROOMY } from '../fakes/board-fixture.ts';

const MUTATIONS = 2_000;
/** On the board with AddressSanitizer, which is slower. */
const SANITIZED_MUTATIONS = 200;
const PIECE_BYTES = 4_000;

interface Case {
  readonly name: string;
  readonly bundle: Uint8Array;
  /** `untimed`: no clock is trusted; `inner`: another link follows. */
  readonly options: string;
  readonly outcome: string;
}

let device: string;
let cases: Case[];
let keys: UpdateKey[];
let outcomes: ReadonlyMap<number, string>;
let mutations: Readonly<Record<string, number>> = {};

/** The bundle under test is version 5; the device holds 4. */
async function makeCases(keys: readonly UpdateKey[]): Promise<Case[]> {
  const dates = { notBefore: new Date('2020-01-01T00:00:00Z'), notAfter: new Date('2036-01-01T00:00:00Z') };
  const pki = await createDevelopmentPki({ names: ['localhost'], ...dates });
  const ended = await createDevelopmentPki({ names: ['localhost'], ...dates, notAfter: new Date('2026-11-21T00:00:00Z') });
  const coming = await createDevelopmentPki({ names: ['localhost'], ...dates, notBefore: new Date('2026-11-23T00:00:00Z') });
  const microsoft = readFileSync(projectPath('certs/microsoft-rsa-root-2017.der'));
  const digicert = readFileSync(projectPath('certs/digicert-global-root-g2.der'));
  const old = keys.slice(0, 3);
  const next = keys.slice(3, 6);
  const zero = Buffer.alloc(32).toString('base64url');
  const { x } = next[0]!.jwk;
  const offCurve: UpdateKey = { ...next[0]!, jwk: { ...next[0]!.jwk, y: x } };
  const standard: BundleMembers = { version: 5, roots: [trusted(microsoft), trusted(digicert)], keys: old, threshold: 2 };
  const list: Case[] = [];
  const add = async (name: string, outcome: string, bundle: Uint8Array | Promise<Uint8Array>, options = ''): Promise<void> => void list.push({ name, outcome, bundle: await bundle, options });
  const make = (members: Partial<BundleMembers>, signers: readonly UpdateKey[] = old.slice(0, 2)): Promise<Uint8Array> => makeBundle({ ...standard, ...members }, signers);
  /** Text of the payload as it stands, signed. */
  const makeRaw = async (payload: string): Promise<Uint8Array> => Buffer.from(JSON.stringify(await signBundle(payload, old.slice(0, 2))));
  const payload = formatPayload(standard);

  await add('a good bundle', 'version 5', make({}));
  await add('with a new set of keys, signed by both', 'version 5', make({ keys: next }, [...old.slice(1, 3), ...next.slice(0, 2)]));
  await add('new keys only', 'ERR_BUNDLE_SIGNATURES', make({ keys: next }, next));
  await add('old keys only', 'ERR_BUNDLE_NEW_KEYS', make({ keys: next }));
  await add('one signature short', 'ERR_BUNDLE_SIGNATURES', make({}, old.slice(0, 1)));
  await add('two signatures of one key', 'ERR_BUNDLE_SIGNATURES', make({}, [old[0] as UpdateKey, old[0] as UpdateKey]));
  const { payload: signedPayload, signatures } = await signBundle(payload, old.slice(0, 2));
  const bad = { ...signatures[0]!, signature: Buffer.alloc(64, 1).toString('base64url') };
  await add('a bad signature of a key before its good one', 'ERR_BUNDLE_SIGNATURES', Buffer.from(JSON.stringify({ payload: signedPayload, signatures: [bad, ...signatures] })));
  await add('one key under two key ids', 'ERR_BUNDLE_KID', make({}, [...old.slice(0, 2), { ...(old[0] as UpdateKey), kid: Buffer.alloc(32, 9).toString('base64url') }]));
  await add('one key twice in the set', 'ERR_BUNDLE_KEYS', makeRaw(formatPayload({ ...standard, keys: [...old, old[0] as UpdateKey] })));
  await add('a key off the curve in the set', 'ERR_BUNDLE_KEYS', make({ keys: [...old, offCurve] }));
  await add('a key of zeros in the set', 'ERR_BUNDLE_KEYS', make({ keys: [...old, { ...offCurve, jwk: { ...offCurve.jwk, x: zero, y: zero } }] }));
  await add('version + 2 without the link', 'ERR_BUNDLE_VERSION', make({ version: 6 }));
  await add('an older one, replayed', 'ERR_BUNDLE_REPLAY', make({ version: 3 }));
  await add('the same version with other content', 'ERR_BUNDLE_CONFLICT', make({ version: 4 }));
  await add('another hub', 'ERR_BUNDLE_AUDIENCE', make({ audience: { hubs: ['other.azure-devices.net'], idScopes: [], devices: '*' } }));
  await add('other devices', 'ERR_BUNDLE_AUDIENCE', make({ audience: { hubs: ['latchkey-hub.test'], idScopes: [], devices: 'therm-*-a' } }));
  await add('the id scope instead of the hub', 'version 5', make({ audience: { hubs: [], idScopes: ['0ne00000001'], devices: 'therm-*' } }));
  await add('the hub in other letters', 'version 5', make({ audience: { hubs: ['LATCHKEY-HUB.TEST'], idScopes: [], devices: '*-7-*' } }));
  await add('an audience of nobody', 'ERR_BUNDLE_FORMAT', make({ audience: { hubs: [], idScopes: [], devices: '*' } }));
  await add('an expired last link', 'ERR_BUNDLE_EXPIRED', make({ expires: '2026-11-21T23:59:59Z' }));
  await add('an expired inner link', 'version 5', make({ expires: '2026-11-21T23:59:59Z' }), 'inner');
  await add('an expired one without trusted time', 'version 5', make({ expires: '2026-11-21T23:59:59Z' }), 'untimed');
  await add('a root that is no CA', 'ERR_BUNDLE_ROOTS', make({ roots: [trusted(pki.server.certificateDer)] }));
  await add('a root that has ended', 'ERR_BUNDLE_ROOTS', make({ roots: [trusted(ended.root.certificateDer)] }));
  await add('a root that has ended, without trusted time', 'version 5', make({ roots: [trusted(ended.root.certificateDer)] }), 'untimed');
  await add('a root that begins tomorrow', 'ERR_BUNDLE_ROOTS', make({ roots: [trusted(coming.root.certificateDer)] }));
  await add('a root that begins tomorrow, beside one that has begun', 'version 5', make({ roots: [trusted(coming.root.certificateDer), trusted(microsoft)] }));
  await add('a root that begins tomorrow, beside one for storage', 'ERR_BUNDLE_ROOTS', make({ roots: [trusted(coming.root.certificateDer), trusted(microsoft, ['storage'])] }));
  await add('a root that is noise', 'ERR_BUNDLE_ROOTS', make({ roots: [trusted(Buffer.alloc(400, 0x30))] }));
  await add('a root twice', 'ERR_BUNDLE_ROOTS', make({ roots: [trusted(microsoft), trusted(microsoft)] }));
  await add('a root that is revoked as well', 'ERR_BUNDLE_ROOTS', make({ roots: [trusted(microsoft), revoked(createHash('sha256').update(microsoft).digest())] }));
  await add('no root', 'ERR_BUNDLE_ROOTS', make({ roots: [] }));
  await add('revoked roots only', 'ERR_BUNDLE_ROOTS', make({ roots: [revoked(Buffer.alloc(32))] }));
  await add('no root for the hub', 'ERR_BUNDLE_ROOTS', make({ roots: [trusted(microsoft, ['dps'])] }));
  await add('an unknown purpose', 'ERR_BUNDLE_FORMAT', make({ roots: [trusted(microsoft, ['hub', 'web'])] }));
  await add('nine roots', 'ERR_BUNDLE_SIZE', make({ roots: [trusted(microsoft), ...Array.from({ length: 8 }, (_, index) => revoked(Buffer.alloc(32, index)))] }));
  await add('threshold 0', 'ERR_BUNDLE_THRESHOLD', make({ threshold: 0 }));
  await add('a threshold above the keys', 'ERR_BUNDLE_THRESHOLD', make({ threshold: 4 }));
  await add('no keys', 'ERR_BUNDLE_THRESHOLD', make({ keys: [], threshold: 1 }));
  await add('16 KiB and more', 'ERR_BUNDLE_SIZE', Buffer.concat([await make({}), Buffer.alloc(16 * 1024, 0x20)]));
  await add('the version twice', 'ERR_BUNDLE_DUPLICATE', makeRaw(payload.replace('{"version":5', '{"version":5,"version":5')));
  await add('the purposes of a root twice', 'ERR_BUNDLE_DUPLICATE', makeRaw(payload.replace('"purposes":["hub"]', '"purposes":["hub"],"purposes":["hub"]')));
  await add('a member by an escape', 'ERR_BUNDLE_FORMAT', makeRaw(payload.replace('"threshold":2', '"threshold":1,"thr\\u0065shold":2')));
  await add('an envelope with an escape', 'ERR_BUNDLE_FORMAT', escaped(await make({}), '"payload"', '"p\\u0061yload"'));
  await add('an envelope with an escape in a value', 'ERR_BUNDLE_FORMAT', escaped(await make({}), '"payload":"e', '"payload":"\\u0065'));
  await add('a header of 200 bytes', 'ERR_BUNDLE_HEADER', Buffer.from(JSON.stringify({ payload: signedPayload, signatures: [{ ...signatures[0]!, protected: rawHeader(`{"alg":"ES256","kid":"${old[0]!.kid}","typ":"latchkey-roots+jws"${' '.repeat(120)}}`) }, signatures[1]!] })));
  await add('a header with an escape', 'ERR_BUNDLE_HEADER', Buffer.from(JSON.stringify({ payload: signedPayload, signatures: [{ ...signatures[0]!, protected: rawHeader(`{"alg":"\\u0045S256","kid":"${old[0]!.kid}","typ":"latchkey-roots+jws"}`) }, signatures[1]!] })));
  await add('a name that ends in a question mark', 'ERR_BUNDLE_FORMAT', makeRaw(payload.replace('"roots":[', `"roots":[{"sha256":"${'0'.repeat(64)}","der?":true},`)));
  await add('an unknown member', 'ERR_BUNDLE_FORMAT', makeRaw(payload.replace('{"version":5', '{"version":5,"more":1')));
  await add('a missing member', 'ERR_BUNDLE_FORMAT', makeRaw(payload.replace('"threshold":2', '"threshold":2').replace(',"threshold":2', '')));
  await add('a version of 5.0', 'ERR_BUNDLE_FORMAT', makeRaw(payload.replace('{"version":5', '{"version":5.0')));
  await add('a version of 05', 'ERR_BUNDLE_FORMAT', makeRaw(payload.replace('{"version":5', '{"version":05')));
  await add('a version of 2^31', 'ERR_BUNDLE_FORMAT', makeRaw(payload.replace('{"version":5', '{"version":2147483648')));
  await add('a date with an offset', 'ERR_BUNDLE_FORMAT', make({ expires: '2027-11-01T00:00:00+01:00' }));
  await add('a date that is none', 'ERR_BUNDLE_FORMAT', make({ expires: '2027-02-30T00:00:00Z' }));
  await add('five stars in the pattern', 'ERR_BUNDLE_FORMAT', make({ audience: { hubs: ['latchkey-hub.test'], idScopes: [], devices: '*****' } }));
  await add('a payload of lists in lists', 'ERR_BUNDLE_FORMAT', makeRaw(`{"version":${'['.repeat(4000)}`));
  await add('a payload that is no JSON', 'ERR_BUNDLE_FORMAT', makeRaw('roots'));
  return list;
}

function escaped(bundle: Uint8Array, from: string, to: string): Uint8Array {
  return Buffer.from(Buffer.from(bundle).toString('latin1').replace(from, to));
}

function settingsOf(mutationCount: number): Record<string, string | Uint8Array> {
  const values: Record<string, string | Uint8Array> = { keys: pointsOf(keys.slice(0, 3)), digest: Buffer.alloc(32), count: String(cases.length), mutations: String(mutationCount) };
  cases.forEach(({ bundle, options }, index) => {
    values[`${index}.n`] = String(bundle.length);
    values[`${index}.o`] = options;
    for (let piece = 0; piece * PIECE_BYTES < bundle.length; piece++) values[`${index}.${piece}`] = bundle.subarray(piece * PIECE_BYTES, (piece + 1) * PIECE_BYTES);
  });
  return values;
}

interface BoardAnswers {
  readonly outcomes: ReadonlyMap<number, string>;
  readonly mutations: Readonly<Record<string, number>>;
}

async function askBoard(variant: BoardVariant, mutationCount: number): Promise<BoardAnswers> {
  writeSettings(join(device, 'settings.kv'), { cases: settingsOf(mutationCount) });
  const program = await buildBoard({ variant });
  const { preload, main } = await buildFirmware({ app: projectPath('test/board/root-bundle-app.ts') });
  const answers = { outcomes: new Map<number, string>(), mutations: {} as Record<string, number> };
  const onLine = (line: BoardLine): void => {
    if (line.event === 'case') answers.outcomes.set(Number(line.index), String(line.outcome));
    else if (line.event === 'mutations') answers.mutations = line.codes as Record<string, number>;
  };
  const { code, talk } = await startBoard({ program, preload, main, device, creation: ROOMY, onLine }).exited;
  if (code !== 0) throw new Error(`exit code ${code}\n${talk}`);
  return answers;
}

beforeAll(async () => {
  keys = await Promise.all(Array.from({ length: 6 }, makeUpdateKey));
  cases = await makeCases(keys);
  device = mkdtempSync(join(tmpdir(), 'latchkey-roots-'));
  mkdirSync(device, { recursive: true });
  ({ outcomes, mutations } = await askBoard('32-bit', MUTATIONS));
}, 300_000);

afterAll(() => rmSync(device, { recursive: true, force: true }));

test('every bundle of the table gets its own answer on the board', () => {
  const got = cases.map(({ name }, index) => [name, outcomes.get(index)]);
  expect(got).toEqual(cases.map(({ name, outcome }) => [name, outcome]));
  recordEvidence('root-bundle-cases', cases.length);
});

test("the owner's tools, with OpenSSL, give every bundle of the table the same answer", () => {
  const answer = ({ bundle, options }: Case): string => {
    try {
      const context = {
        keys: { points: new Uint8Array(pointsOf(keys.slice(0, 3))), threshold: 2 }, version: 4, digest: new Uint8Array(32), hub: 'Latchkey-Hub.test', idScope: '0ne00000001', deviceId: 'therm-7-b',
        nowMs: options.includes('untimed') ? undefined : Date.UTC(2026, 10, 22), isInner: options.includes('inner'),
      };
      const read = checkBundle(new Uint8Array(bundle), { verifier: nodeRootVerifier, ...context });
      return read === undefined ? 'stored' : `version ${read.version}`;
    } catch (error) {
      return error instanceof Error && 'code' in error ? String(error.code) : String(error);
    }
  };
  expect(cases.map((each) => [each.name, answer(each)])).toEqual(cases.map(({ name, outcome }) => [name, outcome]));
});

test('the board with AddressSanitizer and UndefinedBehaviorSanitizer finds nothing and answers the same', async () => {
  const sanitized = await askBoard('asan', SANITIZED_MUTATIONS);
  expect([...sanitized.outcomes]).toEqual([...outcomes]);
  expect(Object.keys(sanitized.mutations).every((outcome) => outcome.startsWith('ERR_BUNDLE_'))).toBe(true);
}, 300_000);

test('no random mutation of a good bundle is accepted', () => {
  const refused = Object.entries(mutations).filter(([outcome]) => outcome.startsWith('ERR_BUNDLE_'));
  expect(mutations).toEqual(Object.fromEntries(refused));
  const count = refused.reduce((sum, [, each]) => sum + each, 0);
  expect(count).toBe(MUTATIONS);
  expect(refused.length).toBeGreaterThan(3);
  recordEvidence('root-bundle-mutations', count);
});
