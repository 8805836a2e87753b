import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { isReport, startBoard, type BoardLine, type BoardReport } from '../../host-sim/board/board.ts';
import { buildFirmware } from '../../host-sim/board/bundle.ts';
import { projectPath } from '../../host-sim/board/project-path.ts';
import { firstFigure } from './first-figures.ts';
import type { Row, Unit } from './row.ts';

const STOP_LIMIT_MS = 60_000;
/** As scanner-app.ts has it. */
const REPORT = { temperature: 21.75, state: { mode: 'idle', since: '2026-11-22T17:30:58Z' }, error: null, firmware: '1.0.0' };

/** @param stressProgram collects garbage at every allocation: its peak is what lives at once */
export async function measureScanners(program: string, stressProgram: string): Promise<readonly Row[]> {
  const { preload, main } = await buildFirmware({ app: projectPath('test/bench/scanner-app.ts') });
  const { counted } = await run(program, preload, main);
  const { before, peak } = await run(stressProgram, preload, main);
  if (counted['twinRead'] !== true || counted['methodRead'] !== true || !isSame(counted['report'], REPORT)) throw new Error(`the board read something else: ${JSON.stringify(counted)}`);
  const [twinBytes, methodBytes] = [Number(counted['twinBytes']), Number(counted['methodBytes'])];
  const peakBytes = peak.peakSlots * peak.slotBytes + peak.peakChunkBytes - before.heapBytes;
  return [
    row('scanner-twin-units', `compute units for 1 KB of a twin of ${Math.floor(twinBytes / 1024)} KB that passes the scanner`, 'units', Math.round((1024 * Number(counted['twinUnits'])) / twinBytes), 'in pieces of 1 KB'),
    row('scanner-twin-heap', 'XS heap of that at its peak, 32-bit', 'bytes', peakBytes, `${peak.peakSlots - before.slots} slots; nothing is left of it`),
    row('scanner-method-units', `compute units to check and parse ${methodBytes} bytes of a method`, 'units', Number(counted['methodUnits']), `${Number(counted['bareMethodUnits'])} without the check`),
    row('scanner-report-units', 'compute units to check, copy and merge two reports of three properties', 'units', Number(counted['reportUnits'])),
  ];
}

function row(name: string, what: string, unit: Unit, measured: number, note?: string): Row {
  return { row: name, what, unit, ...firstFigure(name), measured, ...(note === undefined ? {} : { note }) };
}

async function run(program: string, preload: string, main: string): Promise<{ readonly counted: BoardLine; readonly before: BoardReport; readonly peak: BoardReport }> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-bench-scanner-'));
  try {
    const lines: BoardLine[] = [];
    let isReady = (): void => {};
    const ready = new Promise<void>((resolve) => (isReady = resolve));
    const board = startBoard({
      program,
      preload,
      main,
      device: join(folder, 'device'),
      onLine: (line) => {
        lines.push(line);
        if (line.event === 'ready') isReady();
      },
    });
    const ended = board.exited.then(({ code, talk }) => {
      throw new Error(`the board ended early (exit code ${code})\n${talk}`);
    });
    ended.catch(() => {});
    await Promise.race([ready, ended]);
    const before = await board.report();
    const { code, talk } = await board.stop(STOP_LIMIT_MS);
    const counted = lines.find(({ event }) => event === 'counted');
    const peak = lines.filter(isReport).at(-1);
    if (code !== 0 || counted === undefined || peak === undefined) throw new Error(`the board counted nothing (exit code ${code})\n${talk}`);
    return { counted, before, peak };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function isSame(a: unknown, b: unknown): boolean {
  const sorted = (value: unknown): string => JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? Object.fromEntries(Object.entries(inner).sort()) : inner));
  return sorted(a) === sorted(b);
}
