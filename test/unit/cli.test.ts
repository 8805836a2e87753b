import { expect, test } from '@jest/globals';
import { createServer, type AddressInfo } from 'node:net';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeFolder } from '../../host-sim/board/make-folder.ts';
import { scenarioDefaults } from '../../host-sim/commands/sim-scenario.ts';
import { describeError, exitCodeOf } from '../../host-sim/terminal/cli-error.ts';
import { runCommandLine } from '../fakes/cli-run.ts';

const KEY = Buffer.alloc(32, 'secret-key-of-the-device').toString('base64');
const DEVICE = `HostName=hub.azure-devices.net;DeviceId=dev1;SharedAccessKey=${KEY}`;

test.each([[['--help']], [['sim', '--help']], [['device', '--help']]])('%j shows help on stdout and exits with 0', async (args) => {
  const { exitCode, stdout, stderr } = await runCommandLine(args);
  expect([exitCode, stderr]).toEqual([0, '']);
  expect(stdout).toContain('Usage: latchkey');
});

test('the help of every command begins with examples, once', async () => {
  const left: string[][] = [[]];
  const seen: string[] = [];
  for (let path = left.shift(); path !== undefined; path = left.shift()) {
    const { stdout } = await runCommandLine([...path, '--help']);
    expect({ path, headings: stdout.match(/^\w.*:\n(?= {2}(?:npm run|export) )/gm)?.length, isFirst: !stdout.startsWith('Usage') }).toEqual({ path, headings: 1, isFirst: true });
    seen.push(path.join(' '));
    const below = /^Commands:\n([\s\S]*)/m.exec(stdout)?.[1] ?? '';
    for (const [, name = ''] of below.matchAll(/^ {2}([a-z][a-z0-9-]*)/gm)) if (name !== 'help') left.push([...path, name]);
  }
  expect(seen).toEqual(expect.arrayContaining(['', 'sim', 'device run', 'twin update', 'faults set', 'roots verify', 'token create', 'flash']));
});

test('the version is data', async () => {
  expect(await runCommandLine(['--version'])).toEqual({ exitCode: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), stderr: '' });
});

test.each([
  [['simm'], "unknown command 'simm'\n(Did you mean sim?)"],
  [['sim', '--durration', '5s'], "unknown option '--durration'\n(Did you mean --duration?)"],
  [['sim', '--duration', '30'], '"30" has no unit, did you mean "30s"?\n'],
  [['sim', '--keep', ''], 'is a variable of the shell not set?'],
  [['device', '--root', ' '], 'is a variable of the shell not set?'],
  [['token', 'create', '--resource', ''], 'is a variable of the shell not set?'],
  [['device', 'delete', '-d', ''], 'is a variable of the shell not set?'],
  [['invoke-method', '-d', 'dev1', '--mn', ''], 'is a variable of the shell not set?'],
  [['faults', 'set', 'delay'], 'delay needs --delay'],
  [['faults', 'set', 'clock-offset', '--delay', '1s'], 'clock-offset needs --offset'],
  [['device', 'crate'], "unknown command 'crate'\n(Did you mean create?)"],
  [['sim', '--duration', '1ms'], 'expected 1s to 3285d, got 1ms'],
  [['sim', '--token-ttl', '4s'], 'expected 5s to 365d, got 4s'],
  [['sim', '--token-ttl', '5500ms'], 'expected whole seconds, got 5500ms'],
  [['sim', '--token-ttl', '366d'], 'expected 5s to 365d, got 366d'],
  [['sim', '--port', '65536'], 'expected a whole number from 0 to 65535, got "65536"'],
  [['sim', '--port', '80x'], 'expected a whole number from 0 to 65535, got "80x"'],
  [['sim', '--devices', '0'], 'expected a whole number from 1 to 500, got "0"'],
  [['sim', '--delay', '-1ms'], 'expected a duration such as 30s, 50ms or 1h'],
  [['sim', '--bits', '16'], 'Allowed choices are 32, 64'],
  [['sim', '--scenario', 'wrong'], 'Allowed choices are wrong-key, disabled, hub-clock'],
  [['sim', '--device-clock', 'yesterday'], 'expected a date such as 1970-01-01'],
  [['sim', 'now'], 'too many arguments'],
  [['device', '--ntp', 'a b'], 'expected HOST or HOST:PORT, got "a b"'],
  [['device', '--hub-address', 'h:99999'], 'expected a whole number from 1 to 65535, got "99999"'],
])('%j is a usage error: exit code 2, told on stderr', async (args, message) => {
  const { exitCode, stdout, stderr } = await runCommandLine(args);
  expect([exitCode, stdout]).toEqual([2, '']);
  expect(stderr).toContain(message);
});

