import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { isReport, startBoard, type BoardLine, type BoardReport } from '../../host-sim/board/board.ts';
import { buildFirmware } from '../../host-sim/board/bundle.ts';
import type { Creation } from '../../host-sim/board/creation.ts';
import { projectPath } from '../../host-sim/board/project-path.ts';
import { writeSettings } from '../../host-sim/board/settings.ts';
import type { AgentPrograms } from '../fakes/agent-board.ts';
import { makeBundle, makeUpdateKey, pointsOf, trusted } from '../fakes/root-bundles.ts';
import { BUDGETS } from './budgets.ts';
import { firstFigure } from './first-figures.ts';
import { extraHeapOf, RootWays, ROOT_WAYS } from './root-ways.ts';
import type { Row } from './row.ts';

/** What the settings are read with must fit beside the bundle. */
const ROOMY: Creation = { chunk: { initial: 32_768, incremental: 1024 }, heap: { initial: 2048, incremental: 64 }, stack: 512, keys: { initial: 32, incremental: 32 } };
/** Below what one value of the settings may have. */
const PIECE_BYTES = 4000;

/** What new roots take of the 32-bit board: a verification alone, and every way of the largest bundle into the connected agent. */
export async function measureRoots(programs: AgentPrograms, stressProgram: string): Promise<readonly Row[]> {
  const { units, report, bytes } = await verify(programs.program);
  const note = `${bytes} bytes: two public roots, three keys, signatures of two; the threshold of the old set and that of the new one`;
  const ways = await RootWays.open({ ...programs, program: stressProgram });
  const figures = [];
  for (const way of ROOT_WAYS) figures.push(await ways.measure(way));
  const worst = figures.reduce((most, each) => (extraHeapOf(each) > extraHeapOf(most) ? each : most));
  const stackPeak = Math.max(...figures.map(({ after }) => after.stackPeak));
  return [
    { row: 'roots-units', what: 'compute units for the verification of a root bundle', unit: 'units', ...firstFigure('roots-units'), measured: units, note },
    { row: 'roots-c-heap', what: 'C heap of a verification of a root bundle, at its peak', unit: 'bytes', ...firstFigure('roots-c-heap'), measured: report.cHeapPeakBytes ?? undefined, note: `${report.cHeapBytes} of them stay` },
    {
      row: 'roots-heap',
      what: 'XS heap beside the bundle itself that an update of the roots takes of the connected agent, at its peak',
      unit: 'bytes',
      budget: { most: BUDGETS.rootUpdateHeapBytes },
      measured: extraHeapOf(worst),
      note: `a bundle of ${worst.bundleBytes} bytes by ${worst.way}, the worst of ${ROOT_WAYS.join(', ')}; every allocation collects garbage: nothing but what is in use counts`,
    },
    { row: 'roots-stack', what: 'XS stack of that at its peak', unit: 'bytes', ...firstFigure('roots-stack'), measured: stackPeak * worst.after.slotBytes, note: `${stackPeak} slots of the manifest's 512` },
  ];
}

async function verify(program: string): Promise<{ readonly units: number; readonly report: BoardReport; readonly bytes: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-bench-roots-'));
  try {
    const keys = await Promise.all(Array.from({ length: 3 }, makeUpdateKey));
    const roots = ['microsoft-rsa-root-2017', 'digicert-global-root-g2'].map((name) => trusted(readFileSync(projectPath(`certs/${name}.der`))));
    const bundle = await makeBundle({ version: 2, roots, keys, threshold: 2 }, keys.slice(0, 2));
    const { preload, main } = await buildFirmware({ app: projectPath('test/bench/root-app.ts') });
    const device = join(folder, 'device');
    mkdirSync(device);
    const pieces = Array.from({ length: Math.ceil(bundle.length / PIECE_BYTES) }, (_, index) => [String(index), bundle.subarray(index * PIECE_BYTES, (index + 1) * PIECE_BYTES)] as const);
    writeSettings(join(device, 'settings.kv'), { bench: { keys: pointsOf(keys), length: String(bundle.length), ...Object.fromEntries(pieces) } });
    const lines: BoardLine[] = [];
    const { code, talk } = await startBoard({ program, preload, main, device, creation: ROOMY, onLine: (line) => void lines.push(line) }).exited;
    const counted = lines.find(({ event }) => event === 'counted');
    const report = lines.find(isReport);
    if (code !== 0 || counted?.['version'] !== 2 || report === undefined) throw new Error(`the board verified nothing (exit code ${code})\n${talk}`);
    return { units: Number(counted['units']), report, bytes: bundle.length };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
