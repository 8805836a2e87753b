import { availableParallelism, loadavg } from 'node:os';
import { parseArgs } from 'node:util';

import { buildBoard } from '../../host-sim/board/build.ts';
import { buildFirmwareForBoard } from '../../host-sim/simulation/firmware.ts';
import { measureCloud } from './cloud-rows.ts';
import { measureFleet } from './fleet-rows.ts';
import { measureHeap } from './heap-rows.ts';
import { measureHub } from './hub-rows.ts';
import { measureImage } from './image-rows.ts';
import { measureKeyTraces } from './key-rows.ts';
import { measureMessage } from './message-rows.ts';
import { measurePeak } from './peak-rows.ts';
import { measureRefusal } from './refusal-rows.ts';
import { measureRenewals } from './renewal-rows.ts';
import { holds, type Row } from './row.ts';
import { measureRoots } from './root-rows.ts';
import { measureScanners } from './scanner-rows.ts';
import { measureStart } from './start-rows.ts';
import { formatJson, formatTable } from './table.ts';
import { measureToken } from './token-rows.ts';

/** How much is measured. */
interface Size {
  readonly renewalMs: number;
  readonly renewalTokenSeconds: number;
  /** With 75 s or more the old token holds over the whole time that is watched. */
  readonly refusalTokenSeconds: number;
  readonly lastRenewal: number;
  readonly hub: Parameters<typeof measureHub>[0];
  readonly fleetDevices: number;
}

const FULL: Size = {
  renewalMs: 90_000,
  renewalTokenSeconds: 10,
  refusalTokenSeconds: 76,
  lastRenewal: 200,
  hub: { messages: 200_000, connects: 400, idleConnections: 800 },
  fleetDevices: 500,
};
const QUICK: Size = {
  renewalMs: 15_000,
  renewalTokenSeconds: 8,
  refusalTokenSeconds: 10,
  lastRenewal: 30,
  hub: { messages: 50_000, connects: 100, idleConnections: 300 },
  fleetDevices: 50,
};

const USAGE = `Measures every budget of docs/architecture.md and prints one table.

  npm run bench                 about five minutes
  npm run bench -- --quick      about a minute, fewer repetitions
  npm run bench -- --json       JSON Lines: one row a line
  npm run bench -- --only heap  rows of one group: GROUPS

Exit code 1: a budget is missed.`;

const EXIT_USAGE = 2;

/** Runs every row and prints one table, or JSON Lines. @returns the exit code */
export async function runBench(args: readonly string[]): Promise<number> {
  const options = { json: { type: 'boolean' }, quick: { type: 'boolean' }, only: { type: 'string' }, help: { type: 'boolean' } } as const;
  const { values } = parseArgs({ args: [...args], options });
  const groups = groupsOf(values.quick === true ? QUICK : FULL);
  const names = Object.keys(groups);
  if (values.help === true) {
    print(USAGE.replace('GROUPS', names.join(', ')));
    return 0;
  }
  if (values.only !== undefined && !names.includes(values.only)) {
    say(`--only: expected one of ${names.join(', ')}, got ${JSON.stringify(values.only)}`);
    return EXIT_USAGE;
  }
  warnOfLoad();
  const rows: Row[] = [];
  for (const [name, measure] of Object.entries(groups)) {
    if (values.only !== undefined && values.only !== name) continue;
    say(`measuring ${name} …`);
    const measured = await measure();
    if (values.json === true) print(measured.map(formatJson).join('\n'));
    rows.push(...measured);
  }
  if (values.json !== true) print(formatTable(rows));
  const missed = rows.filter((row) => holds(row) === false);
  if (missed.length > 0) say(`missed: ${missed.map(({ row }) => row).join(', ')}`);
  return missed.length > 0 ? 1 : 0;
}

/** In this order: what counts in real time first, while nothing else runs. */
function groupsOf(size: Size): Readonly<Record<string, () => Promise<readonly Row[]>>> {
  const firmware = (bits: 32 | 64): ReturnType<typeof buildFirmwareForBoard> => buildFirmwareForBoard(bits, say);
  return {
    renewal: async () => measureRenewals({ firmware: await firmware(64), durationMs: size.renewalMs, tokenLifeSeconds: size.renewalTokenSeconds }),
    refusal: async () => measureRefusal({ firmware: await firmware(64), tokenLifeSeconds: size.refusalTokenSeconds }),
    token: async () => measureToken((await firmware(32)).program),
    message: async () => measureMessage(await firmware(32)),
    cloud: async () => measureCloud(await firmware(32)),
    heap: async () => measureHeap({ firmware: await firmware(32), lastRenewal: size.lastRenewal }),
    peak: async () => measurePeak({ ...(await firmware(32)), program: await buildBoard({ variant: 'stress', onProgress: say }) }),
    scanner: async () => measureScanners((await firmware(32)).program, await buildBoard({ variant: 'stress', onProgress: say })),
    roots: async () => measureRoots(await firmware(32), await buildBoard({ variant: 'stress', onProgress: say })),
    keys: async () => measureKeyTraces(await firmware(32)),
    image: measureImage,
    hub: () => measureHub(size.hub),
    fleet: () => measureFleet({ devices: size.fleetDevices }),
    start: measureStart,
  };
}

/** What is measured in real time is slower while others work. */
function warnOfLoad(): void {
  const [load = 0] = loadavg();
  const cores = availableParallelism();
  if (load > cores / 2) say(`this machine is busy (load ${load.toFixed(1)} on ${cores} cores): rows in ms and per second are not its own`);
}

function say(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
