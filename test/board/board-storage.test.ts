import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { EXIT_POWER_CUT } from '../../host-sim/board/board.ts';
import { formatSettings, parseSettings, readSettings, writeSettings } from '../../host-sim/board/settings.ts';
import { useBoard } from '../fakes/board-fixture.ts';

const PARTITION_BYTES = 65_536;
const BLOCK_BYTES = 4096;
const UNIT_BYTES = 16;

describe('embedded:storage/flash behaves like NOR', () => {
  const fixture = useBoard();
  const open = 'const part = flash.open({ path: "latchkey" }); const unit = (value) => new Uint8Array(16).fill(value);';

  test('a new device is erased, and says how large it is', async () => {
    const device = fixture.newDevice();
    const { lines } = await fixture.run(`${open} print(part.status()); print({ erased: new Uint8Array(part.read(64, 0)).every((cell) => cell === 255) }); board.exit(0);`, { device });
    expect(lines).toEqual([{ size: PARTITION_BYTES, blocks: 16, blockLength: BLOCK_BYTES }, { erased: true }]);
    const file = readFileSync(join(device, 'flash.bin'));
    expect(file.length).toBe(PARTITION_BYTES);
    expect(file.every((cell) => cell === 0xff)).toBe(true);
    expect(statSync(join(device, 'flash.bin')).mode & 0o777).toBe(0o600);
  });

  test('what is written is in the file at once, and still there after a restart', async () => {
    const device = fixture.newDevice();
    await fixture.run(`${open} part.write(unit(0xA5), 4096); throw new Error("crash");`, { device });
    expect(readFileSync(join(device, 'flash.bin')).subarray(4096, 4096 + UNIT_BYTES)).toEqual(Buffer.alloc(UNIT_BYTES, 0xa5));
    const { lines } = await fixture.run(`${open} print({ first: new Uint8Array(part.read(2, 4096))[1] }); board.exit(0);`, { device });
    expect(lines).toEqual([{ first: 0xa5 }]);
  });

  test('a unit is written once between two erases, unless with the same bytes; a refused write changes nothing', async () => {
    const { lines } = await fixture.run(`
      ${open}
      const pair = new Uint8Array(32).fill(0x0F);
      part.write(unit(0xF0), 16);
      print({
        same: caught(() => part.write(unit(0xF0), 16)),
        fewerBits: caught(() => part.write(unit(0x00), 16)).error,
        partly: caught(() => part.write(pair, 0)).error,
        untouched: new Uint8Array(part.read(1, 0))[0],
      });
      part.eraseBlock(0);
      part.write(pair, 0);
      print({ again: new Uint8Array(part.read(1, 16))[0] });
      board.exit(0);
    `);
    const refusal = 'Error: Flash.write: a unit of 16 bytes was written before: erase its block first';
    expect(lines).toEqual([{ same: {}, fewerBits: refusal, partly: refusal, untouched: 255 }, { again: 0x0f }]);
  });

  test('erasing takes one block, or those up to and without the end, and leaves the others', async () => {
    const { lines } = await fixture.run(`
      ${open}
      for (let block = 0; block < 16; block++) part.write(unit(block), block * 4096);
      const cells = () => Array.from({ length: 16 }, (_, block) => new Uint8Array(part.read(1, block * 4096))[0]);
      part.eraseBlock(3);
      part.eraseBlock(5, 7);
      print({ cells: cells() });
      board.exit(0);
    `);
    expect(lines).toEqual([{ cells: [0, 1, 2, 255, 4, 255, 255, 7, 8, 9, 10, 11, 12, 13, 14, 15] }]);
  });

  test('offsets outside of the partition and units that are not whole are refused', async () => {
    const { lines } = await fixture.run(`
      ${open}
      print({
        odd: caught(() => part.write(unit(0), 8)).error, short: caught(() => part.write(new Uint8Array(8), 0)).error,
        beyond: caught(() => part.write(unit(0), 65536)).error, reading: caught(() => part.read(2, 65535)).error,
        negative: caught(() => part.read(1, -1)).error, block: caught(() => part.eraseBlock(16)).error,
        other: caught(() => flash.open({ path: "nvs" })).error, last: caught(() => part.write(unit(0), 65520)),
      });
      part.close(); part.close();
      print({ closed: caught(() => part.read(1, 0)).error });
      board.exit(0);
    `);
    const units = 'RangeError: Flash.write: offset and length are to be multiples of 16';
    expect(lines).toEqual([
      {
        odd: units,
        short: units,
        beyond: 'RangeError: Flash.write: outside of the partition',
        reading: 'RangeError: Flash.read: outside of the partition',
        negative: 'RangeError: Flash: byteOffset: outside of the partition',
        block: 'RangeError: Flash.eraseBlock: outside of the partition',
        other: "Error: flash.open: can't find partition",
        last: {},
      },
      { closed: 'Error: Flash: closed' },
    ]);
  });

  test('a power cut leaves the units before whole, a random part of the bits of one unit, and nothing after', async () => {
    const script = `${open} part.write(new Uint8Array(64), 0); print({ survived: true }); board.exit(0);`;
    const subsets = new Set<string>();
    for (const seed of [1, 2, 2]) {
      const device = fixture.newDevice();
      const { exit, lines } = await fixture.run(script, { device, cut: { at: 3, seed } });
      expect(exit.code).toBe(EXIT_POWER_CUT);
      expect(lines).toEqual([]);
      const cells = readFileSync(join(device, 'flash.bin'));
      expect(cells.subarray(0, 32)).toEqual(Buffer.alloc(32, 0));
      const torn = cells.subarray(32, 48);
      expect(torn.some((cell) => cell !== 0x00) && torn.some((cell) => cell !== 0xff)).toBe(true);
      expect(cells.subarray(48, 64)).toEqual(Buffer.alloc(16, 0xff));
      subsets.add(torn.toString('hex'));
    }
    expect(subsets.size).toBe(2);
  });

  test('a power cut while erasing leaves the block neither as it was nor erased', async () => {
    const device = fixture.newDevice();
    await fixture.run(`${open} part.write(new Uint8Array(4096), 0); board.exit(0);`, { device });
    const { exit } = await fixture.run(`${open} part.eraseBlock(0); board.exit(0);`, { device, cut: { at: 1, seed: 5 } });
    expect(exit.code).toBe(EXIT_POWER_CUT);
    const block = readFileSync(join(device, 'flash.bin')).subarray(0, BLOCK_BYTES);
    expect(block.some((cell) => cell !== 0xff)).toBe(true);
    expect(block.some((cell) => cell !== 0x00)).toBe(true);
  });
});

