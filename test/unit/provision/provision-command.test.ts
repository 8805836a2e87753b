import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { projectPath } from '../../../host-sim/board/project-path.ts';
import { decodeNvs } from '../../../host-sim/nvs/nvs-reader.ts';
import { decodeNvsKeys, deriveNvsKeys, type NvsKeys } from '../../../host-sim/nvs/nvs-keys.ts';
import { makeBundle, makeUpdateKey, trusted } from '../../fakes/root-bundles.ts';
import { HUB, KEY, ProvisionWorld, WIFI_PASSWORD } from './provision-world.ts';

let world: ProvisionWorld;
beforeEach(() => {
  world = new ProvisionWorld();
});
afterEach(() => world.remove());

function settingsOf(image: Uint8Array, keys?: NvsKeys): Record<string, unknown> {
  return Object.fromEntries(decodeNvs(image, keys).map(({ namespace, key, value }) => [`${namespace}/${key}`, value]));
}

test('a board on the desk gets readable settings and its key in the key partition, and nothing is burnt', async () => {
  const { exitCode, stdout } = await world.run([]);
  expect(exitCode).toBe(0);
  expect(stdout.split('\n').slice(1, 5)).toEqual([
    'write 0x011000-0x020fff  nvs       10 settings, readable',
    'write 0x025000-0x026fff  signer    the key, and what it may sign for',
    'erase 0x027000-0x03ffff  latchkey  what an earlier device has left',
    `written to ${world.out}: nvs.bin, signer.bin`,
  ]);
  expect(world.files()).toEqual([['nvs.bin', 0o600], ['provision.json', 0o600], ['signer.bin', 0o600]]);
  const settings = settingsOf(world.read('nvs.bin'));
  expect(settings).toMatchObject({
    'latchkey/hub': HUB, 'latchkey/device': 'dev1', 'latchkey/port': '8883', 'latchkey/ntp0': 'pool.ntp.org', 'latchkey/ntp1': 'time.windows.com',
    'latchkey/date': `${HUB}:443`, 'latchkey/wifi-ssid': 'home', 'latchkey/wifi-pass': WIFI_PASSWORD,
  });
  for (const name of ['latchkey/root0', 'latchkey/root1']) expect(new X509Certificate(settings[name] as Uint8Array).ca).toBe(true);
  const signer = world.read('signer.bin');
  expect(signer).toHaveLength(0x2000);
  expect(signer.subarray(0, 15).equals(Buffer.from([...Buffer.from('LKKEYS1\n'), 1, 0, 1, 32, 0, HUB.length + 14, 0]))).toBe(true);
  expect(signer.subarray(15, 47).equals(KEY)).toBe(true);
  expect(signer.subarray(47, 47 + HUB.length + 14).toString('latin1')).toBe(`${HUB}/devices/dev1\0`);
  expect(world.efuse.state().calls).toEqual([]);
});

test('a board that is given a bundle of roots begins with its roots and keys, and knows where the next one comes from', async () => {
  const key = await makeUpdateKey();
  const root = readFileSync(projectPath('certs/digicert-global-root-g2.der'));
  const bundle = world.write('4.json', await makeBundle({ version: 4, roots: [trusted(root)], keys: [key], threshold: 1 }, [key]));
  expect((await world.run(['--roots-bundle', bundle, '--recovery-host', 'roots.example'])).exitCode).toBe(0);
  const settings = settingsOf(world.read('nvs.bin'));
  expect(settings).toMatchObject({ 'latchkey/rneed': '1', 'latchkey/rversion': '4', 'latchkey/recovery': 'roots.example:80' });
  expect(key.point.equals(settings['latchkey/rkeys'] as Uint8Array)).toBe(true);
  expect(root.equals(settings['latchkey/root0'] as Uint8Array)).toBe(true);
  expect(settings['latchkey/root1']).toBeUndefined();
});

test('a classic ESP32 in release gets the keys of its encrypted settings in nvs_keys', async () => {
  expect((await world.run(['--chip', 'esp32', '--release'])).exitCode).toBe(0);
  const keys = decodeNvsKeys(world.read('nvs_keys.bin'));
  expect(settingsOf(world.read('nvs.bin'), keys)).toMatchObject({ 'latchkey/hub': HUB });
  expect(world.read('signer.bin').includes(KEY)).toBe(true);
});

