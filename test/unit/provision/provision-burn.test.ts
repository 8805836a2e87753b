import { afterEach, expect, jest, test } from '@jest/globals';
import { createHmac } from 'node:crypto';
import fs, { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { recordEvidence } from '../../evidence.ts';
import { EMPTY_BLOCK, type EspefuseState, type FakeBlock } from '../../fakes/chip-tools/fake-tools.ts';
import type { CliRun } from '../../fakes/cli-run.ts';
import { dressesOf, HUB, KEY, ProvisionWorld, WIFI_PASSWORD } from './provision-world.ts';

const MAC = '7c:df:a1:00:11:22';
const WORDS = `burn KEY4 KEY5 ${MAC}`;
const BURN = ['--release', '--burn', '--port', '/dev/ttyTEST'];

let world: ProvisionWorld;
afterEach(() => world.remove());

function start(efuses: Partial<EspefuseState> = {}): void {
  world = new ProvisionWorld(efuses);
}

const burn = (args: readonly string[] = [], typed = `${WORDS}\n`): Promise<CliRun> => world.run([...BURN, ...args], { typed });
const blocks = (): readonly FakeBlock[] => world.efuse.state().blocks;
const withBlock = (index: number, block: Partial<FakeBlock>): readonly FakeBlock[] => Array.from({ length: 6 }, (_, i) => (i === index ? { ...EMPTY_BLOCK, ...block } : EMPTY_BLOCK));

test.each([4, 5] as const)('version %i of espefuse burns both keys in one run, after the words were typed', async (major) => {
  start({ major });
  const { exitCode, stdout } = await burn();
  expect(exitCode).toBe(0);
  expect(stdout).toContain('BLOCK_KEY4 is burnt: HMAC_UP, neither readable nor writable\nBLOCK_KEY5 is burnt: HMAC_UP, neither readable nor writable\n');
  expect(blocks()[4]).toEqual({ key: KEY.toString('hex'), purpose: 'HMAC_UP', readable: false, writeable: false });
  expect(blocks()[5]).toMatchObject({ purpose: 'HMAC_UP', readable: false, writeable: false });
  const { calls } = world.efuse.state();
  expect(calls.map(({ args }) => args.find((arg) => /^(summary|burn.key)$/.test(arg)))).toEqual(['summary', major === 5 ? 'burn-key' : 'burn_key', 'summary']);
  expect(calls[1]?.args.slice(0, 5)).toEqual(['--chip', 'esp32c3', '--port', '/dev/ttyTEST', '--do-not-confirm']);
  expect(world.files().map(([name]) => name)).toEqual(['nvs.bin', 'provision.json', 'signer.bin']);
});

test('a new key: the hub gets what the device derives from the secret in the block', async () => {
  start();
  const { exitCode, stdout } = await burn(['--new-key']);
  expect(exitCode).toBe(0);
  const secret = Buffer.from(blocks()[4]?.key ?? '', 'hex');
  for (const [n, name] of [[1, 'primary.key'], [2, 'secondary.key']] as const) {
    const expected = createHmac('sha256', secret).update(`latchkey-hub-key-v1\n${HUB}\ndev1\n${n}`).digest('base64');
    expect(world.read(name).toString()).toBe(expected);
    expect(stdout).not.toContain(expected);
  }
  expect(stdout).toContain(`az iot hub device-identity update --hub-name myhub --device-id dev1 --primary-key "$(cat ${world.out}/primary.key)" --secondary-key "$(cat ${world.out}/secondary.key)"`);
});

test.each(['', 'yes\n', 'y\n', `${WORDS.toUpperCase()}\n`, 'burn KEY4 KEY5\n', `${WORDS} \n`])('%j is not what was asked for: nothing is burnt and nothing is written', async (typed) => {
  start();
  const { exitCode, stderr } = await burn([], typed);
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining(`type exactly: ${WORDS}`)]);
  expect(blocks()).toEqual(withBlock(0, {}));
  expect(existsSync(world.out)).toBe(false);
});

test('a pipe cannot confirm: nothing is burnt', async () => {
  start();
  const { exitCode, stderr } = await world.run(BURN, { stdin: `${WORDS}\n` });
  expect([exitCode, stderr]).toEqual([3, expect.stringContaining('burning asks a person, and stdin is no terminal')]);
  expect(blocks()).toEqual(withBlock(0, {}));
});

test.each([
  ['another purpose', withBlock(4, { purpose: 'SECURE_BOOT_DIGEST0', writeable: false }), 'BLOCK_KEY4 was burnt for the purpose SECURE_BOOT_DIGEST0'],
  ['a key', withBlock(5, { purpose: 'HMAC_UP', readable: false, writeable: false }), 'BLOCK_KEY5 was burnt for the purpose HMAC_UP'],
  ['bytes of a user', withBlock(4, { key: `01${'00'.repeat(31)}` }), 'BLOCK_KEY4 holds bytes already'],
  ['a read protection', withBlock(4, { readable: false }), 'BLOCK_KEY4 is read-protected'],
  ['a write protection', withBlock(4, { writeable: false }), 'BLOCK_KEY4 is write-protected'],
])('a block with %s is refused before anything is asked', async (_, state, message) => {
  start({ blocks: state });
  const { exitCode, stderr } = await burn();
  expect([exitCode, stderr]).toEqual([3, expect.stringContaining(message)]);
  expect(stderr).toContain('--signer-block');
  expect(blocks()).toEqual(state);
});

