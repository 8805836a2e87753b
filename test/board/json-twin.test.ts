import { beforeAll, expect, test } from '@jest/globals';

import type { Creation } from '../../host-sim/board/creation.ts';
import { recordEvidence } from '../evidence.ts';
import { useBoard } from '../fakes/board-fixture.ts';
import { jsonScript, largeTwin, partsScript, preloadedAgent } from './json-board.ts';

const TWIN = largeTwin(64 * 1024);
const PIECE_BYTES = [1, 7, 1024] as const;

/** Fixed: with a slot, a byte or a name more the board ends. 6.5 KB of slots, a third of which the script itself takes. */
const TIGHT: Creation = { chunk: { initial: 7 * 1024, incremental: 0 }, heap: { initial: 440, incremental: 0 }, stack: 384, keys: { initial: 8, incremental: 0 } };

const SCAN = `
const names = new NameBudget();
const desired = new PropertyNames(["thermostat", "roots"], textCodec);
const reported = new PropertyNames(["roots"], textCodec);
const scan = (size) => {
  const scanner = new TwinScanner({ form: "answer", desired, reported, text: textCodec, names });
  chunks(size, (piece) => scanner.feed(piece));
  return scanner.end();
};
const shownSection = ({ version, values, refused }) => ({ version, values: [...values], refused: [...refused] });
const shown = (result) => result.ok ? { desired: shownSection(result.desired), reported: shownSection(result.reported) } : result;
`;

const fixture = useBoard('32-bit');
let preload: string;
beforeAll(async () => {
  preload = await preloadedAgent();
});

function expectedOf(twin: string): object {
  const { desired, reported } = JSON.parse(twin) as Record<'desired' | 'reported', Record<string, unknown>>;
  return {
    desired: { version: desired['$version'], values: [['thermostat', desired['thermostat']], ['roots', desired['roots']]], refused: [] },
    reported: { version: reported['$version'], values: [['roots', reported['roots']]], refused: [] },
  };
}

test.each(PIECE_BYTES)('a twin of 64 KB in pieces of %i bytes gives what was registered, on a heap of 14 KB that cannot grow', async (size) => {
  expect(TWIN.length).toBeGreaterThan(64 * 1024);
  const { lines, exit } = await fixture.run(jsonScript(`${partsScript(TWIN)}${SCAN}print(shown(scan(${size}))); board.exit(0);`), { preload, creation: TIGHT });
  expect(exit).toMatchObject({ code: 0 });
  expect(lines).toEqual([expectedOf(TWIN)]);
  recordEvidence(`json-board-twin-${size}`, TWIN.length);
});

test('the thousands of names in it that nobody registered take no key, and nothing of it stays in the heap', async () => {
  const run = (count: number): ReturnType<typeof fixture.run> =>
    fixture.run(jsonScript(`${partsScript(TWIN)}${SCAN}for (let i = 0; i < ${count}; i++) scan(1024); board.exit(0);`), { preload });
  const [once, often] = [(await run(1)).report, (await run(20)).report];
  expect(often).toMatchObject({ keys: once?.keys, heapBytes: once?.heapBytes, aliases: 0 });
  expect(once?.keys).toBeLessThanOrEqual(4);
});

const END = TWIN.slice(0, -2);
test.each([
  ['cut before its last byte', TWIN.slice(0, -1), 'ERR_JSON_TRUNCATED'],
  ['with a member without value at its end', `${END},"x":}}`, 'ERR_JSON_SYNTAX'],
  ['with bytes behind it', `${TWIN}]`, 'ERR_JSON_SYNTAX'],
  ['with half of a surrogate pair at its end', `${END},"x":"\\ud800"}}`, 'ERR_JSON_SURROGATE'],
  ['with 6,000 open arrays at its end', `${END},"x":${'['.repeat(6_000)}`, 'ERR_JSON_DEPTH'],
  ['with a second version that is none', `${END},"$version":-1}}`, 'ERR_TWIN_VERSION'],
].map(([what, twin, code]) => ({ what, twin, code })))('a twin of 64 KB $what ends as $code', async ({ twin, code }) => {
  const { lines, exit } = await fixture.run(jsonScript(`${partsScript(twin!)}${SCAN}print(shown(scan(1024))); board.exit(0);`), { preload, creation: TIGHT });
  expect(exit).toMatchObject({ code: 0 });
  expect(lines).toEqual([{ ok: false, code }]);
});

test('a registered value of 60 KB in it is refused by name, and the others are kept', async () => {
  const twin = `{"desired":{"thermostat":"${'t'.repeat(60_000)}","roots":5,"$version":3},"reported":{"$version":4}}`;
  const { lines, exit } = await fixture.run(jsonScript(`${partsScript(twin)}${SCAN}print(shown(scan(1024))); board.exit(0);`), { preload, creation: { ...TIGHT, chunk: { initial: 12 * 1024, incremental: 0 } } });
  expect(exit).toMatchObject({ code: 0 });
  expect(lines).toEqual([{ desired: { version: 3, values: [['roots', 5]], refused: [['thermostat', 'ERR_JSON_SIZE']] }, reported: { version: 4, values: [], refused: [] } }]);
});