test('a release for a chip with HMAC encrypts the settings under the key for BLOCK_KEY5, and puts only the place of the device key into flash', async () => {
  const { exitCode, stdout } = await world.run(['--release']);
  expect(exitCode).toBe(0);
  expect(world.files().map(([name]) => name)).toEqual(['efuse-key4.bin', 'efuse-key5.bin', 'nvs.bin', 'provision.json', 'signer.bin']);
  expect(stdout).toContain(`espefuse --chip esp32c3 --port PORT burn-key BLOCK_KEY4 ${world.out}/efuse-key4.bin HMAC_UP BLOCK_KEY5 ${world.out}/efuse-key5.bin HMAC_UP`);
  expect(settingsOf(world.read('nvs.bin'), deriveNvsKeys(world.read('efuse-key5.bin')))).toMatchObject({ 'latchkey/hub': HUB });
  expect(world.read('efuse-key4.bin').equals(KEY)).toBe(true);
  const signer = world.read('signer.bin');
  expect(signer.includes(KEY)).toBe(false);
  expect([...signer.subarray(8, 16)]).toEqual([1, 0, 3, 1, 0, HUB.length + 14, 0, 4]);
});

test('a dry run shows ranges and blocks, asks for no password, and writes nothing', async () => {
  const { exitCode, stdout } = await world.run(['--release', '--dry-run', '--wifi-ssid', 'home']);
  expect(exitCode).toBe(0);
  expect(stdout).toContain('would provision dev1');
  expect(stdout).toContain("burn  BLOCK_KEY4  HMAC_UP, read- and write-protected  the signer's key: cannot be undone");
  expect(stdout).toContain('burn  BLOCK_KEY5  HMAC_UP, read- and write-protected  the key of the encrypted settings: cannot be undone');
  expect(existsSync(world.out)).toBe(false);
});

test('--json gives the same plan, one object a line', async () => {
  const { stdout } = await world.run(['--dry-run', '--json']);
  const events = stdout.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(events.map(({ event }) => event)).toEqual(['plan', 'range', 'range', 'range', 'done']);
  expect(events[1]).toEqual({ event: 'range', action: 'write', partition: 'nvs', from: 0x11000, to: 0x20fff, what: '10 settings, readable' });
});

test('a module signs for itself only, and a policy keeps its name', async () => {
  world.write('device.txt', `HostName=${HUB};DeviceId=dev1;ModuleId=m;SharedAccessKeyName=policy;SharedAccessKey=${KEY.toString('base64')}`);
  expect((await world.run([])).exitCode).toBe(0);
  expect(settingsOf(world.read('nvs.bin'))).toMatchObject({ 'latchkey/module': 'm', 'latchkey/skn': 'policy' });
  expect(world.read('signer.bin').includes(`${HUB}/devices/dev1/modules/m\0`)).toBe(true);
});

test('--gateway takes the root of the hub that runs here under that name, and no other', async () => {
  const { openLocalPki } = await import('../../../host-sim/simulation/local-pki.ts');
  const label = `provision-test-${process.pid}`;
  const pki = await openLocalPki(['gateway.provision.test'], Date.now(), label);
  try {
    expect((await world.run(['--gateway', 'gateway.provision.test:18883'])).exitCode).toBe(0);
    const settings = settingsOf(world.read('nvs.bin'));
    expect(settings).toMatchObject({ 'latchkey/gateway': 'gateway.provision.test', 'latchkey/port': '18883', 'latchkey/hub': HUB });
    expect(Buffer.from(settings['latchkey/root0'] as Uint8Array).equals(Buffer.from(pki.rootDer))).toBe(true);
    expect(Object.keys(settings).filter((key) => /root|date/.test(key))).toEqual(['latchkey/root0']);
  } finally {
    rmSync(projectPath(`.build/pki-${label}`), { recursive: true });
  }
});

test('a group enrolment gives the device a key of its own: the group key is in no file', async () => {
  const group = Buffer.alloc(64, 0x77);
  const key = world.write('group.txt', group.toString('base64'));
  const args = ['--dps-scope', '0ne00AB12CD', '--dps-registration', 'reg-1', '--dps-key-file', key, '--dps-group', '--hub', HUB, '--hub', 'other.azure-devices.net'];
  expect((await world.run(args)).exitCode).toBe(0);
  const signer = world.read('signer.bin');
  expect(signer.includes(Buffer.alloc(32, 0x77))).toBe(false);
  for (const prefix of ['0ne00AB12CD/registrations/reg-1', `${HUB}/devices/reg-1`, 'other.azure-devices.net/devices/reg-1']) expect(signer.includes(`${prefix}\0`)).toBe(true);
  expect(settingsOf(world.read('nvs.bin'))).toMatchObject({ 'latchkey/dps-scope': '0ne00AB12CD', 'latchkey/dps-id': 'reg-1', 'latchkey/device': 'reg-1', 'latchkey/date': 'global.azure-devices-provisioning.net:443' });
  // It is assigned.
  expect(settingsOf(world.read('nvs.bin'))).not.toHaveProperty(['latchkey/hub']);
});