describe('embedded:storage/key-value', () => {
  const fixture = useBoard();

  test('the board reads what the host wrote, and the host what the board wrote', async () => {
    const device = fixture.newDevice();
    mkdirSync(device);
    const all = Uint8Array.from({ length: 256 }, (_, index) => index);
    writeSettings(join(device, 'settings.kv'), { latchkey: { hub: 'hub.example', 'ümlaut': 'Grüße', empty: '' }, certs: { root0: all, none: new Uint8Array(0) } });
    const { lines } = await fixture.run(
      `
      const texts = storage.open({ path: "latchkey", format: "string" });
      const blobs = storage.open({ path: "certs" });
      print({ hub: texts.read("hub"), text: texts.read("ümlaut"), empty: texts.read("empty"), none: blobs.read("none").byteLength, absent: typeof texts.read("absent") });
      print({ sum: new Uint8Array(blobs.read("root0")).reduce((sum, byte, index) => sum + byte * index, 0) });
      texts.write("hub", "other.example");
      texts.write("new", "1");
      for (let size = 0; size < 5; size++) blobs.write("size" + size, new Uint8Array(size).fill(200 + size));
      print({ deleted: texts.delete("empty"), again: texts.delete("empty") });
      board.exit(0);
    `,
      { device },
    );
    expect(lines).toEqual([
      { hub: 'hub.example', text: 'Grüße', empty: '', none: 0, absent: 'undefined' },
      { sum: all.reduce((sum, byte, index) => sum + byte * index, 0) },
      { deleted: true, again: false },
    ]);
    expect(readSettings(join(device, 'settings.kv'))).toEqual({
      latchkey: { hub: 'other.example', 'ümlaut': 'Grüße', new: '1' },
      certs: {
        root0: all,
        none: new Uint8Array(0),
        ...Object.fromEntries([0, 1, 2, 3, 4].map((size) => [`size${size}`, new Uint8Array(size).fill(200 + size)])),
      },
    });
  });

  test('names above 15 characters, values above 4000 bytes, other formats and read-only stores are refused', async () => {
    const { lines } = await fixture.run(`
      const texts = storage.open({ path: "latchkey", format: "string" });
      texts.write("123456789012345", "x".repeat(4000));
      const blobs = storage.open({ path: "latchkey", format: "buffer" });
      const locked = storage.open({ path: "latchkey", mode: "r", format: "string" });
      print({
        key: caught(() => texts.write("1234567890123456", "")).error, domain: caught(() => storage.open({ path: "1234567890123456" })).error,
        value: caught(() => texts.write("k", "x".repeat(4001))).error, mismatch: caught(() => blobs.read("123456789012345")).error,
        locked: caught(() => locked.write("k", "")).error, kept: locked.read("123456789012345").length, tab: caught(() => texts.read("a\\tb")).error,
        absent: caught(() => storage.open({ path: "nothing", mode: "r" })).error,
      });
      board.exit(0);
    `);
    const name = 'RangeError: KeyValue: a name has 1 to 15 characters';
    expect(lines).toEqual([
      {
        key: name,
        domain: name,
        value: 'RangeError: KeyValue.write: at most 4000 bytes',
        mismatch: 'TypeError: KeyValue.read: mismatch: written in another format',
        locked: 'Error: KeyValue.write: read-only',
        kept: 4000,
        tab: 'RangeError: KeyValue: a name has no tab and no line end',
        absent: 'Error: KeyValue.open: no such domain',
      },
    ]);
  });

  test.each([
    ['no tab', 'latchkey'],
    ['an unknown type', 'latchkey\tkey\tx\tAAAA'],
    ['no base64', 'latchkey\tkey\ts\tAAA'],
    ['base64 with bits left over', 'latchkey\tkey\ts\tAB=='],
    ['padding in the middle', 'latchkey\tkey\ts\tAA==AAAA'],
    ['a long key', 'latchkey\t1234567890123456\ts\tAAAA'],
  ])('the board does not start with a settings file that has %s, and says which line', async (_what, line) => {
    const device = fixture.newDevice();
    mkdirSync(device);
    writeFileSync(join(device, 'settings.kv'), `latchkey\tgood\ts\tAAAA\n${line}\n`);
    const { exit } = await fixture.run('board.exit(0);', { device });
    expect(exit.code).toBe(1);
    expect(exit.talk).toContain('settings.kv: line 2 is no entry');
  });
});

describe('settings of the host', () => {
  test('parse gives back what format made', () => {
    const settings = { a: { text: 'x\ty\nz', bytes: Uint8Array.of(0, 255) }, b: { text: '' } };
    expect(parseSettings(formatSettings(settings))).toEqual(settings);
  });

  test('an entry that the chip would refuse is refused, without its value', () => {
    expect(() => formatSettings({ domain: { '1234567890123456': 'secret' } })).toThrow('"1234567890123456": a name has 1 to 15 bytes, not 16');
    expect(() => formatSettings({ domain: { key: 's'.repeat(4001) } })).toThrow('domain/key: a value has at most 4000 bytes, not 4001');
    expect(() => parseSettings('a\tb\ts\tAA==\nnonsense\n')).toThrow('line 2 is no entry');
  });
});
