import type { BoardReport } from '../../host-sim/board/board.ts';
import type { BuiltFirmware } from '../../host-sim/simulation/firmware.ts';
import { BUDGETS } from './budgets.ts';
import { firstFigure } from './first-figures.ts';
import type { Row } from './row.ts';
import { VirtualBoard } from './virtual-board.ts';

export interface HeapOptions {
  /** Of the 32-bit board. */
  readonly firmware: BuiltFirmware;
  /** The heap of this renewal is compared with that of `FIRST_RENEWAL`. */
  readonly lastRenewal: number;
}

const DELAY_MS = 50;
const INTERVAL_MS = 1000;
const TOKEN_LIFE_SECONDS = 20;
/** By then everything that grows once has grown. */
const FIRST_RENEWAL = 10;
/** After a renewal: its last message is acknowledged, the older connection gone. */
const CALM_MS = 3000;
/** After a message: it is acknowledged, the next is not yet due. */
const BETWEEN_MESSAGES_MS = 500;

/** XS heap and C heap of the agent that sends a message a second and renews, in virtual time. */
export async function measureHeap({ firmware, lastRenewal }: HeapOptions): Promise<readonly Row[]> {
  const board = await VirtualBoard.start({ firmware, delayMs: DELAY_MS, tokenLifeSeconds: TOKEN_LIFE_SECONDS, intervalMs: INTERVAL_MS });
  try {
    const early = await reportAfterRenewal(board, FIRST_RENEWAL);
    const late = await reportAfterRenewal(board, lastRenewal);
    const two = await reportWithTwoSessions(board);
    const end = await board.stop();
    return [...xsRows(early, late, lastRenewal), ...cHeapRows(early, late, two, end, lastRenewal)];
  } finally {
    await board.close();
  }
}

async function reportAfterRenewal(board: VirtualBoard, renewal: number): Promise<BoardReport> {
  const { watch } = board;
  await board.runUntil(`renewal ${renewal}`, () => watch.counts.renewals >= renewal, (renewal + 1) * TOKEN_LIFE_SECONDS * 1000);
  await board.runFor(CALM_MS);
  const { received } = watch.counts;
  await board.runUntil('the next message', () => watch.counts.received > received, 2 * INTERVAL_MS);
  await board.runFor(BETWEEN_MESSAGES_MS);
  return board.report();
}

/** The hub has accepted the second connection and the agent has not heard of it: both TLS sessions are up. */
async function reportWithTwoSessions(board: VirtualBoard): Promise<BoardReport> {
  const { connects } = board.watch.counts;
  await board.report(); // peaks count from here
  await board.runUntil('the next renewal', () => board.watch.counts.connects > connects, TOKEN_LIFE_SECONDS * 1000);
  return board.report();
}

function xsRows(early: BoardReport, late: BoardReport, lastRenewal: number): Row[] {
  return [
    {
      row: 'heap-connected',
      what: 'XS heap of the connected agent, 32-bit, one message a second',
      unit: 'bytes',
      budget: { most: BUDGETS.connectedHeapBytes },
      measured: Math.max(early.heapBytes, late.heapBytes),
      note: `after garbage collection: ${late.slots} slots, ${late.chunkBytes} bytes of chunks; ${late.keys} keys; stack ${late.stackPeak} slots at most; ${late.reservedBytes} bytes reserved`,
    },
    {
      row: 'heap-growth',
      what: `its growth from renewal ${FIRST_RENEWAL} to ${lastRenewal}`,
      unit: 'bytes',
      budget: { most: BUDGETS.heapGrowthBytes },
      measured: late.heapBytes - early.heapBytes,
      note: 'virtual time; npm test counts 1,000 renewals',
    },
  ];
}

function cHeapRows(early: BoardReport, late: BoardReport, two: BoardReport, end: BoardReport, lastRenewal: number): Row[] {
  const row = (name: string, what: string, measured: number, note?: string): Row => ({
    row: `c-heap-${name}`,
    what,
    unit: 'bytes',
    ...firstFigure(`c-heap-${name}`),
    measured,
    ...(note === undefined ? {} : { note }),
  });
  return [
    row('one', 'C heap, one TLS session', cHeapOf(late), 'record buffers of the Mbed TLS that the board is linked with: 16 KB each way in Debian’s'),
    row('two', 'C heap, two TLS sessions (renewal)', cHeapOf(two)),
    row('peak', 'C heap, peak of a renewal (second handshake)', counted(two.cHeapPeakBytes)),
    row('closed', 'C heap after closing', cHeapOf(end), 'the cached session for resumption, and what the machine itself holds'),
    {
      row: 'c-heap-growth',
      what: `growth of the C heap from renewal ${FIRST_RENEWAL} to ${lastRenewal}`,
      unit: 'bytes',
      budget: { most: BUDGETS.heapGrowthBytes },
      measured: cHeapOf(late) - cHeapOf(early),
    },
  ];
}

function cHeapOf(report: BoardReport): number {
  return counted(report.cHeapBytes);
}

/** @throws Error for a board that does not count it */
function counted(figure: number | null): number {
  if (figure === null) throw new Error('this variant of the board does not count the C heap');
  return figure;
}
