import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { SharedAccessSignature } from 'azure-iot-common';
import { parseDeviceOption } from '../../host-sim/hub/registry/device-option.ts';
import { checkMachineClock } from '../../host-sim/hub/machine-clock.ts';
import { encodeKey, generateKeyPair } from '../../host-sim/hub/access/symmetric-key.ts';
import { runCli } from '../../host-sim/cli.ts';
import { HubProgram, type Ending, type RunOptions } from '../conformance/program.ts';

const KEY = encodeKey(generateKeyPair().primary);
const HUB = 'myhub.azure-devices.net';
const DEVICE = `HostName=${HUB};DeviceId=dev1;SharedAccessKey=${KEY}`;

/** The program in this process: what it writes and what it exits with. */
async function latchkey(args: readonly string[], { env = {}, input = '' }: RunOptions = {}): Promise<Ending> {
  const output = { stdout: '', stderr: '' };
  const collect = (name: keyof typeof output): Writable => new Writable({
    write(chunk: Buffer, _encoding, callback) {
      output[name] += chunk.toString();
      callback();
    },
  });
  const code = await runCli(args, {
    stdin: Readable.from([input]), stdout: collect('stdout'), stderr: collect('stderr'), env, interrupted: new AbortController().signal, exitCode: 0,
  });
  return { code, ...output };
}

let folder: string;
let busy: Server;
let busyPort: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'latchkey-command-'));
  busy = createServer();
  await new Promise<void>((resolve) => busy.listen(0, '127.0.0.1', resolve));
  busyPort = String((busy.address() as AddressInfo).port);
  writeFileSync(join(folder, 'broken.json'), '{"version":1,');
});

afterAll(() => {
  busy.close();
  rmSync(folder, { recursive: true });
});

test.each<[what: string, args: () => string[], code: number, says: string, remedy: string]>([
  ['a port in use', () => ['--port', busyPort], 4, 'is in use (ERR_PORT_IN_USE)', 'choose another --port'],
  ['an address of another machine', () => ['--port', '0', '--address', '192.0.2.1'], 4, '192.0.2.1 is no address of this machine', 'use 127.0.0.1'],
  ['an address that is a name', () => ['--port', '0', '--address', 'localhost'], 4, 'no IP address: "localhost"', 'such as 127.0.0.1'],
  ['a key that is not base64', () => ['--port', '0', '--device', 'dev1=secret!'], 3, 'the key of dev1 is not base64 (ERR_KEY)', 'openssl rand -base64 32'],
  ['a key that is too short', () => ['--port', '0', '--device', 'dev1=c2VjcmV0'], 3, 'the key of dev1 must have 16 to 64 bytes, got 6', 'openssl rand -base64 32'],
  ['a device id with a space', () => ['--port', '0', '--device', 'dev 1'], 3, 'no valid device id: "dev 1"', 'letters, digits'],
  ['a module of no device', () => ['--port', '0', '--device', 'dev1/m'], 3, 'there is no "dev1"', 'add it first'],
  ['a hub name that is no host name', () => ['--port', '0', '--hub-name', 'my hub'], 3, 'no host name: "my hub"', 'myhub.azure-devices.net'],
  ['a broken state file', () => ['--port', '0', '--state', join(folder, 'broken.json')], 3, 'is a broken state file of version 1', 'move the file away'],
  ['a state file in no folder', () => ['--port', '0', '--state', join(folder, 'no/hub.json')], 3, 'ENOENT', 'check the folder'],
  ['an enrolment with an id that is none', () => ['--port', '0', '--dps-group', 'my fleet'], 3, 'no valid id: "my fleet" (ERR_ENROLMENT)', 'letters, digits'],
  ['an ID scope that is none', () => ['--port', '0', '--dps-group', 'fleet', '--dps-scope', 'mine'], 3, 'no ID scope: "mine" (ERR_ID_SCOPE)', '0ne0000C0DE'],
  ['a policy without permission', () => ['--port', '0', '--policy', 'ops'], 3, 'policy ops has no permission', 'RegistryRead, RegistryWrite'],
  ['a policy with an unknown permission', () => ['--port', '0', '--policy', 'ops=Read'], 3, 'policy "ops" has no permission "Read"', 'NAME=PERMISSION'],
  ['a policy with a name that is none', () => ['--port', '0', '--policy', 'o p=RegistryRead'], 3, 'no policy name: "o p"', 'letters, digits'],
  ['somebody unknown denied', () => ['--port', '0', '--deny-shared-access', 'robots'], 2, 'Allowed choices are policies, devices, modules, all', ''],
  ['an HTTPS port and the standard ports', () => ['--https-port', '1', '--standard-ports'], 2, '--https-port and --standard-ports cannot both be given', ''],
  ['a port and the standard ports', () => ['--port', '1', '--standard-ports'], 2, 'cannot both be given', ''],
  ['a port above 65,535', () => ['--port', '65536'], 2, 'whole number from 0 to 65535', ''],
  ['a grace time without unit', () => ['--grace', '5'], 2, 'did you mean "5s"?', ''],
  ['an unknown option', () => ['--prot', '1'], 2, 'Did you mean --port?', ''],
])('the hub does not start with %s: it says so and the way out', async (_, args, code, says, remedy) => {
  const ended = await latchkey(['hub', ...args()]);
  expect(ended.code).toBe(code);
  expect(ended.stderr).toContain(says);
  expect(ended.stderr).toContain(remedy);
  expect(ended.stderr).not.toContain('    at ');
  expect(ended.stdout).toBe('');
});