test('--keep-key writes settings and nothing else; an encrypted board needs the key of its settings', async () => {
  expect((await world.run(['--keep-key'])).stdout).not.toMatch(/signer|erase|burn/);
  expect(world.files().map(([name]) => name)).toEqual(['nvs.bin', 'provision.json']);
  expect(await world.run(['--keep-key', '--release'])).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('give the file that --save-nvs-key wrote') });
  const nvsKey = world.write('nvs.key', Buffer.alloc(32, 3));
  expect((await world.run(['--keep-key', '--release', '--nvs-key', nvsKey])).exitCode).toBe(0);
  expect(settingsOf(world.read('nvs.bin'), deriveNvsKeys(readFileSync(nvsKey)))).toMatchObject({ 'latchkey/wifi-ssid': 'home' });
});

test('a secret is one that the board derives hub keys from: it knows which, and later changes over to the next', async () => {
  const secretFile = join(world.folder, 'secret');
  expect((await world.run(['--new-key', '--save-secret', secretFile])).exitCode).toBe(0);
  expect(settingsOf(world.read('nvs.bin'))).toMatchObject({ 'latchkey/keyn': '1' });
  const second = world.read('secondary.key').toString();
  expect(world.read('signer.bin').subarray(15, 47).equals(readFileSync(secretFile))).toBe(true);
  // Settings alone: the number stays.
  expect((await world.run(['--keep-key', '--app', 'thermostat'])).exitCode).toBe(0);
  expect(settingsOf(world.read('nvs.bin'))).toMatchObject({ 'latchkey/keyn': '1', 'latchkey/app': 'thermostat' });
  expect((await world.run(['--keep-key', '--key-number', '2'])).exitCode).toBe(0);
  expect(settingsOf(world.read('nvs.bin'))).toMatchObject({ 'latchkey/keyn': '2' });
  expect(world.files().map(([name]) => name)).toEqual(['nvs.bin', 'provision.json']);
  // With the secret at hand the hub gets that key and the next one.
  expect((await world.run(['--keep-key', '--key-number', '2', '--secret-file', secretFile])).exitCode).toBe(0);
  expect(world.read('primary.key').toString()).toBe(second);
});

test('--save-nvs-key keeps the key with which the settings can be changed later', async () => {
  const file = join(world.folder, 'kept.key');
  expect((await world.run(['--release', '--save-nvs-key', file])).exitCode).toBe(0);
  expect(settingsOf(world.read('nvs.bin'), deriveNvsKeys(readFileSync(file)))).toMatchObject({ 'latchkey/hub': HUB });
});

test.each([
  ['a 64-byte key for a block', ['--release'], `HostName=${HUB};DeviceId=dev1;SharedAccessKey=${Buffer.alloc(64, 1).toString('base64')}`, 'does not fit an eFuse block', '--new-key'],
  ["the signer in the block of NVS encryption", ['--release', '--signer-block', '5'], undefined, 'BLOCK_KEY5 is that of NVS encryption', '--signer-block 0 to 4'],
  ['an eFuse block on a classic ESP32', ['--chip', 'esp32', '--key-store', 'efuse'], undefined, 'ESP32 has no HMAC peripheral', '--key-store partition'],
  ['a connection string without a key', [], `HostName=${HUB};DeviceId=dev1`, 'has no SharedAccessKey', '--new-key'],
  ['a token instead of a key', [], `HostName=${HUB};DeviceId=dev1;SharedAccessSignature=SharedAccessSignature sr=x`, 'has a token that ends', '--new-key'],
  ['a service connection string', [], `HostName=${HUB};SharedAccessKeyName=owner;SharedAccessKey=${KEY.toString('base64')}`, 'has no DeviceId', 'connection string of a device'],
  ['a scope that is none', ['--dps-scope', 'mine', '--dps-registration', 'r'], undefined, '"mine" is no ID scope', '0ne'],
  ['DPS without a hub', ['--dps-scope', '0ne00AB12CD', '--dps-registration', 'r'], undefined, 'must be bound to hubs', '--hub'],
  ['an SSID of 33 bytes', ['--wifi-open', '--wifi-ssid', 'x'.repeat(33)], undefined, 'an SSID has 1 to 32 bytes, not 33', 'access point'],
  ['a gateway whose hub never ran', ['--gateway', 'gateway.invalid:1'], undefined, 'no hub on this machine has a certificate for gateway.invalid', 'latchkey hub --address gateway.invalid'],
])('%s is refused with the remedy, and nothing is written', async (_, args, connection, message, remedy) => {
  if (connection !== undefined) world.write('device.txt', connection);
  const { exitCode, stderr } = await world.run(args);
  expect([exitCode, stderr]).toEqual([3, expect.stringContaining(message)]);
  expect(stderr).toContain(remedy);
  expect(existsSync(world.out)).toBe(false);
});

