import type { BuiltFirmware } from '../../host-sim/simulation/firmware.ts';
import { BUDGETS } from './budgets.ts';
import { PAYLOAD_BYTES } from './client.ts';
import type { Row } from './row.ts';
import { VirtualBoard } from './virtual-board.ts';

const MESSAGES = 100;
const INTERVAL_MS = 1000;
/** First message, TLS, the check of the clock and the growth of the heap are over. */
const WARM_UP_MS = 30_500;
/** Longer than the whole run: nothing is sent in it but the first message. */
const IDLE_INTERVAL_MS = 86_400_000;
const TOKEN_LIFE_SECONDS = 3600;

/** The sample application on the 32-bit board: what it takes for a message each second, less what it takes while it sends none. */
export async function measureMessage(firmware: BuiltFirmware): Promise<readonly Row[]> {
  const busy = await countUnits(firmware, INTERVAL_MS);
  const idle = await countUnits(firmware, IDLE_INTERVAL_MS);
  if (busy.messages !== MESSAGES || idle.messages !== 0) throw new Error(`expected ${MESSAGES} and 0 messages, the hub saw ${busy.messages} and ${idle.messages}`);
  return [
    {
      row: 'message-units',
      what: `compute units for a ${PAYLOAD_BYTES}-byte QoS 1 message and its PUBACK, natives charged`,
      unit: 'units',
      budget: { most: BUDGETS.messageUnits },
      measured: Math.round((busy.units - idle.units) / MESSAGES),
      note: `mean of ${MESSAGES}, TLS and the sample application included`,
    },
  ];
}

async function countUnits(firmware: BuiltFirmware, intervalMs: number): Promise<{ readonly units: number; readonly messages: number }> {
  const board = await VirtualBoard.start({ firmware, delayMs: 0, tokenLifeSeconds: TOKEN_LIFE_SECONDS, intervalMs });
  try {
    await board.runFor(WARM_UP_MS);
    const before = await board.report();
    const messagesBefore = board.watch.counts.received;
    await board.runFor(MESSAGES * INTERVAL_MS);
    const after = await board.report();
    return { units: (after.computeUnits - before.computeUnits) >>> 0, messages: board.watch.counts.received - messagesBefore };
  } finally {
    await board.close();
  }
}