test('the state file keeps devices and keys over a restart; a key on the command line replaces the primary one', async () => {
  const state = join(folder, 'hub.json');
  const first = new HubProgram(['--port', '0', '--device', 'dev1', '--device', `dev2=${KEY}`, '--device', 'dev2/m1', '--state', state, '--show-secrets']);
  await first.waitFor('device', 3);
  expect(await first.stop()).toBe(130);
  const strings = (program: HubProgram): unknown[] => program.lines.filter(({ event }) => event === 'device').map(({ connectionString }) => String(connectionString).replace(/GatewayHostName=.*/, ''));
  expect(strings(first)[1]).toBe(`HostName=latchkey-hub.test;DeviceId=dev2;SharedAccessKey=${KEY};`);
  expect((statSync(state).mode & 0o777).toString(8)).toBe('600');

  const second = new HubProgram(['--port', '0', '--state', state, '--show-secrets']);
  await second.waitFor('device', 3);
  await second.stop();
  expect(strings(second)).toEqual(strings(first));

  const third = new HubProgram(['--port', '0', '--state', state, '--device', `dev1=${KEY}`]);
  await third.waitFor('started');
  await third.stop();
  expect(strings(third)).toEqual([]);
  expect(third.stderr).toContain('DeviceId=dev1;SharedAccessKey=***;');
  expect(readFileSync(state, 'utf8').split(KEY)).toHaveLength(3);
});

test('of many devices of before the hub lists twenty, and those that it has just made', async () => {
  const state = join(folder, 'many.json');
  const first = new HubProgram(['--port', '0', '--state', state, ...Array.from({ length: 30 }, (_, index) => ['--device', `old-${index}`]).flat()]);
  await first.waitFor('started');
  await first.stop();
  const second = new HubProgram(['--port', '0', '--state', state, '--device', 'new-1']);
  await second.waitFor('started');
  await second.stop();
  expect(second.stderr.match(/DeviceId=[^;]+/g)).toEqual([...Array.from({ length: 20 }, (_, index) => `DeviceId=old-${index}`), 'DeviceId=new-1']);
  expect(second.stderr).toContain('and 10 more: latchkey device show -d ID --connection-string');
  expect(first.stderr.match(/DeviceId=/g)).toHaveLength(30);
});

test('not on a terminal no key is shown unless asked for, not even a generated one', async () => {
  const program = new HubProgram(['--port', '0']);
  await program.waitFor('started');
  await program.stop();
  expect(program.stderr).toContain('DeviceId=dev1;SharedAccessKey=***;');
  expect(JSON.stringify(program.lines)).not.toContain('SharedAccessKey=');
});

test.each<[text: string, deviceId: string, key: string | undefined]>([
  ['dev1', 'dev1', undefined],
  [`dev1=${KEY}`, 'dev1', KEY],
  [`a=b=${KEY}`, 'a=b', KEY],
  [`a==${KEY}`, 'a=', KEY],
  [`-:.+%_#*?!(),=@$'=${KEY}`, "-:.+%_#*?!(),=@$'", KEY],
])('reads the device option %s', (text, deviceId, key) => {
  const option = parseDeviceOption(text);
  expect(option.identity).toEqual({ deviceId });
  expect(option.key === undefined ? undefined : encodeKey(option.key)).toBe(key);
});