test.each([
  ['HostName=h;DeviceId', 'has a part without "="'],
  ['HostName=h;DeviceId=d;SharedAccessKey=bm90IGxvbmc=', 'the key of d must have 16 to 64 bytes, got 8'],
  ['HostName=h;DeviceId=d;SharedAccessKey=this is no base64', 'the key of d is not base64'],
  [`HostName=h;SharedAccessKeyName=owner;SharedAccessKey=${KEY}`, 'has no DeviceId'],
])('a broken connection string exits with 3, says the remedy, and shows no secret: %#', async (connectionString, message) => {
  const { exitCode, stdout, stderr } = await runCommandLine(['device'], { stdin: connectionString });
  expect([exitCode, stdout]).toEqual([3, '']);
  expect(stderr).toContain(message);
  expect(stderr.trim().split('\n').at(-1)).toMatch(/^ {2}\S/);
  for (const secret of [KEY, 'bm90IGxvbmc', 'this is no base64']) expect(stderr).not.toContain(secret);
});

test('without any connection string the device says where one may come from, and exits with 3', async () => {
  const { exitCode, stderr } = await runCommandLine(['device']);
  expect(exitCode).toBe(3);
  expect(stderr).toContain('set IOTHUB_DEVICE_CONNECTION_STRING');
});

test.each([
  [['--scenario', 'key-rotation', '--duration', '2m', '--token-ttl', '21s'], 'a sixth of the run at most: 20s', 'give --token-ttl 20s, or --duration 126s'],
  [['--scenario', 'key-rotation', '--duration', '29s'], 'a run of 30s at least', 'give --duration 30s or more'],
  [['--scenario', 'root-migration', '--devices', '2'], '3 devices at least', 'give --devices 3 or more'],
  [['--no-updates'], 'belongs to the scenario root-migration', 'add --scenario root-migration'],
])('sim %j is refused before anything is built: exit code 2, with the remedy', async (args, message, remedy) => {
  const { exitCode, stdout, stderr } = await runCommandLine(['sim', ...args]);
  expect([exitCode, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(/^error: .*\(ERR_SCENARIO\)\n {2}/);
  expect(stderr).toContain(message);
  expect(stderr).toContain(remedy);
});

test('tokens of key-rotation live a sixth of the run unless the user says otherwise', () => {
  expect([30_000, 90_000, 3_600_000, undefined].map((durationMs) => scenarioDefaults('key-rotation', durationMs).tokenLifeSeconds)).toEqual([5, 15, 60, 20]);
});

test('an error of the system is a sentence with a remedy, and no stack', () => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-error-'));
  const file = join(folder, 'file');
  writeFileSync(file, '');
  const thrown = caught(() => makeFolder(join(file, 'a', 'b'), 0o700));
  rmSync(folder, { recursive: true });
  expect(describeError(thrown)).toBe(`error: cannot mkdir ${join(file, 'a')}: not a directory (ENOTDIR)\n  a file stands where a folder is needed: choose another path`);
  expect(exitCodeOf(thrown)).toBe(3);
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' });
  expect(describeError(full)).toBe('error: cannot write: no space left on device (ENOSPC)\n  the disk is full: make room, or choose another place');
  const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED', syscall: 'connect' });
  expect([describeError(refused).split('\n')[0], exitCodeOf(refused)]).toEqual(['error: connect ECONNREFUSED 127.0.0.1:1 (ECONNREFUSED)', 4]);
});

test('a folder with the folders above it is made, and one that is there is left', () => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-folder-'));
  for (let turn = 0; turn < 2; turn++) makeFolder(join(folder, 'a', 'b'), 0o700);
  const mode = statSync(join(folder, 'a', 'b')).mode & 0o777;
  rmSync(folder, { recursive: true });
  expect(mode).toBe(0o700);
});

function caught(action: () => void): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

test('a root file that holds no certificate exits with 3', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-root-'));
  const file = join(folder, 'root.pem');
  writeFileSync(file, 'no certificate');
  for (const root of [file, join(folder, 'none.pem')]) {
    const { exitCode, stderr } = await runCommandLine(['device', '--root', root], { env: { IOTHUB_DEVICE_CONNECTION_STRING: DEVICE } });
    expect(exitCode).toBe(3);
    expect(stderr).toContain('(ERR_ROOTS)');
    expect(stderr).not.toContain(KEY);
  }
  rmSync(folder, { recursive: true });
});

test('a port in use exits with 4 and says how to find who has it', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const { exitCode, stdout, stderr } = await runCommandLine(['sim', '--port', String(port), '--duration', '1s']);
  server.close();
  expect([exitCode, stdout]).toEqual([4, '']);
  expect(stderr).toContain(`127.0.0.1:${port} is in use (ERR_PORT_IN_USE)`);
  expect(stderr).toContain('or choose another --port');
});
