import { mkdirSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';

import { projectPath } from '../../host-sim/board/project-path.ts';
import { outputOf, startModule } from '../module-process.ts';
import type { FuzzLimits, FuzzOutcome } from './outcome.ts';
import type { ScriptReport } from './script-process.ts';
import type { ScriptTarget } from './targets.ts';

/** No input takes nearly so long: the process hangs. */
const HANG_MS = 60_000;

/** Fuzzes JavaScript of the firmware in a process of its own. @throws Error when it ends without a report */
export async function fuzzScript(target: ScriptTarget, limits: FuzzLimits): Promise<FuzzOutcome> {
  const report = await run(target, 'fuzzScript', { ...limits, target: target.name }, limits.seconds * 1000 + HANG_MS);
  if ('executions' in report) return { ...report, crash: undefined };
  const bytes = Buffer.from(report.failedInput, 'hex');
  const folder = projectPath(`.build/fuzz/${target.name}/crashes`);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `crash-${createHash('sha1').update(bytes).digest('hex')}`);
  writeFileSync(file, bytes);
  return { executions: 0, newInputs: 0, files: [], crash: { file, talk: report.talk } };
}

/** Runs one input. */
export async function tryScript(target: ScriptTarget, file: string): Promise<{ readonly ok: boolean; readonly talk: string }> {
  const report = await run(target, 'tryScript', { file, target: target.name }, HANG_MS);
  return 'talk' in report ? { ok: false, talk: report.talk } : { ok: true, talk: '' };
}

async function run(target: ScriptTarget, name: string, argument: unknown, limitMs: number): Promise<ScriptReport> {
  const child = startModule({ module: 'test/fuzz/script-process.ts', name, argument });
  const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
  try {
    return JSON.parse(await outputOf(child, `fuzzing ${target.name}`)) as ScriptReport;
  } finally {
    clearTimeout(timer);
  }
}
