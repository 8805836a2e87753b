import type { BuiltFirmware } from '../../host-sim/simulation/firmware.ts';
import { BUDGETS } from './budgets.ts';
import { firstFigure } from './first-figures.ts';
import type { Row } from './row.ts';
import { VirtualBoard } from './virtual-board.ts';

/** Of each kind. */
const TIMES = 20;
const EVERY_MS = 1000;
/** TLS, the check of the clock and the growth of the heap are over. */
const WARM_UP_MS = 30_500;
/** Longer than the run: nothing is sent in it but the first message. */
const IDLE_INTERVAL_MS = 86_400_000;
const TOKEN_LIFE_SECONDS = 3600;

interface Feature {
  readonly row: string;
  readonly what: string;
  readonly note: string;
  /** Something at the hub, the n-th time. */
  act(board: VirtualBoard, n: number): unknown;
}

const FEATURES: readonly Feature[] = [
  {
    row: 'desired-units',
    what: 'compute units for a desired patch that the application does not read',
    note: 'scanned, and its version followed',
    act: ({ hub, identity }, n) => hub.twins.patch(identity, { properties: { desired: { other: n } } }),
  },
  {
    row: 'target-units',
    what: 'compute units for a desired patch, its handler, the report that acknowledges it, and the answer to that',
    note: 'a Plug and Play writable property',
    act: ({ hub, identity }, n) => hub.twins.patch(identity, { properties: { desired: { targetTemperature: 20 + (n % 10) } } }),
  },
  {
    row: 'method-units',
    what: 'compute units for a direct method, its handler, the answer and its PUBACK',
    note: 'getMaxMinReport of the thermostat',
    act: ({ hub, identity }) => hub.methods.invoke(identity, { methodName: 'getMaxMinReport', payload: '2020-01-01T00:00:00Z' }),
  },
  {
    row: 'message-in-units',
    what: 'compute units for a message of 100 bytes from the cloud, its handler and PUBACK',
    note: 'with three properties',
    act: ({ hub, identity }, n) => hub.messages.enqueue(identity, { messageId: `m${n}`, contentType: 'text/plain', properties: { room: 'kitchen' }, payload: Buffer.alloc(100, 0x20) }),
  },
];

/** What twin, methods and messages take of the 32-bit board, and what the thermostat's heap is after them. */
export async function measureCloud(firmware: BuiltFirmware): Promise<readonly Row[]> {
  const board = await VirtualBoard.start({ firmware, delayMs: 0, tokenLifeSeconds: TOKEN_LIFE_SECONDS, intervalMs: IDLE_INTERVAL_MS, app: 'thermostat' });
  try {
    await board.runFor(WARM_UP_MS);
    const idle = await countUnits(board, () => {});
    const rows: Row[] = [];
    for (const { row, what, note, act } of FEATURES) {
      const units = await countUnits(board, act);
      rows.push({ row, what, unit: 'units', ...firstFigure(row), measured: Math.round((units - idle) / TIMES), note: `mean of ${TIMES}, TLS included; ${note}` });
    }
    return [...rows, ...(await measureHeap(firmware))];
  } finally {
    await board.close();
  }
}

async function countUnits(board: VirtualBoard, act: Feature['act']): Promise<number> {
  // What is made once is made by the first.
  await step(board, act, 0);
  const before = await board.report();
  for (let n = 1; n <= TIMES; n++) await step(board, act, n);
  const after = await board.report();
  return (after.computeUnits - before.computeUnits) >>> 0;
}

async function step(board: VirtualBoard, act: Feature['act'], n: number): Promise<void> {
  const done = Promise.resolve(act(board, n));
  await Promise.all([done, board.runFor(EVERY_MS)]);
}

/** One message a second, all of the above every second, and two renewals. */
async function measureHeap(firmware: BuiltFirmware): Promise<readonly Row[]> {
  const board = await VirtualBoard.start({ firmware, delayMs: 50, tokenLifeSeconds: 20, intervalMs: EVERY_MS, app: 'thermostat' });
  try {
    await board.runFor(WARM_UP_MS);
    for (let n = 1; n <= TIMES; n++) {
      for (const { act } of FEATURES) await step(board, act, n);
    }
    const report = await board.report();
    return [
      {
        row: 'heap-thermostat',
        what: 'XS heap of the connected thermostat, 32-bit, one message a second, after twin, methods and messages',
        unit: 'bytes',
        budget: { most: BUDGETS.connectedHeapBytes },
        measured: report.heapBytes,
        note: `after garbage collection: ${report.slots} slots, ${report.chunkBytes} bytes of chunks; ${report.keys} keys; ${report.reservedBytes} bytes reserved`,
      },
      {
        row: 'stack-thermostat',
        what: 'XS stack of that at its peak',
        unit: 'bytes',
        ...firstFigure('stack-thermostat'),
        measured: report.stackPeak * report.slotBytes,
        note: `${report.stackPeak} slots of the manifest's 512`,
      },
    ];
  } finally {
    await board.close();
  }
}
