import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { BuiltFirmware } from '../../host-sim/simulation/firmware.ts';
import { HUB_NAME } from '../../host-sim/simulation/hub-side.ts';
import { scanForKey } from '../board/key-scan.ts';
import { readProcessMemory } from '../board/process-memory.ts';
import { BUDGETS } from './budgets.ts';
import type { Row } from './row.ts';
import { VirtualBoard } from './virtual-board.ts';

const DELAY_MS = 50;
const INTERVAL_MS = 1000;
const TOKEN_LIFE_SECONDS = 20;
const RENEWALS = 2;

/** Looks for the device key in all that the board's process can write to, in its flash and in what it printed. */
export async function measureKeyTraces(firmware: BuiltFirmware): Promise<readonly Row[]> {
  const row = { row: 'key-traces', what: 'traces of the device key in memory (freed too), flash and output', unit: 'times', budget: { most: BUDGETS.keyTraces } } as const;
  if (process.platform !== 'linux') return [{ ...row, measured: undefined, note: 'the memory of a process is read by way of /proc' }];
  const board = await VirtualBoard.start({ firmware, delayMs: DELAY_MS, tokenLifeSeconds: TOKEN_LIFE_SECONDS, intervalMs: INTERVAL_MS });
  try {
    await board.runUntil(`${RENEWALS} renewals`, () => board.watch.counts.renewals >= RENEWALS, (RENEWALS + 1) * TOKEN_LIFE_SECONDS * 1000);
    const memory = readProcessMemory(board.pid);
    // A control: it is the memory of an agent that signs for this hub.
    if (!memory.includes(HUB_NAME)) throw new Error("the board's memory was not read");
    const places = [memory, readFileSync(join(board.deviceFolder, 'flash.bin')), Buffer.from(JSON.stringify(board.lines))];
    return [
      {
        ...row,
        measured: places.flatMap((bytes) => scanForKey(bytes, board.key)).length,
        note: `raw, hex, base64, xor-padded and as HMAC state, 16 bytes at a time; after ${RENEWALS} renewals; npm test plants each form and finds it`,
      },
    ];
  } finally {
    await board.close();
  }
}