test('a wrong key is not repeated in the error', () => {
  expect(() => parseDeviceOption('dev1=hunter2')).toThrow(expect.objectContaining({ message: 'the key of dev1 is not base64' }));
});

test.each([0, Date.UTC(1970, 0, 1, 5), Date.UTC(2025, 11, 31)])("a machine's clock at %i ms is refused with what it shows", (nowMs) => {
  const shown = new Date(nowMs).toISOString().slice(0, 10);
  expect(() => checkMachineClock(nowMs)).toThrow(expect.objectContaining({ code: 'ERR_CLOCK', message: expect.stringContaining(`shows ${shown}`) }));
});

test('a clock of today passes', () => {
  expect(() => checkMachineClock(Date.now())).not.toThrow();
});

/** What Microsoft's SDK signs for the same resource, key and expiry. */
function sign(resource: string, expirySeconds: number, policy?: string): string {
  return SharedAccessSignature.create(encodeURIComponent(resource).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`), policy ?? '', KEY, expirySeconds).toString();
}

test.each<[what: string, connectionString: string, args: string[], resource: string, policy: string | undefined]>([
  ['a device', DEVICE, [], `${HUB}/devices/dev1`, undefined],
  ['a module', `${DEVICE};ModuleId=m1`, [], `${HUB}/devices/dev1/modules/m1`, undefined],
  ['a policy', `HostName=${HUB};SharedAccessKeyName=device;SharedAccessKey=${KEY}`, [], HUB, 'device'],
  ['a policy and one device', `HostName=${HUB};SharedAccessKeyName=device;SharedAccessKey=${KEY}`, ['--resource', `${HUB}/devices/dev1`], `${HUB}/devices/dev1`, 'device'],
  ['an id with every character', `HostName=${HUB};DeviceId=-:.+%_#*?!(),=@$';SharedAccessKey=${KEY}`, [], `${HUB}/devices/-:.+%_#*?!(),=@$'`, undefined],
])("token create makes the token of Microsoft's SDK for %s, alone on stdout, and token verify accepts it", async (_, connectionString, args, resource, policy) => {
  const before = Math.floor(Date.now() / 1000);
  const created = await latchkey(['token', 'create', '--ttl', '2h', ...args], { env: { IOTHUB_DEVICE_CONNECTION_STRING: connectionString } });
  expect({ code: created.code, stderr: created.stderr }).toEqual({ code: 0, stderr: '' });
  const expirySeconds = Number(/&se=(\d+)\n$/.exec(created.stdout)?.[1]);
  expect(expirySeconds).toBeGreaterThanOrEqual(before + 7_200);
  expect(expirySeconds).toBeLessThanOrEqual(Math.ceil(Date.now() / 1000) + 7_200);
  expect(created.stdout).toBe(`${sign(resource, expirySeconds, policy)}\n`);

  const verified = await latchkey(['token', 'verify', ...args], { env: { IOTHUB_DEVICE_CONNECTION_STRING: connectionString }, input: created.stdout });
  expect(verified).toMatchObject({ code: 0, stdout: expect.stringMatching(/^valid for (2h|1h 59m|1h 60m)\n$/), stderr: '' });
});