test('another block is taken where the user names it', async () => {
  start({ blocks: withBlock(4, { purpose: 'SECURE_BOOT_DIGEST0' }) });
  expect((await burn(['--signer-block', '3'], `burn KEY3 KEY5 ${MAC}\n`)).exitCode).toBe(0);
  expect(blocks()[3]).toMatchObject({ key: KEY.toString('hex'), purpose: 'HMAC_UP' });
  expect([...world.read('signer.bin').subarray(8, 16)]).toEqual([1, 0, 3, 1, 0, HUB.length + 14, 0, 3]);
});

test('a second secret goes into another block: the block of the settings is looked at, and not burnt again', async () => {
  const burnt: FakeBlock = { key: 'ee'.repeat(32), purpose: 'HMAC_UP', readable: false, writeable: false };
  start({ blocks: Array.from({ length: 6 }, (_, i) => (i >= 4 ? burnt : EMPTY_BLOCK)) });
  const nvsKey = world.write('nvs.key', Buffer.alloc(32, 0xee));
  const args = ['--new-key', '--signer-block', '3', '--nvs-key', nvsKey];
  expect(await burn(args, `burn KEY3 ${MAC}\n`)).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('BLOCK_KEY3 is burnt') });
  expect(blocks()[3]).toMatchObject({ purpose: 'HMAC_UP', readable: false });
  expect(blocks()[5]).toEqual(burnt);
  world.remove();
  start();
  expect(await burn([...args.slice(0, 3), '--nvs-key', world.write('nvs.key', Buffer.alloc(32))], `burn KEY3 ${MAC}\n`)).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('BLOCK_KEY5 is not burnt') });
  expect(blocks()[3]).toEqual(EMPTY_BLOCK);
});

test('a block that is still readable after burning is told, and never called good', async () => {
  start({ leavesReadable: true });
  const { exitCode, stderr, stdout } = await burn();
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining('BLOCK_KEY4 can be read by software')]);
  expect(stdout).not.toContain('is burnt');
});

test.each([
  ["Could not open /dev/ttyTEST, the port is busy or doesn't exist.", 4, 'no board answers at /dev/ttyTEST'],
  ['Failed to connect to ESP32-C3: No serial data received.', 4, 'no board answers at /dev/ttyTEST'],
  ['This chip is ESP32-S3, not esp32c3. Wrong chip argument?', 3, 'the board at /dev/ttyTEST is no ESP32-C3'],
])('%s', async (fault, code, message) => {
  start({ fault });
  const { exitCode, stderr } = await burn();
  expect([exitCode, stderr]).toEqual([code, expect.stringContaining(message)]);
});

test('a burn that fails is told with what espefuse said', async () => {
  start({ burnFault: 'Burn was not successful' });
  const { exitCode, stderr } = await burn();
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining('the keys were not burnt: Burn was not successful')]);
});

test('an espefuse that is not there is named with the line that installs it', async () => {
  start();
  const { exitCode, stderr } = await world.run(BURN, { typed: '', env: { PATH: '/nonexistent' } });
  expect([exitCode, stderr]).toEqual([3, expect.stringContaining('espefuse is not on the path')]);
  expect(stderr).toContain('pipx install esptool');
});

test('no secret is in output, arguments, environments, names or files that stay, whatever the way', async () => {
  let scanned = 0;
  const found: string[] = [];
  const makeFolder = jest.spyOn(fs, 'mkdtempSync');
  for (const [args, efuses] of [[[], {}], [['--new-key'], {}], [['--new-key'], { burnFault: 'no' }], [['--json'], { major: 4 }], [[], { leavesReadable: true }]] as const) {
    start(efuses);
    const { stdout, stderr } = await burn(args);
    const { calls, blocks: burnt } = world.efuse.state();
    const secrets = [KEY, Buffer.from(WIFI_PASSWORD), ...burnt.flatMap(({ key, purpose }) => (purpose === 'USER' ? [] : [Buffer.from(key, 'hex')]))];
    const places = [stdout, stderr, ...calls.flatMap((call) => [...call.args, ...call.environment]), readFileSync(join(world.out, 'provision.json'), 'latin1'), world.read('nvs.bin').toString('latin1'), world.read('signer.bin').toString('latin1')];
    const dresses = secrets.flatMap(dressesOf);
    for (const place of places) found.push(...dresses.filter((dress) => place.includes(dress)));
    scanned += dresses.length * places.length;
    world.remove();
  }
  expect(found).toEqual([]);
  const pipes = makeFolder.mock.results.map(({ value }) => String(value)).filter((path) => path.includes('latchkey-pipe-'));
  makeFolder.mockRestore();
  expect(pipes.length).toBeGreaterThanOrEqual(5);
  expect(pipes.filter((path) => existsSync(path))).toEqual([]);
  // The scan does find what is there.
  expect([...dressesOf(KEY)].some((dress) => `x${KEY.toString('base64')}y`.includes(dress))).toBe(true);
  expect(scanned).toBeGreaterThan(500);
  recordEvidence('provision-secrets-unseen', 5);
});
