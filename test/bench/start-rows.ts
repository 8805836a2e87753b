import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

import { projectPath } from '../../host-sim/board/project-path.ts';
import { BUDGETS } from './budgets.ts';
import type { Row } from './row.ts';

const STARTS = 3;

/** From the command to the device's `connected`, by the clock of this process: npm, the check of what is built, TLS and all. */
export async function measureStart(): Promise<readonly Row[]> {
  await startOnce(); // builds what has changed
  const timesMs: number[] = [];
  for (let i = 0; i < STARTS; i++) timesMs.push(await startOnce());
  return [
    {
      row: 'second-start',
      what: 'second `npm run sim`: from the command to connected',
      unit: 'ms',
      budget: { most: BUDGETS.secondStartMs },
      measured: Math.round(Math.max(...timesMs)),
      note: `the slowest of ${STARTS}`,
    },
  ];
}

async function startOnce(): Promise<number> {
  const startMs = performance.now();
  const child = spawn('npm', ['run', '--silent', 'sim', '--', '--json', '--port', '0', '--duration', '1s'], {
    cwd: projectPath('.'),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let talk = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    talk += text;
  });
  let connectedMs: number | undefined;
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { event, source } = JSON.parse(line) as { event?: string; source?: string };
    if (event === 'connected' && source === 'device') connectedMs ??= performance.now() - startMs;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (connectedMs === undefined) throw new Error(`the simulator did not connect (exit code ${code})\n${talk}`);
  return connectedMs;
}
