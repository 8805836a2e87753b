import { startDrivenBoard, type DrivenBoard } from '../board/board.ts';
import type { VirtualClock } from '../time/virtual-clock.ts';
import type { VirtualNetwork } from '../time/virtual-network.ts';
import { VirtualTime } from '../time/virtual-time.ts';
import { trackBoard } from './running-boards.ts';
import { STOP_LIMIT_MS, type RunPlan } from './run.ts';

/** Runs boards in virtual time until all have ended. No process is left when it resolves. */
export async function runVirtual(plan: RunPlan, clock: VirtualClock, network: VirtualNetwork): Promise<void> {
  const time = new VirtualTime(clock, network);
  const { program, preload, main } = plan.firmware;
  const boards: DrivenBoard[] = [];
  const handles = plan.devices.map(({ record, folder, seed }) => {
    const board = startDrivenBoard({ program, preload, main, device: folder, ...(seed !== undefined && { seed }) });
    trackBoard(board);
    boards.push(board);
    return time.addBoard(board.channel, {
      onLine: (text) => record.takeText(text),
      ...(plan.deviceClockMs !== undefined && { wallMs: plan.deviceClockMs }),
    });
  });
  let killTimer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    for (const handle of handles) handle.stop();
    killTimer = setTimeout(() => boards.forEach((board) => board.kill()), STOP_LIMIT_MS);
  };
  plan.stop.addEventListener('abort', stop, { once: true });
  if (plan.stop.aborted) stop();
  try {
    await time.run(() => handles.every((handle) => handle.isClosed));
    const exits = await Promise.all(boards.map((board) => board.exited));
    exits.forEach((exit, index) => plan.devices[index]?.record.takeExit(exit, plan.stop.aborted));
  } finally {
    clearTimeout(killTimer);
    plan.stop.removeEventListener('abort', stop);
    for (const board of boards) board.kill();
  }
}
