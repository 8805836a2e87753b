import { afterEach, expect, test } from '@jest/globals';
import { mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { recordEvidence } from '../../evidence.ts';
import type { CliRun } from '../../fakes/cli-run.ts';
import { FlashWorld, type FlashWorldOptions } from './flash-world.ts';

const ONLINE = ['ESP-ROM:esp32c3-api1-20210207', '{"event":"wifi","state":"connected"}', '{"event":"network","address":"10.0.2.15"}', '{"event":"connected","sessionPresent":false}'];

let world: FlashWorld;
afterEach(() => world.close());

async function start(options: FlashWorldOptions = {}): Promise<FlashWorld> {
  world = await FlashWorld.open({ lines: ONLINE, ...options });
  return world;
}

test.each([4, 5] as const)('version %i of esptool writes firmware and device, the chip compares, and the log is shown until online', async (major) => {
  await start({ esptool: { major } });
  const { exitCode, stdout, stderr } = await world.run();
  expect([exitCode, stderr]).toEqual([0, '']);
  const { written, erased, calls } = world.esptool.state();
  const size = (folder: string, name: string): number => statSync(join(folder, name)).size;
  expect(written).toEqual([
    [0, size(world.firmware, 'bootloader.bin')], [0x10000, 0xc00], [0x11000, 0x10000], [0x21000, 0x2000], [0x25000, 0x2000], [0x40000, size(world.firmware, 'xs_esp32.bin')],
  ]);
  expect(erased).toEqual([[0x27000, 0x19000]]);
  const spell = (name: string): string => (major === 5 ? name : name.replaceAll('-', '_'));
  expect(calls.map(({ args }) => args.find((arg) => /^(version|chip.id|erase.region|write.flash)$/.test(arg)))).toEqual(['version', spell('chip-id'), spell('erase-region'), spell('write-flash')]);
  expect(calls[3]?.args.slice(0, 10)).toEqual(['--chip', 'esp32c3', '--port', world.port, '--baud', '460800', '--before', spell('default-reset'), '--after', spell('hard-reset')]);
  expect(stdout).toContain(`board 7c:df:a1:00:11:22 at ${world.port}: ESP32-C3\n`);
  expect(stdout).toContain(' 50 %  xs_esp32.bin\n');
  expect(stdout).toContain('6 files, ');
  expect(stdout.trimEnd().split('\n').slice(-2)).toEqual(['  {"event":"connected","sessionPresent":false}', expect.stringMatching(/^online after \d+\.\d s$/)]);
});

test('--json tells the same as objects, one a line', async () => {
  await start();
  const { stdout } = await world.run(['--json']);
  const events = stdout.trim().split('\n').map((line) => JSON.parse(line) as { event: string });
  expect([...new Set(events.map(({ event }) => event))]).toEqual(['board', 'plan', 'erased', 'progress', 'verified', 'log', 'online']);
});

test('without --provision settings and key on the board stay', async () => {
  await start();
  const { runCommandLine } = await import('../../fakes/cli-run.ts');
  await runCommandLine(['flash', '--chip', 'esp32c3', '--port', world.port, '--firmware', world.firmware, '--no-log'], { env: { PATH: join(world.folder, 'bin') } });
  expect(world.esptool.state().written.map(([offset]) => offset)).toEqual([0, 0x10000, 0x21000, 0x40000]);
  expect(world.esptool.state().erased).toEqual([]);
});

test('--log-only writes nothing', async () => {
  await start();
  expect((await world.run(['--log-only'])).exitCode).toBe(0);
  expect(world.esptool.state().calls).toEqual([]);
});

interface BadInput {
  readonly name: string;
  readonly options?: FlashWorldOptions;
  readonly args?: readonly string[];
  readonly prepare?: () => void;
  readonly exitCode: number;
  readonly message: string;
  readonly remedy: string;
  /** Nothing was written. */
  readonly untouched?: true;
}

const path = (name: string): string => join(world.firmware, name);
const patch = (name: string, at: number, value: number): void => {
  const bytes = readFileSync(path(name));
  bytes[at] = value;
  writeFileSync(path(name), bytes);
};
const failing = (code: string, times = 3): readonly string[] => Array.from({ length: times }, () => JSON.stringify({ event: 'wifi', state: 'failed', code, retryMs: 1000 }));

const BAD: readonly BadInput[] = [
  { name: 'no board at the port', args: ['--port', '/dev/ttyNONE'], exitCode: 4, message: 'no board answers at /dev/ttyNONE', remedy: 'plug it in', untouched: true },
  { name: 'a board that does not answer', options: { boards: { '/dev/ttyX': { title: 'ESP32-C3', family: 'esp32c3', mac: '', silent: true } } }, args: ['--port', '/dev/ttyX'], exitCode: 4, message: 'No serial data received', remedy: 'hold BOOT', untouched: true },
  { name: 'a port that this user may not open', options: { boards: { '/dev/ttyX': { title: 'ESP32-C3', family: 'esp32c3', mac: '', denied: true } } }, args: ['--port', '/dev/ttyX'], exitCode: 4, message: 'this user may not open /dev/ttyX', remedy: 'usermod -aG dialout', untouched: true },
  { name: 'another chip', options: { boards: { '/dev/ttyX': { title: 'ESP32-S3', family: 'esp32s3', mac: '00:00:00:00:00:01' } } }, args: ['--port', '/dev/ttyX'], exitCode: 3, message: 'the board at /dev/ttyX has ESP32-S3, not ESP32-C3', remedy: '--chip esp32s3', untouched: true },
  { name: 'a classic ESP32 by its full name', options: { boards: { '/dev/ttyX': { title: 'ESP32-D0WD-V3', family: 'esp32', mac: '00:00:00:00:00:01' } } }, args: ['--port', '/dev/ttyX'], exitCode: 3, message: 'the board at /dev/ttyX has ESP32, not ESP32-C3', remedy: '--chip esp32', untouched: true },
  { name: 'a firmware for another chip', options: { family: 'esp32s3' }, exitCode: 3, message: 'is made for ESP32-S3, not for ESP32-C3', remedy: 'firmware build --chip', untouched: true },
  { name: 'a device that was provisioned for another chip', args: ['--chip', 'esp32s3'], options: { family: 'esp32s3' }, exitCode: 3, message: 'was provisioned for esp32c3', remedy: 'latchkey provision --chip esp32s3', untouched: true },
  { name: 'an application that is cut', prepare: () => truncateSync(path('xs_esp32.bin'), 4000), exitCode: 3, message: 'xs_esp32.bin is broken: it ends in segment 0', remedy: 'firmware build', untouched: true },
  { name: 'an application with a changed byte', prepare: () => patch('xs_esp32.bin', 100, 0xff), exitCode: 3, message: 'its checksum does not match', remedy: 'firmware build', untouched: true },
  { name: 'a bootloader that is none', prepare: () => patch('bootloader.bin', 0, 0), exitCode: 3, message: 'it is no image for an ESP32', remedy: 'firmware build', untouched: true },
  { name: 'a changed partition table', prepare: () => patch('partition-table.bin', 5, 1), exitCode: 3, message: 'its MD5 does not match', remedy: 'firmware build', untouched: true },
  { name: 'no build', args: ['--firmware', '/nonexistent'], exitCode: 3, message: '/nonexistent has no bootloader.bin', remedy: 'latchkey firmware build --chip esp32c3', untouched: true },
  { name: 'no provisioning', args: ['--provision', '/nonexistent'], exitCode: 3, message: 'holds no provision.json', remedy: 'latchkey provision', untouched: true },
  { name: 'readable settings for a firmware that encrypts them', prepare: () => { mkdirSync(path('../sdkconfig')); writeFileSync(path('../sdkconfig/sdkconfig.defaults'), 'CONFIG_A=n\nCONFIG_NVS_ENCRYPTION=y\n'); }, exitCode: 3, message: 'the firmware was built with --release, the device was provisioned without it', remedy: 'run latchkey provision with --release', untouched: true },
  { name: 'power that goes while writing', options: { esptool: { cutAt: 2 } }, exitCode: 1, message: 'the board or the tool went away (The chip stopped responding.)', remedy: 'run the same command again' },
  { name: 'a tool that is killed while writing', options: { esptool: { cutAt: 1, cut: 'killed' } }, exitCode: 1, message: 'the flash was written in part only', remedy: 'run the same command again' },
  { name: 'a file that the chip does not confirm', options: { esptool: { unverified: 3 } }, exitCode: 1, message: 'the chip has confirmed 5 of 6 files', remedy: 'run the same command again' },
  { name: 'a wrong Wi-Fi password', options: { lines: failing('ERR_WIFI_PASSWORD') }, args: ['--log-only'], exitCode: 1, message: 'the access point refuses the Wi-Fi password (ERR_WIFI_PASSWORD)', remedy: '--keep-key' },
  { name: 'no NTP', options: { lines: ['{"event":"clock-trouble","code":"ERR_NTP_SILENT","detail":0}'] }, args: ['--log-only', '--timeout', '1s'], exitCode: 124, message: 'not online after 1 s: no time server answers', remedy: '--ntp HOST' },
  { name: 'settings that are full', options: { lines: ['{"event":"error","code":"ERR_NVS_FULL","message":""}'] }, args: ['--log-only'], exitCode: 1, message: 'there is no room for another setting', remedy: 'partitions.csv' },
  { name: 'an unburnt block', options: { lines: ['{"event":"error","code":"ERR_SIGNER_EFUSE_UNBURNT","message":""}'] }, args: ['--log-only'], exitCode: 1, message: 'is not burnt', remedy: '--burn' },
  { name: 'an unprotected block', options: { lines: ['{"event":"error","code":"ERR_SIGNER_EFUSE_READABLE","message":""}'] }, args: ['--log-only'], exitCode: 1, message: 'can be read by software', remedy: '--new-key' },
  { name: 'a block with another purpose', options: { lines: ['{"event":"error","code":"ERR_SIGNER_EFUSE_PURPOSE","message":""}'] }, args: ['--log-only'], exitCode: 1, message: 'another purpose than HMAC_UP', remedy: '--signer-block' },
  { name: 'a board that prints nothing', options: { lines: [] }, args: ['--log-only', '--timeout', '1s'], exitCode: 124, message: 'the board prints nothing', remedy: 'press RESET' },
  { name: 'a log that ends', options: { lines: [ONLINE[0] ?? ''], ends: true }, args: ['--log-only'], exitCode: 4, message: 'has ended: the board went away', remedy: '--log-only' },
];

test.each(BAD.map((bad) => [bad.name, bad] as const))('%s is told with the remedy', async (_, bad) => {
  await start(bad.options);
  bad.prepare?.();
  const { exitCode, stderr, stdout }: CliRun = await world.run(bad.args);
  expect([exitCode, stderr]).toEqual([bad.exitCode, expect.stringContaining(bad.message)]);
  expect(stderr).toContain(bad.remedy);
  expect(stdout).not.toContain('online after');
  if (bad.untouched === true) expect([world.esptool.state().written, world.esptool.state().erased]).toEqual([[], []]);
});

test('the counted bad inputs ran', async () => {
  await start();
  recordEvidence('flash-bad-input', BAD.length);
});

test('after a cut, the same command writes every file anew', async () => {
  await start({ esptool: { cutAt: 4 } });
  expect((await world.run()).exitCode).toBe(1);
  const state = world.esptool.state();
  expect(state.written).toHaveLength(0);
  writeFileSync(join(world.folder, 'bin/esptool.state.json'), JSON.stringify({ ...state, cutAt: undefined }));
  expect((await world.run()).exitCode).toBe(0);
  expect(world.esptool.state().written).toHaveLength(6);
});

test('control characters of a log do not steer the terminal', async () => {
  await start({ lines: ['\u001b[2J\u0007evil', ...ONLINE] });
  const { stdout } = await world.run(['--log-only']);
  expect(stdout).toContain('  \ufffd[2J\ufffdevil\n');
});

test('Ctrl-C while the log is shown ends the command as interrupted', async () => {
  await start({ lines: ['waiting'] });
  const controller = new AbortController();
  const { exitCode } = await world.run(['--log-only'], { interrupted: controller.signal, onOutput: (text) => text.includes('waiting') && controller.abort() });
  expect(exitCode).toBe(130);
});

test('no byte of the key is in arguments, environment or output', async () => {
  await start();
  const { stdout, stderr } = await world.run();
  const key = Buffer.alloc(32, 1);
  const places = [stdout, stderr, ...world.esptool.state().calls.flatMap((call) => [...call.args, ...call.environment])];
  for (const dress of [key.toString('latin1'), key.toString('hex'), key.toString('base64')]) expect(places.filter((place) => place.includes(dress))).toEqual([]);
});