test('token create reads the connection string from stdin and from a file too', async () => {
  const file = join(folder, 'dev1.txt');
  writeFileSync(file, `${DEVICE}\n`);
  const outputs = [
    await latchkey(['token', 'create', '--connection-string', '-'], { input: `${DEVICE}\n` }),
    await latchkey(['token', 'create'], { input: DEVICE }),
    await latchkey(['token', 'create', '--connection-string-file', file]),
    await latchkey(['token', 'create', '--connection-string', DEVICE]),
  ];
  expect(outputs.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
  for (const { stdout } of outputs) expect(stdout).toMatch(/^SharedAccessSignature sr=myhub\.azure-devices\.net%2Fdevices%2Fdev1&sig=[^&]+&se=\d+\n$/);
});

test.each<[what: string, connectionString: string, args: string[], code: number, says: string]>([
  ['an empty connection string', '', [], 3, 'is empty'],
  ['half a connection string', 'HostName=myhub.azure-devices.net', [], 3, 'has no SharedAccessKey'],
  ['a connection string with a token', `HostName=${HUB};DeviceId=dev1;SharedAccessSignature=SharedAccessSignature sr=x`, [], 3, 'has no SharedAccessKey'],
  ['a key that is not base64', `HostName=${HUB};DeviceId=dev1;SharedAccessKey=secret!`, [], 3, 'is not base64'],
  ['a life without unit', DEVICE, ['--ttl', '60'], 2, 'did you mean "60s"?'],
  ['a life of more than a year', DEVICE, ['--ttl', '366d'], 2, 'expected 1s to 365d'],
])('token create refuses %s without repeating a secret', async (_, connectionString, args, code, says) => {
  const ended = await latchkey(['token', 'create', '--connection-string', '-', ...args], { input: connectionString });
  expect(ended).toMatchObject({ code, stdout: '' });
  expect(ended.stderr).toContain(says);
  expect(ended.stderr).not.toContain('secret!');
  expect(ended.stderr).not.toContain(KEY);
});

test('token inspect shows the fields, the expiry in words, and the signature never whole', async () => {
  const token = sign(`${HUB}/devices/dev1/modules/m'1`, 1_900_000_000, 'device');
  const signature = decodeURIComponent(/sig=([^&]+)/.exec(token)![1]!);
  const { code, stdout } = await latchkey(['token', 'inspect', '--json'], { input: token });
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    resource: `${HUB}/devices/dev1/modules/m'1`, hub: HUB, device: 'dev1', module: "m'1", policy: 'device',
    expires: '2030-03-17T17:46:40Z', expiresIn: expect.stringMatching(/^in \d+d/), signature: `${signature.slice(0, 4)}…`, digest: expect.stringMatching(/^[0-9a-f]{16}$/),
  });
  const lines = await latchkey(['token', 'inspect', sign(`${HUB}/devices/dev1`, 1_000_000_000)]);
  expect(lines.stdout).toContain('expires     2001-09-09T01:46:40Z\n');
  expect(lines.stdout).toMatch(/expiresIn {3}expired \d+d/);
  expect(stdout + lines.stdout).not.toContain(signature);
});

test.each<[what: string, token: string, says: string]>([
  ['something else', 'hello', 'not "SharedAccessSignature "'],
  ['a token without signature', 'SharedAccessSignature sr=a&se=1', 'sr, sig or se is missing'],
])('token inspect refuses %s and says which rule it breaks', async (_, token, says) => {
  const ended = await latchkey(['token', 'inspect'], { input: token });
  expect(ended).toMatchObject({ code: 3, stdout: '' });
  expect(ended.stderr).toContain(says);
});

test.each<[what: string, token: string, args: string[], reason: string]>([
  ['a wrong signature', sign(`${HUB}/devices/dev1`, 4_000_000_000).replace(/sig=../, 'sig=AA'), [], 'signature-wrong'],
  ['another device', sign(`${HUB}/devices/dev2`, 4_000_000_000), [], 'resource-not-covered'],
  ['a token of the past', sign(`${HUB}/devices/dev1`, 1_000_000_000), [], 'token-expired'],
  ['a token that will be over', sign(`${HUB}/devices/dev1`, 4_000_000_000), ['--at', '2100-01-01'], 'token-expired'],
  ['a policy that it does not know', sign(`${HUB}/devices/dev1`, 4_000_000_000, 'device'), [], 'policy-unknown'],
  ['text that is no token', 'hello', [], 'token-malformed'],
])('token verify refuses %s with exit code 1 and the rule', async (_, token, args, reason) => {
  const options = { env: { IOTHUB_DEVICE_CONNECTION_STRING: DEVICE }, input: token };
  const said = await latchkey(['token', 'verify', ...args], options);
  expect(said).toMatchObject({ code: 1, stdout: expect.stringContaining(`(${reason})`), stderr: '' });
  const { code, stdout } = await latchkey(['token', 'verify', '--json', ...args], options);
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ valid: false, reason });
});

test('token verify wants its connection string from elsewhere than stdin', async () => {
  const ended = await latchkey(['token', 'verify'], { input: 'x' });
  expect(ended).toMatchObject({ code: 3, stdout: '' });
  expect(ended.stderr).toContain('stdin is for the token');
});
