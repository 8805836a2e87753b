import { generate } from 'mqtt-packet';

import { DEFAULT_MAX_INBOUND, DEFAULT_QUEUE } from '../../firmware/agent/limits.ts';
import type { BuiltFirmware } from '../../host-sim/simulation/firmware.ts';
import { firstFigure } from './first-figures.ts';
import type { Row } from './row.ts';
import { VirtualBoard } from './virtual-board.ts';

const DELAY_MS = 50;
const INTERVAL_MS = 20;
const TOKEN_LIFE_SECONDS = 20;
const WARM_UP_MS = 3000;
/** The queue is full after its length times the interval; then this much longer. */
const FULL_FOR_MS = 500;
const RECOVERY_MS = 2000;

/**
 * The highest XS heap in use at any moment of a renewal at which everything is full: the hub goes silent when the second TLS
 * session is up, messages are sent until the queue takes no more, and a packet of exactly MAX_INBOUND bytes hangs without its
 * last byte. The board collects garbage at every allocation, so that its high-water mark holds none.
 */
export async function measurePeak(stressed: BuiltFirmware): Promise<readonly Row[]> {
  const board = await VirtualBoard.start({ firmware: stressed, delayMs: DELAY_MS, tokenLifeSeconds: TOKEN_LIFE_SECONDS, intervalMs: INTERVAL_MS });
  try {
    await board.runFor(WARM_UP_MS);
    const calm = await board.report(); // the high-water mark counts from here
    const streamsBefore = board.streams.length;
    await board.runUntil('the second TLS session', () => board.streams.length > streamsBefore, TOKEN_LIFE_SECONDS * 1000);
    const packet = largestPacket();
    const current = board.streams[streamsBefore - 1]!;
    current.write(packet.subarray(0, -1));
    board.hub.stall(board.identity, 'everything');
    await board.runFor(DEFAULT_QUEUE * INTERVAL_MS + FULL_FOR_MS);
    const full = await board.report();
    current.write(packet.subarray(-1));
    board.hub.resume(board.identity);
    await board.runFor(RECOVERY_MS);
    const after = await board.report();
    checkRun(board);
    return [
      {
        row: 'heap-peak',
        what: 'peak of the XS heap: a renewal with a full queue and a MAX_INBOUND packet',
        unit: 'bytes',
        ...firstFigure('heap-peak'),
        measured: Math.max(full.peakHeapBytes, after.peakHeapBytes),
        note: `garbage collected at every allocation; ${full.heapBytes} bytes while everything waits, ${calm.heapBytes} before`,
      },
    ];
  } finally {
    await board.close();
  }
}

function largestPacket(): Buffer {
  const topic = 'devices/bench-virtual/messages/devicebound/';
  const make = (payloadBytes: number): Buffer => generate({ cmd: 'publish', topic, payload: Buffer.alloc(payloadBytes, 0x20), qos: 0, dup: false, retain: false });
  const overhead = make(DEFAULT_MAX_INBOUND - 200).length - (DEFAULT_MAX_INBOUND - 200);
  return make(DEFAULT_MAX_INBOUND - overhead);
}

/** What was to happen did. @throws Error */
function checkRun({ watch, lines }: VirtualBoard): void {
  const message = lines.find(({ event }) => event === 'message');
  if (message === undefined) throw new Error('the largest packet did not reach the application');
  const dropped = lines.findLast((line) => typeof line['dropped'] === 'number')?.['dropped'];
  if (!(Number(dropped) > 0)) throw new Error('the queue was never full');
  if (watch.counts.renewals !== 1) throw new Error(`expected 1 renewal, the hub saw ${watch.counts.renewals}`);
}
