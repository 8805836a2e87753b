import { describe, expect, test } from '@jest/globals';

import { EXIT_FLASH_WRITE } from '../../host-sim/board/board.ts';
import type { BoardVariant } from '../../host-sim/board/build.ts';
import { useBoard } from '../fakes/board-fixture.ts';

const PRELOAD = `
  let count = 0;
  const cache = new Map([["a", 1]]);
  const table = new Uint8Array(4);
  class Meter { static total = 0; #reading = 1; get reading() { return this.#reading; } read() { this.#reading++; return this.reading; } }
  globalThis.preloaded = { "agent/meter": {
    Meter, shared: new Meter(), list: [1, { deep: { deeper: 1 } }], big: 12345678901234567890n, name: "preloaded " + "string", when: new Date(0),
    bump: () => ++count, remember: (key) => cache.set(key, 1), recall: (key) => cache.get(key), poke: () => { table[0] = 1; },
    local: () => { let sum = 0; const add = (n) => { sum += n; }; add(2); add(3); return sum; },
  } };
`;

describe.each<BoardVariant>(['64-bit', '32-bit', 'stress'])('what is preloaded lies in flash (%s)', (variant) => {
  const fixture = useBoard(variant);

  test('assigning a variable of a preloaded module throws, as on the chip', async () => {
    const { lines } = await fixture.run('print(caught(() => preloaded["agent/meter"].bump())); board.exit(0);', { preload: PRELOAD });
    expect(lines).toEqual([{ error: 'TypeError: set count: const' }]);
  });

  test('built-ins, classes, prototypes and exported data are frozen to the bottom', async () => {
    const { lines, exit } = await fixture.run(
      `
      const { Meter, shared, list, when, remember, recall, poke } = preloaded["agent/meter"];
      class Broken extends Error { constructor() { super("x"); this.name = "Broken"; } }
      const tries = {
        array: () => { Array.prototype.extra = 1; }, math: () => { Math.PI = 3; }, object: () => { Object.prototype.x = 1; }, json: () => { JSON.parse = null; },
        class: () => { Meter.extra = 1; }, static: () => { Meter.total = 1; }, private: () => shared.read(), prototype: () => { Meter.prototype.read = null; },
        push: () => list.push(2), item: () => { list[0] = 2; }, deep: () => { list[1].deep.deeper = 2; }, date: () => when.setFullYear(2000),
        map: () => remember("b"), typed: () => poke(), host: () => { timer.set = null; }, hostClass: () => { TCP.prototype.read = null; }, error: () => new Broken(),
        define: () => Object.defineProperty(list, "0", { value: 2 }), delete: () => { delete list[1].deep; },
      };
      const outcome = {};
      for (const [name, action] of Object.entries(tries)) outcome[name] = (caught(action).error ?? "taken").split(":")[0];
      print({ outcome, first: list[0], deeper: list[1].deep.deeper, length: list.length, recall: recall("a") });
      board.exit(0);
    `,
      { preload: PRELOAD },
    );
    expect(exit).toMatchObject({ code: 0, talk: '' });
    const outcome = lines[0]?.['outcome'] as Record<string, string>;
    expect(Object.entries(outcome).filter(([, error]) => error !== 'TypeError')).toEqual([]);
    expect(Object.keys(outcome).length).toBe(19);
    expect(lines[0]).toMatchObject({ first: 1, deeper: 1, length: 2, recall: 1 });
  });

  test('preloaded code runs: instances, private fields, closures, strings and big integers of its own', async () => {
    const { lines } = await fixture.run(
      `
      const { Meter, big, name, local } = preloaded["agent/meter"];
      class Special extends Meter { read() { return super.read() * 10; } }
      const kept = [];
      for (let round = 0; round < 300; round++) { kept.push(name + round, Meter.name, (big + BigInt(round)).toString()); if (kept.length > 30) kept.splice(0, 27); }
      print({ meter: new Meter().read(), special: new Special().read(), local: local(), last: kept.slice(-3), isError: new RangeError("r") instanceof Error });
      board.exit(0);
    `,
      { preload: PRELOAD },
    );
    // Functions have no own name: the linker of the SDK strips it.
    expect(lines).toEqual([{ meter: 2, special: 20, local: 5, last: ['preloaded string299', null, '12345678901234568189'], isError: true }]);
  });

  test('a write to flash by native code ends the board, as it does the chip', async () => {
    const { exit } = await fixture.run('preloaded["agent/meter"].when.setTime(1); board.exit(0);', { preload: PRELOAD });
    expect(exit.talk).toBe('board: a write to flash: to a built-in or to something that was preloaded\n');
    expect(exit.code).toBe(EXIT_FLASH_WRITE);
  });

  test('JSON.stringify refuses an object in flash, as on the chip, and takes a copy of it', async () => {
    const { lines } = await fixture.run(
      'const { list } = preloaded["agent/meter"]; print({ own: caught(() => JSON.stringify(list)).error, copy: JSON.stringify(list.slice(0, 1)) }); board.exit(0);',
      { preload: PRELOAD },
    );
    expect(lines).toEqual([{ own: 'TypeError: read only value', copy: '[1]' }]);
  });

  test('neither built-ins nor preloaded code take RAM', async () => {
    const { report } = await fixture.run('board.exit(0);', { preload: PRELOAD });
    expect(report?.slots).toBeLessThan(80);
    expect(report?.chunkBytes).toBeLessThan(200);
    expect(report).toMatchObject({ keys: 0, aliases: 0, slotBytes: variant === '64-bit' ? 32 : 16, bits: variant === '64-bit' ? 64 : 32 });
  });

  test('the code of main.js takes no RAM either, only its objects do', async () => {
    const padding = 'a + b * a - b / a + b - a * b + a % b - b + a * b - a / b + b;';
    const sources = {
      empty: (): string => '0',
      short: (index: number): string => `(a, b) => a + b + ${index}`,
      long: (): string => `(a, b) => { ${`a = ${padding}`.repeat(12)} return "a text of some length that stays in flash"; }`,
    };
    const chunkBytes: Record<string, number | undefined> = {};
    for (const [name, source] of Object.entries(sources)) {
      const list = Array.from({ length: 40 }, (_, index) => source(index)).join(', ');
      const { report } = await fixture.run(`globalThis.kept = [${list}]; board.exit(0);`);
      chunkBytes[name] = report?.chunkBytes;
    }
    expect(chunkBytes).toEqual({ empty: chunkBytes['empty'], short: chunkBytes['empty'], long: chunkBytes['empty'] });
    expect(chunkBytes['empty']).toBeGreaterThan(0);
  });

  test('a variable of main.js can be assigned', async () => {
    const { lines } = await fixture.run('let count = 0; const bump = () => ++count; bump(); print({ count: bump() }); board.exit(0);');
    expect(lines).toEqual([{ count: 2 }]);
  });
});
