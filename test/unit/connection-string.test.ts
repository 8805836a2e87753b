import { expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { ConnectionString as SdkConnectionString } from 'azure-iot-common';
import { CliError } from '../../host-sim/terminal/cli-error.ts';
import { formatConnectionString, maskConnectionString, parseConnectionString, requireDevice } from '../../host-sim/terminal/connection-string.ts';
import { readConnectionString } from '../../host-sim/terminal/connection-string-source.ts';
import type { CliContext } from '../../host-sim/terminal/cli-context.ts';

/** Thirty-two bytes that stand for a key. */
const KEY = Buffer.alloc(32, 'secret-key-of-the-device').toString('base64');
const DEVICE = `HostName=hub.azure-devices.net;DeviceId=dev1;SharedAccessKey=${KEY}`;

/** The error's code and text, which must not hold the key or a piece of it. */
function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    const text = `${error.code} ${error.exitCode}: ${error.message} | ${error.remedy}`;
    for (let at = 0; at + 8 <= KEY.length; at++) expect(text).not.toContain(KEY.slice(at, at + 8));
    return text;
  }
  throw new Error('nothing was refused');
}

test.each([
  DEVICE,
  `${DEVICE};`,
  ` ${DEVICE}\n`,
  `HostName=h;DeviceId=d-:.+%_#*?!(),=@$';ModuleId=m;SharedAccessKey=${KEY}`,
  `HostName=h;SharedAccessKeyName=iothubowner;SharedAccessKey=${KEY}`,
  `HostName=h;DeviceId=d;GatewayHostName=localhost:18883;SharedAccessKey=${KEY}`,
  'HostName=h;DeviceId=d;SharedAccessSignature=SharedAccessSignature sr=h%2Fdevices%2Fd&sig=x%3D&se=1',
])("reads what Microsoft's SDK reads, part by part: %#", (text) => {
  const judged: Record<string, unknown> = { ...SdkConnectionString.parse(text.trim().replace(/;$/, '')) };
  expect(parseConnectionString(text, 'test')).toEqual(Object.fromEntries(Object.entries(judged).filter(([, value]) => value !== undefined)));
});

test('formats what it has read', () => {
  expect(formatConnectionString(parseConnectionString(DEVICE, 'test'))).toBe(DEVICE);
});

test('masks key and signature', () => {
  expect(maskConnectionString(parseConnectionString(DEVICE, 'test'))).toBe('HostName=hub.azure-devices.net;DeviceId=dev1;SharedAccessKey=***');
  const withToken = parseConnectionString('HostName=h;DeviceId=d;SharedAccessSignature=SharedAccessSignature sr=h&sig=abc&se=1', 'test');
  expect(maskConnectionString(withToken)).toBe('HostName=h;DeviceId=d;SharedAccessSignature=***');
});

test.each([
  ['', 'is empty'],
  ['HostName', 'has a part without "=" (part 1)'],
  [`HostName=h;${KEY.slice(0, 20)}`, 'has a part without "=" (part 2)'],
  [`HostName=h;${KEY}`, 'has an unknown part (part 2)'],
  ['HostName=h;DeviceID=d', 'has an unknown part "DeviceID" | did you mean "DeviceId"?'],
  [`HostName=h;SharedAcessKey=${KEY}`, 'has an unknown part "SharedAcessKey" | did you mean "SharedAccessKey"?'],
  ['HostName=h;HostName=i', 'has HostName twice'],
  ['HostName=h;DeviceId=;', 'has an empty DeviceId'],
  [`DeviceId=d;SharedAccessKey=${KEY}`, 'has no HostName'],
  [`HostName=${'h'.repeat(9000)}`, 'has more than 8192 characters'],
])('a broken string is refused with what is broken and without its secrets: %#', (text, fault) => {
  expect(refusal(() => parseConnectionString(text, 'dev1.txt'))).toContain(`ERR_CONNECTION_STRING 3: the connection string from dev1.txt ${fault}`);
});

test.each([
  [`HostName=h;SharedAccessKeyName=iothubowner;SharedAccessKey=${KEY}`, 'has no DeviceId'],
  ['HostName=h;DeviceId=d', 'has neither SharedAccessKey nor SharedAccessSignature'],
  ['HostName=h;DeviceId=d;x509=true', 'asks for X.509'],
])('what is no connection string of a device with a symmetric key is refused: %#', (text, fault) => {
  expect(refusal(() => requireDevice(parseConnectionString(text, 'stdin'), 'stdin'))).toContain(fault);
});

function contextWith(env: Record<string, string>, stdin: string | undefined): CliContext {
  const input = Object.assign(Readable.from(stdin === undefined ? [] : [stdin]), { isTTY: stdin === undefined });
  return { stdin: input, stdout: process.stdout, stderr: process.stderr, env, interrupted: new AbortController().signal, exitCode: 0 };
}

test('is taken from the flag, then the file that is named, then the environment, then stdin', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-cs-'));
  const file = join(folder, 'dev1.txt');
  writeFileSync(file, 'HostName=of-file\n');
  const environmentName = 'IOTHUB_DEVICE_CONNECTION_STRING';
  const env = { [environmentName]: 'HostName=of-environment' };
  const hostOf = async (context: CliContext, places: { flag?: string; file?: string }): Promise<string> =>
    (await readConnectionString(context, { ...places, environmentName })).connection.HostName;
  expect(await hostOf(contextWith(env, 'HostName=of-stdin'), { flag: 'HostName=of-flag', file })).toBe('of-flag');
  expect(await hostOf(contextWith(env, 'HostName=of-stdin'), { flag: '-', file })).toBe('of-stdin');
  expect(await hostOf(contextWith(env, 'HostName=of-stdin'), { file })).toBe('of-file');
  expect(await hostOf(contextWith(env, 'HostName=of-stdin'), {})).toBe('of-environment');
  expect(await hostOf(contextWith({}, 'HostName=of-stdin'), { file })).toBe('of-file');
  expect(await hostOf(contextWith({}, 'HostName=of-stdin'), {})).toBe('of-stdin');
  await expect(hostOf(contextWith({}, undefined), {})).rejects.toThrow('there is no connection string');
  await expect(hostOf(contextWith({}, undefined), { file: join(folder, 'none') })).rejects.toThrow('ENOENT');
  await expect(hostOf(contextWith({}, 'x'.repeat(70_000)), {})).rejects.toThrow('stdin is too long');
  rmSync(folder, { recursive: true });
});
