import { createHmac } from 'node:crypto';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { readCreation } from '../../host-sim/board/creation.ts';
import { writeKeyFile } from '../../host-sim/board/key-file.ts';
import { useBoard } from '../fakes/board-fixture.ts';

/** A slot, an entry of an array: the figures of XS on the chip. */
const SLOT_BYTES = 16;

describe('heap figures of the 32-bit board', () => {
  const fixture = useBoard('32-bit');
  const wide = useBoard('64-bit');

  test('what is kept is counted, what was garbage is only in the peak', async () => {
    const base = await fixture.run('board.exit(0);');
    const kept = await fixture.run('globalThis.kept = []; for (let i = 0; i < 500; i++) kept.push({}); board.exit(0);');
    const garbage = await fixture.run('let last; for (let i = 0; i < 500; i++) last = {}; board.exit(0);');
    const slots = (kept.report?.slots ?? 0) - (base.report?.slots ?? 0);
    expect(slots).toBeGreaterThanOrEqual(500);
    expect(slots).toBeLessThan(510);
    expect(kept.report?.chunkBytes).toBeGreaterThanOrEqual(500 * SLOT_BYTES);
    expect((garbage.report?.slots ?? 0) - (base.report?.slots ?? 0)).toBeLessThan(5);
    expect(garbage.report?.peakSlots).toBeGreaterThan(500);
  });

  test('the peak starts anew with each report', async () => {
    const board = await fixture.startAndWait('for (let i = 0; i < 800; i++) ({ i }); board.onStop = () => board.exit(0); print({ up: true });');
    const [first, second] = [await board.report(), await board.report()];
    await board.stop();
    expect(first.peakSlots).toBeGreaterThan(800);
    expect(second.peakSlots).toBeLessThan(200);
  });

  test('a property name that the machine had not seen takes a key for ever', async () => {
    const { report } = await fixture.run('for (const name of ["first", "second", "first", "length"]) JSON.parse(`{"${name}-name":1}`); board.exit(0);');
    expect(report?.keys).toBe(3);
  });

  test('compute units are the same in 32 and 64 bits and at every run', async () => {
    const script = 'let sum = 0; for (let i = 0; i < 1000; i++) sum += Math.sqrt(i); const units = board.computeUnits; print({ units, sum }); board.exit(0);';
    const [first, second, other] = [await fixture.run(script), await fixture.run(script), await wide.run(script)];
    expect(second.lines).toEqual(first.lines);
    expect(other.lines).toEqual(first.lines);
    expect(first.lines[0]?.['units']).toBeGreaterThan(10_000);
  });

  test('natives add what their work costs to the meter, the same in 32 and 64 bits', async () => {
    const key = Buffer.alloc(32, 7);
    const script = `
      const { signSas } = hostModules["latchkey/signer"];
      const resource = "hub.example%2Fdevices%2Fd", before = board.computeUnits, signature = signSas(0, resource, Math.floor(Date.now() / 1000) + 60);
      const after = board.computeUnits; board.computeUnits; const idle = board.computeUnits - after;
      print({ signature, units: after - before, idle }); board.exit(0);`;
    const wallMs = Date.UTC(2026, 0, 1);
    const run = async (board: typeof fixture): Promise<unknown> => {
      const device = board.newDevice();
      mkdirSync(device);
      writeKeyFile(join(device, 'keys.bin'), [{ slot: 0, keyBase64: key.toString('base64'), prefixes: ['hub.example/devices/d'] }]);
      return (await board.run(script, { device, wallMs })).lines[0];
    };
    const narrow = (await run(fixture)) as { signature: string; units: number; idle: number };
    const expected = createHmac('sha256', key).update(`hub.example%2Fdevices%2Fd\n${wallMs / 1000 + 60}`).digest('base64');
    expect(narrow.signature).toBe(expected);
    expect(narrow.units).toBeGreaterThan(4 * 85); // four SHA-256 blocks, for the HMAC alone
    expect(narrow.idle).toBeLessThan(50);
    expect(await run(wide)).toEqual(narrow);
  });

  test('the C heap of TLS is counted, the sockets of the board are not in it', async () => {
    const without = await fixture.run('const sockets = Array.from({ length: 5 }, () => new UDP({})); for (const udp of sockets) udp.close(); board.exit(0);');
    const withTls = await fixture.run('hostModules["latchkey/tls"].default.selfTest(); board.exit(0);');
    expect(without.report).toMatchObject({ cHeapBytes: 0, cHeapPeakBytes: 0 });
    expect(withTls.report?.cHeapPeakBytes).toBeGreaterThan(4000);
    expect(withTls.report?.cHeapPeakBytes).toBeGreaterThan(withTls.report?.cHeapBytes ?? Infinity);
  });

  test('the figures of the manifest let the machine start, and leave most of it to the firmware', async () => {
    const creation = readCreation();
    const { report } = await fixture.run('board.exit(0);', { creation });
    expect(report?.reservedBytes).toBeGreaterThanOrEqual(creation.heap.initial * SLOT_BYTES);
    expect(report?.heapBytes).toBeLessThan(1000);
  });
});

describe('the memory dump', () => {
  const fixture = useBoard();

  test('it holds what is in the heap, in freed chunks and in C, but no text that was never there', async () => {
    const path = join(fixture.folder, 'exit.dump');
    const { exit } = await fixture.run(
      `
      globalThis.kept = "kept-" + (4000 + 321);
      (() => { const freed = ["freed", 7000 + 654].join("-"); freed.length; })();
      storage.open({ path: "d" }).write("k", bytes("in-c-" + (100 + 23)));
      board.exit(0);
    `,
      { dump: path },
    );
    expect(exit.code).toBe(0);
    const dump = readFileSync(path);
    for (const planted of ['kept-4321', 'freed-7654', 'in-c-123']) expect({ planted, found: dump.includes(planted) }).toEqual({ planted, found: true });
    expect(dump.includes('kept-43' + '22')).toBe(false);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test('a dump that cannot be written is said', async () => {
    const { exit } = await fixture.run('board.exit(0);', { dump: '/nowhere/dump' });
    expect(exit.talk).toBe('board: /nowhere/dump: the dump could not be written\n');
  });
});
