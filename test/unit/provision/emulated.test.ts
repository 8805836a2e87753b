import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { emulatedMac, encodeEmulatedEfuses } from '../../../host-sim/provisioning/emulated-efuses.ts';
import { runCommandLine } from '../../fakes/cli-run.ts';
import { writeFirmware } from '../flash/firmware-images.ts';
import { KEY, ProvisionWorld } from './provision-world.ts';

let world: ProvisionWorld;
beforeEach(() => {
  world = new ProvisionWorld();
});
afterEach(() => world.remove());

const burn = (block: number, fill: number) => ({ block, purpose: 'HMAC_UP', use: 'signer', key: Buffer.alloc(32, fill) }) as const;
const MAC = Buffer.from('021122334455', 'hex');

test('keys, purposes and protections lie where espefuse finds them on an ESP32-C3', () => {
  const file = encodeEmulatedEfuses({ family: 'esp32c3' }, MAC, [burn(4, 0xa4), burn(5, 0xa5)]);
  expect(file).toHaveLength(1024);
  // WR_DIS, RD_DIS and the words of the purposes, as espefuse --virt holds them after burn-key BLOCK_KEY4 … BLOCK_KEY5 ….
  expect([0, 4, 8, 12].map((offset) => file.readUInt32LE(offset))).toEqual([0x1800_3000, 0x30, 0, 0x8800]);
  // RD_REG of BLOCK_KEY4 and BLOCK_KEY5 (0x11C, 0x13C) less that of BLOCK0 (0x2C).
  expect([file.subarray(0xf0, 0x110), file.subarray(0x110, 0x130)]).toEqual([Buffer.alloc(32, 0xa4), Buffer.alloc(32, 0xa5)]);
  expect(file.subarray(0x18, 0x1e).toString('hex')).toBe('554433221102');
  expect(file.readUInt8(38)).toBe(0x0c);
  const first = encodeEmulatedEfuses({ family: 'esp32c3' }, MAC, [burn(0, 1), burn(1, 2), burn(2, 3)]);
  expect([0, 4, 8, 12].map((offset) => first.readUInt32LE(offset))).toEqual([0x0380_0700, 0x07, 0x8800_0000, 0x08]);
});

test('a classic ESP32 has its MAC, the CRC of it and revision 3.0', () => {
  const file = encodeEmulatedEfuses({ family: 'esp32' }, Buffer.from('aabbccddeeff', 'hex'), []);
  expect(file).toHaveLength(124);
  // The seventh byte behind the first word is the CRC-8 (polynomial 0x8C backwards) of the address.
  expect(file.subarray(0, 28).toString('hex')).toBe('00000000ffeeddccbbaa120000800000000000000000100000000000');
});

test('the address is one that nobody owns, the same for a device each time', () => {
  expect(emulatedMac('dev1')).toEqual(emulatedMac('dev1'));
  expect(emulatedMac('dev1')).not.toEqual(emulatedMac('dev2'));
  for (const device of ['dev1', 'dev2', 'x']) expect((emulatedMac(device)[0] ?? 0) & 3).toBe(2);
});

test('an emulated board gets its eFuses as a file, and its flash as one', async () => {
  const run = await world.run(['--chip', 'esp32c3-qemu', '--release', '--ethernet']);
  expect(run).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('the eFuses of the emulated chip ') });
  expect(world.files()).toEqual([['efuse.bin', 0o600], ['nvs.bin', 0o600], ['provision.json', 0o600], ['signer.bin', 0o600]]);
  expect(world.read('efuse.bin').subarray(0xf0, 0x110).equals(KEY)).toBe(true);
  const image = join(world.folder, 'image');
  writeFirmware(image);
  const flash = join(world.folder, 'flash.bin');
  const merged = await runCommandLine(['flash', '--chip', 'esp32c3-qemu', '--firmware', image, '--provision', world.out, '--to-file', flash]);
  expect(merged).toEqual({ exitCode: 0, stdout: expect.stringMatching(/^6 files merged into \S+flash\.bin\nnext:\n {2}qemu-system-riscv32 .*,id=efuse /), stderr: '' });
  const bytes = readFileSync(flash);
  expect([bytes.length, statSync(flash).mode & 0o777]).toEqual([4 * 1024 * 1024, 0o600]);
  for (const [offset, content] of [[0, readFileSync(join(image, 'bootloader.bin'))], [0x11000, world.read('nvs.bin')], [0x25000, world.read('signer.bin')], [0x40000, readFileSync(join(image, 'xs_esp32.bin'))]] as const) {
    expect(bytes.subarray(offset, offset + content.length).equals(content)).toBe(true);
  }
  expect(bytes.subarray(0x27000, 0x40000).every((byte) => byte === 0xff)).toBe(true);
  // Settings change, the eFuses stay.
  const before = world.read('efuse.bin');
  expect((await world.run(['--chip', 'esp32c3-qemu', '--ethernet', '--keep-key'])).exitCode).toBe(0);
  expect(world.read('efuse.bin').equals(before)).toBe(true);
});

test('--burn and an emulated chip do not go together', async () => {
  expect((await world.run(['--chip', 'esp32c3-qemu', '--release', '--ethernet', '--burn', '--port', 'x'])).exitCode).toBe(2);
});
