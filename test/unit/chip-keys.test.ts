import { createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

import { afterAll, afterEach, describe, expect, test } from '@jest/globals';

import { formatKeyImage } from '../../host-sim/firmware/key-image.ts';
import type { ChipKeyEntry } from '../../host-sim/firmware/key-image.ts';
import { hubKeyLabel } from '../../firmware/agent/hub-key.ts';
import { recordEvidence } from '../evidence.ts';
import { ChipHarness, PURPOSE } from './chip-keys-harness.ts';
import type { ChipOptions } from './chip-keys-harness.ts';

const PARTITION_BYTES = 0x2000;
const RESOURCE = 'hub.test/devices/dev1';
const EXPIRY = Math.floor(Date.now() / 1000) + 3600;
const KEY = randomBytes(32);
const PRODUCTION = ['CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE=1'];
const NVS_BY_HMAC = ['CONFIG_NVS_ENCRYPTION=1', 'CONFIG_NVS_SEC_KEY_PROTECT_USING_HMAC=1', 'CONFIG_NVS_SEC_HMAC_EFUSE_KEY_ID=5'];

const folder = mkdtempSync(join(tmpdir(), 'latchkey-chip-keys-'));
let chip: ChipHarness;
let count = 0;

afterEach(() => chip.close());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function imageOf(bytes: Buffer): string {
  const path = join(folder, `${count++}.bin`);
  writeFileSync(path, bytes);
  return path;
}

async function start(entries: readonly ChipKeyEntry[], options: Omit<ChipOptions, 'image'> = {}): Promise<void> {
  chip = await ChipHarness.start({ image: imageOf(formatKeyImage(entries, PARTITION_BYTES)), ...options });
}

const inBlock = (efuseBlock: number, slot = 0): ChipKeyEntry => ({ slot, efuseBlock, prefixes: [RESOURCE] });
const inPartition = (slot = 0, key = KEY): ChipKeyEntry => ({ slot, keyBase64: key.toString('base64'), prefixes: [RESOURCE] });
const signatureOf = (key: Buffer): string => createHmac('sha256', key).update(`${RESOURCE}\n${EXPIRY}`).digest('base64');

describe('a key in an eFuse block', () => {
  test('signs as Node does, by the peripheral, and is reported as efuse', async () => {
    await start([inBlock(4)]);
    await chip.burn(4, KEY);
    expect(await chip.check()).toMatchObject({ ok: true });
    expect(await chip.sign(0, RESOURCE, EXPIRY)).toEqual({ ok: true, signature: signatureOf(KEY) });
    expect(await chip.peripheralCount()).toBe(1);
    expect(await chip.backend(0)).toBe('efuse');
  });

  test('signs for no other resource', async () => {
    await start([inBlock(4)]);
    await chip.burn(4, KEY);
    expect(await chip.sign(0, 'hub.test/devices/dev2', EXPIRY)).toMatchObject({ code: 'ERR_SIGNER_RESOURCE' });
    expect(await chip.peripheralCount()).toBe(0);
  });

  test('is a second key beside the first', async () => {
    const second = randomBytes(32);
    await start([inBlock(4), inBlock(3, 1)]);
    await chip.burn(4, KEY);
    await chip.burn(3, second);
    expect(await chip.sign(1, RESOURCE, EXPIRY)).toEqual({ ok: true, signature: signatureOf(second) });
  });

  test('gives hub key n as HMAC of the label, reported as efuse-derived', async () => {
    await start([inBlock(4)]);
    await chip.burn(4, KEY);
    const label = hubKeyLabel('hub.test', 'dev1', 7);
    expect(await chip.derive(0, label, 8)).toMatchObject({ ok: true });
    const hubKey = createHmac('sha256', KEY).update('latchkey-hub-key-v1\nhub.test\ndev1\n7').digest();
    expect(await chip.sign(8, RESOURCE, EXPIRY)).toEqual({ ok: true, signature: signatureOf(hubKey) });
    expect(await chip.backend(8)).toBe('efuse-derived');
  });

  let refused = 0;
  const bad: readonly (readonly [string, string, RegExp, (() => Promise<unknown>) | undefined])[] = [
    ['is unburnt', 'ERR_SIGNER_EFUSE_UNBURNT', /latchkey provision --burn/, undefined],
    ['is of another purpose', 'ERR_SIGNER_EFUSE_PURPOSE', /free block/, () => chip.burn(4, KEY, PURPOSE.xtsAes)],
    ['was burnt without a purpose', 'ERR_SIGNER_EFUSE_PURPOSE', /free block/, () => chip.burn(4, KEY, PURPOSE.user)],
    ['software can read', 'ERR_SIGNER_EFUSE_READABLE', /take the key as known/, () => chip.burn(4, KEY, PURPOSE.hmacUp, 'wp')],
    ['can be overwritten', 'ERR_SIGNER_EFUSE_WRITABLE', /--burn locks it/, () => chip.burn(4, KEY, PURPOSE.hmacUp, 'rp')],
    ['has a purpose that can be changed', 'ERR_SIGNER_EFUSE_WRITABLE', /--burn locks it/, () => chip.burn(4, KEY, PURPOSE.hmacUp, 'rw')],
  ];

  test.each(bad)('in a block that %s is refused at start and at use: %s', async (_, code, remedy, prepare) => {
    await start([inBlock(4)]);
    await prepare?.();
    const answer = await chip.check();
    expect(answer).toMatchObject({ ok: false, code });
    expect(answer.text).toMatch(remedy);
    expect(await chip.sign(0, RESOURCE, EXPIRY)).toMatchObject({ ok: false, code });
    expect(await chip.selfTest()).toMatchObject({ ok: false, code });
    expect(await chip.peripheralCount()).toBe(0);
    refused += 1;
  });

  test.each([
    ['protects NVS, also in a build without encrypted NVS', 5, []],
    ['sdkconfig gives to NVS', 2, ['CONFIG_NVS_SEC_HMAC_EFUSE_KEY_ID=2']],
    ['is no key block', 6, []],
    ['lies in a chip without the peripheral', 4, ['FAKE_NO_HMAC']],
  ])('in a block that %s is refused: ERR_SIGNER_EFUSE_BLOCK', async (_, block, defines) => {
    const image = formatKeyImage([inBlock(4)], PARTITION_BYTES);
    await startChanged(image, block, defines);
    if (block < 6) await chip.burn(block, KEY);
    expect(await chip.check()).toMatchObject({ ok: false, code: 'ERR_SIGNER_EFUSE_BLOCK' });
    expect(await chip.sign(0, RESOURCE, EXPIRY)).toMatchObject({ ok: false, code: 'ERR_SIGNER_EFUSE_BLOCK' });
    refused += 1;
    if (refused === bad.length + 4) recordEvidence('efuse-block-states', refused);
  });
});

/** The image of one eFuse entry with another block number and the checksum that fits: what a writer other than ours could make. */
async function startChanged(image: Buffer, block: number, defines: readonly string[]): Promise<void> {
  const keyAt = 9 + 6;
  const length = keyAt + 1 + RESOURCE.length + 1;
  image.writeUInt8(block, keyAt);
  image.writeUInt32LE(crc32(image.subarray(0, length)), length);
  chip = await ChipHarness.start({ image: imageOf(image), defines });
}

describe('a key in the partition', () => {
  test.each([16, 32, 64])('of %d bytes signs as Node does and is reported as partition', async (length) => {
    const key = randomBytes(length);
    await start([inPartition(0, key)]);
    expect(await chip.sign(0, RESOURCE, EXPIRY)).toEqual({ ok: true, signature: signatureOf(key) });
    expect([await chip.backend(0), await chip.peripheralCount()]).toEqual(['partition', 0]);
    await chip.derive(0, 'label', 8);
    expect(await chip.backend(8)).toBe('partition-derived');
  });

  test('is refused by a production build unless flash is encrypted', async () => {
    await start([inPartition()], { defines: PRODUCTION });
    expect(await chip.check()).toMatchObject({ ok: false, code: 'ERR_SIGNER_PARTITION_PLAIN' });
    expect(await chip.sign(0, RESOURCE, EXPIRY)).toMatchObject({ ok: false, code: 'ERR_SIGNER_PARTITION_PLAIN' });
    await chip.close();
    await start([inPartition()], { defines: PRODUCTION, encrypted: true });
    expect(await chip.check()).toMatchObject({ ok: true });
    expect(await chip.sign(0, RESOURCE, EXPIRY)).toMatchObject({ ok: true });
  });

  test('beside a private key for TLS: each is found for its own use only', async () => {
    await start([inPartition(), { slot: 1, privateKeyBase64: randomBytes(121).toString('base64') }]);
    expect(await chip.privateKey(1)).toEqual({ ok: true, length: 121 });
    expect(await chip.privateKey(0)).toMatchObject({ code: 'ERR_SIGNER_SLOT' });
    expect(await chip.sign(1, RESOURCE, EXPIRY)).toMatchObject({ code: 'ERR_SIGNER_SLOT' });
  });

  test('is not erased on the chip', async () => {
    await start([inPartition()]);
    expect(await chip.erase(0)).toMatchObject({ ok: false, code: 'ERR_SIGNER_STORE' });
    expect(await chip.erase(1)).toMatchObject({ ok: true });
  });

  test('is not read when flash fails', async () => {
    await start([inPartition()]);
    await chip.failFlash();
    expect(await chip.sign(0, RESOURCE, EXPIRY)).toMatchObject({ code: 'ERR_SIGNER_STORE' });
    expect(await chip.check()).toMatchObject({ code: 'ERR_SIGNER_STORE' });
  });
});

describe('a partition that holds no image', () => {
  test.each([
    ['is erased', true, 'ERR_SIGNER_SLOT', () => Buffer.alloc(PARTITION_BYTES, 0xff)],
    ['is all zeros', false, 'ERR_SIGNER_STORE', () => Buffer.alloc(PARTITION_BYTES)],
    ['holds something else', false, 'ERR_SIGNER_STORE', () => randomBytes(PARTITION_BYTES).fill(0x4c, 0, 1)],
  ])('because it %s: fine at start: %s, at use: %s', async (_, isFine, code, bytes) => {
    chip = await ChipHarness.start({ image: imageOf(bytes()) });
    expect((await chip.check()).ok).toBe(isFine);
    expect(await chip.sign(0, RESOURCE, EXPIRY)).toMatchObject({ code });
  });

  test('because the flash has none: every slot is empty', async () => {
    chip = await ChipHarness.start({ image: join(folder, 'nowhere.bin') });
    expect(await chip.check()).toMatchObject({ ok: true });
    expect(await chip.sign(0, RESOURCE, EXPIRY)).toMatchObject({ code: 'ERR_SIGNER_SLOT' });
    expect(await chip.selfTest()).toMatchObject({ ok: true });
  });

  test('because a bit of it changed: each of them is noticed', async () => {
    const image = formatKeyImage([inPartition()], PARTITION_BYTES);
    const length = 9 + 6 + 32 + RESOURCE.length + 1 + 4;
    for (let at = 0; at < length; at += 7) {
      const changed = Buffer.from(image);
      changed[at]! ^= 1 << at % 8;
      chip = await ChipHarness.start({ image: imageOf(changed) });
      expect([at, (await chip.check()).code]).toEqual([at, 'ERR_SIGNER_STORE']);
      if (at + 7 < length) await chip.close();
    }
  });
});

describe('the key of the encrypted NVS', () => {
  const OK = 0;

  test('is burnt and locked: the start goes on', async () => {
    await start([], { defines: NVS_BY_HMAC });
    await chip.burn(5, randomBytes(32));
    expect([await chip.nvsStatus(), await chip.guard()]).toEqual([OK, { ok: true }]);
  });

  test.each([
    ['is missing', undefined, '', /latchkey provision --burn$/],
    ['was burnt for another purpose', PURPOSE.xtsAes, 'rwp', /another purpose.*CONFIG_NVS_SEC_HMAC_EFUSE_KEY_ID$/],
    ['can be read', PURPOSE.hmacUp, 'wp', /not locked/],
  ])('%s: the start stops before anything is burnt, and the line says what to do', async (_, purpose, locks, message) => {
    await start([], { defines: NVS_BY_HMAC });
    if (purpose !== undefined) await chip.burn(5, KEY, purpose, locks);
    expect(await chip.guard()).toEqual({ event: 'error', code: 'ERR_NVS_KEY_MISSING', message: expect.stringMatching(message) });
  });

  test('is missing, of another purpose, readable or writable: each is told', async () => {
    await start([], { defines: NVS_BY_HMAC });
    const states = [await chip.nvsStatus()];
    for (const [purpose, locks] of [[PURPOSE.xtsAes, 'rwp'], [PURPOSE.hmacUp, 'wp'], [PURPOSE.hmacUp, 'rp']] as const) {
      await chip.burn(5, KEY, purpose, locks);
      states.push(await chip.nvsStatus());
    }
    expect(new Set([OK, ...states]).size).toBe(5);
  });

  test('lies open in no block of a chip without the peripheral', async () => {
    await start([], { defines: ['FAKE_NO_HMAC'] });
    expect(await chip.nvsStatus()).toBe(OK);
  });

  test('is not asked for where NVS is not encrypted', async () => {
    await start([]);
    expect(await chip.nvsStatus()).toBe(OK);
  });
});

test('the self-test passes with keys in both places', async () => {
  await start([inBlock(4), inPartition(1)]);
  await chip.burn(4, KEY);
  expect(await chip.selfTest()).toMatchObject({ ok: true });
  expect(await chip.peripheralCount()).toBe(2);
});

describe('NVS, which the SDK opens and aborts over without a word,', () => {
  test('is opened before it, at a priority over app_main on its core; the start goes on', async () => {
    await start([]);
    expect([await chip.guard(), await chip.openNvs(0)]).toEqual([{ ok: true }, { ok: true, priority: 2, core: 0 }]);
  });

  test.each([
    ['damaged', 0x110d, 'ERR_NVS_UNREADABLE', /^ESP_ERR_NVS_NO_FREE_PAGES: the settings are damaged .* latchkey flash --provision writes them again$/],
    ['not there', 0x105, 'ERR_PARTITIONS', /no partition nvs: latchkey flash/],
  ])('is %s: the start stops, and the line says what to do', async (_, error, code, message) => {
    await start([]);
    await chip.guard();
    expect(await chip.openNvs(error)).toEqual({ event: 'error', code, message: expect.stringMatching(message) });
  });
});