test('nine roots are refused', async () => {
  const root = join(process.cwd(), 'certs/microsoft-rsa-root-2017.der');
  const { exitCode, stderr } = await world.run(Array.from({ length: 9 }, () => ['--root', root]).flat());
  expect([exitCode, stderr]).toEqual([3, expect.stringContaining('9 roots are too many')]);
});

test.each([['short', '5 characters'], ['x'.repeat(64), '64 characters'], ['pässwörter', '10 characters']])('the Wi-Fi password %j is refused, and not repeated', async (password, said) => {
  world.write('wifi.txt', password);
  const { exitCode, stderr } = await world.run([]);
  expect([exitCode, stderr]).toEqual([3, expect.stringContaining(said)]);
  expect(stderr).not.toContain(password);
});

test('a password is asked for on a terminal, and typed unseen', async () => {
  const { exitCode, stderr, stdout } = await world.run(['--wifi-ssid', 'home'], { typed: `${WIFI_PASSWORD}x\u007f\r` });
  expect([exitCode, stderr]).toEqual([0, 'the Wi-Fi password: \n']);
  expect(stdout).not.toContain(WIFI_PASSWORD);
  expect(settingsOf(world.read('nvs.bin'))).toMatchObject({ 'latchkey/wifi-pass': WIFI_PASSWORD });
});

test('with nobody to ask, the option that names a file is the remedy', async () => {
  expect(await world.run(['--wifi-ssid', 'home'])).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('--wifi-password-file FILE') });
});

test('a second run replaces what the first has left, and leaves what the user put beside it', async () => {
  const kept = join(world.out, 'my.nvs');
  expect((await world.run(['--release', '--save-nvs-key', kept])).exitCode).toBe(0);
  expect(world.files().map(([name]) => name)).toEqual(['efuse-key4.bin', 'efuse-key5.bin', 'my.nvs', 'nvs.bin', 'provision.json', 'signer.bin']);
  expect((await world.run(['--keep-key', '--release', '--nvs-key', kept])).exitCode).toBe(0);
  expect(world.files()).toEqual([['my.nvs', 0o600], ['nvs.bin', 0o600], ['provision.json', 0o600]]);
});

test('a saved key that cannot be written is told before anything is burnt', async () => {
  expect(await world.run(['--release', '--save-nvs-key', join(world.folder, 'none/x')])).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('none/x; nothing was burnt (ERR_FILE)') });
});

test('a folder that holds something else is left alone', async () => {
  const { exitCode, stderr } = await world.run(['--out', world.folder]);
  expect([exitCode, stderr]).toEqual([3, expect.stringContaining('holds other files')]);
});

test.each([[['--burn']], [['--burn', '--dry-run', '--port', 'x']], [['--new-key', '--keep-key']], [['--wifi-ssid', 'a', '--ethernet']], [['--ntp', 'a', '--ntp', 'b', '--ntp', 'c']], [['--key-number', '2']], [['--save-secret', 'x']], [['--keep-key', '--secret-file', 'x']]])('%j is a usage error', async (args) => {
  expect((await world.run(args)).exitCode).toBe(2);
});

test('a GatewayHostName, which is for programs on this machine, is left out with a word about --gateway', async () => {
  const device = world.write('local.txt', `HostName=${HUB};DeviceId=dev1;SharedAccessKey=${KEY.toString('base64')};GatewayHostName=localhost:18883`);
  const { exitCode, stderr } = await world.run(['--connection-string-file', device, '--dry-run']);
  expect([exitCode, stderr]).toEqual([0, expect.stringContaining('GatewayHostName=localhost:18883 is left out')]);
  expect((await world.run([])).stderr).not.toContain('GatewayHostName');
});
