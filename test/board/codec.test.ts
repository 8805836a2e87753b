import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { isReport, startBoard, type BoardLine, type BoardReport } from '../../host-sim/board/board.ts';
import { buildBoard } from '../../host-sim/board/build.ts';
import { buildFirmware } from '../../host-sim/board/bundle.ts';
import { projectPath } from '../../host-sim/board/project-path.ts';
import { INBOUND, MALFORMED, OUTBOUND } from '../unit/codec-vectors.ts';

/** Compute units: the same on every machine. A message has a 77-byte topic and 100 bytes of payload. */
const BUDGET_UNITS = {
  'PUBLISH out': 3100,
  'PUBLISH in': 2900,
  'PUBACK in': 1450,
  'PUBACK out': 900,
  'PUBLISH framed': 800,
  'PUBACK framed': 450,
  '100 characters to UTF-8': 1550,
} as const;

/** Slots of the XS stack, of 512 in the manifest: sessions and callbacks lie below the codec. */
const BUDGET_STACK_SLOTS = 300;

let device: string;
const lines: BoardLine[] = [];
let first: BoardReport;
let last: BoardReport;

beforeAll(async () => {
  device = mkdtempSync(join(tmpdir(), 'latchkey-codec-'));
  const program = await buildBoard({ variant: '32-bit' });
  const { preload, main } = await buildFirmware({ app: projectPath('test/board/codec-app.ts') });
  await new Promise<void>((resolve, reject) => {
    const board = startBoard({
      program,
      preload,
      main,
      device,
      onLine: (line) => {
        lines.push(line);
        if (line.event === 'ready') {
          board.report().then((report) => {
            first = report;
            void board.stop(30_000);
          }, reject);
        }
      },
    });
    board.exited.then(({ code, talk }) => (code === 0 ? resolve() : reject(new Error(`exit code ${code}\n${talk}`))), reject);
  });
  last = lines.filter(isReport).at(-1)!;
});

afterAll(() => rmSync(device, { recursive: true, force: true }));

function linesOf(event: string): BoardLine[] {
  return lines.filter((line) => line.event === event);
}

test('the codec on the board writes the bytes of every vector', () => {
  expect(linesOf('encoded').map(({ bytes }) => bytes)).toEqual(OUTBOUND.map(([, , , bytes]) => bytes.replaceAll(' ', '')));
});

test('the codec on the board reads the packet of every vector', () => {
  const expected = INBOUND.map(([, , , packet]) =>
    packet.type === 'publish' ? { ...packet, payload: Buffer.from(packet.payload).toString('hex') } : packet,
  );
  expect(linesOf('decoded').map(({ packet }) => packet)).toEqual(expected);
});

test('the codec on the board refuses every malformed vector with ERR_PROTOCOL', () => {
  expect(linesOf('refused').map(({ code }) => code)).toEqual(MALFORMED.map(() => 'ERR_PROTOCOL'));
});

test('the text codec on the board writes what Node writes, and refuses half of a surrogate pair', () => {
  expect(linesOf('base64')[0]!['text']).toBe(Buffer.from('é€😀'.repeat(20)).toString('base64'));
  expect(linesOf('half-pair')[0]!['problem']).toContain('RangeError: text: half of a surrogate pair');
});

test.each(Object.entries(BUDGET_UNITS))('%s takes at most %i compute units', (name, budget) => {
  const units = linesOf('counted').find((line) => line['name'] === name)?.['units'];
  console.info(`${name}: ${String(units)} compute units of ${budget}`);
  expect(units).toBeLessThanOrEqual(budget);
  expect(units).toBeGreaterThan(budget / 2);
});

test('the heap of the board does not grow over 10,000 messages of 1,000 lengths, and no object in flash is written to', () => {
  console.info(`codecs: ${last.heapBytes} bytes of heap, ${last.slots} slots, ${last.keys} keys, ${last.aliases} aliases, stack ${last.stackPeak} slots`);
  expect(last.heapBytes).toBe(first.heapBytes);
  expect(last.keys).toBe(first.keys);
  expect(last.aliases).toBe(0);
});

test('the codec leaves room on the XS stack', () => {
  expect(last.stackPeak).toBeLessThanOrEqual(BUDGET_STACK_SLOTS);
});
