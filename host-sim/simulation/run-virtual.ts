import { constants, setPriority } from 'node:os';
import { startDrivenBoard, type DrivenBoard } from '../board/board.ts';
import type { VirtualClock } from '../time/virtual-clock.ts';
import type { VirtualNetwork } from '../time/virtual-network.ts';
import { VirtualTime, type BoardHandle } from '../time/virtual-time.ts';
import { EXIT_RESTART, seedOfLife, shortenDuration } from './restart.ts';
import { trackBoard } from './running-boards.ts';
import { STOP_LIMIT_MS, type DevicePlan, type RunPlan } from './run.ts';

/** From so many devices on the boards leave the processor to whatever else runs, the hub first: virtual time does not mind. */
const FLEET_DEVICES = 16;

/** One device's board, from a start of it to its end. */
interface Life {
  readonly device: DevicePlan;
  readonly board: DrivenBoard;
  readonly handle: BoardHandle;
  readonly count: number;
  readonly startMs: number;
}

/** Runs boards in virtual time until all have ended. No process is left when it resolves. */
export async function runVirtual(plan: RunPlan, clock: VirtualClock, network: VirtualNetwork): Promise<void> {
  const time = new VirtualTime(clock, network);
  const { program, preload, main } = plan.firmware;
  const begin = (device: DevicePlan, count: number): Life => {
    const { record, folder } = device;
    const seed = seedOfLife(device.seed, count);
    const board = startDrivenBoard({ program, preload, main, device: folder, ...(seed !== undefined && { seed }) });
    trackBoard(board);
    if (plan.devices.length >= FLEET_DEVICES) setPriority(board.pid, constants.priority.PRIORITY_BELOW_NORMAL);
    const handle = time.addBoard(board.channel, {
      onLine: (text) => record.takeText(text),
      ...(device.cable !== undefined && { cable: device.cable }),
      ...(plan.deviceClockMs !== undefined && { wallMs: plan.deviceClockMs }),
    });
    return { device, board, handle, count, startMs: clock.monotonicMs() };
  };
  const lives = plan.devices.map((device) => begin(device, 0));
  /** Those that have ended for good; told of in the order of the devices once all have. */
  const ended = new Set<Life>();
  let killTimer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    for (const { handle } of lives) handle.stop();
    killTimer = setTimeout(() => lives.forEach(({ board }) => board.kill()), STOP_LIMIT_MS);
  };
  plan.stop.addEventListener('abort', stop, { once: true });
  if (plan.stop.aborted) stop();
  try {
    while (ended.size < lives.length) {
      const hasEnded = (life: Life): boolean => life.handle.isClosed && !ended.has(life);
      if (!(await time.run(() => lives.some(hasEnded)))) break;
      for (const [index, life] of lives.entries()) {
        if (!hasEnded(life)) continue;
        const exit = await life.board.exited;
        if (exit.code !== EXIT_RESTART || plan.stop.aborted) {
          ended.add(life);
          continue;
        }
        life.device.record.takeRestart();
        shortenDuration(life.device.folder, clock.monotonicMs() - life.startMs);
        lives[index] = begin(life.device, life.count + 1);
      }
    }
    for (const { device, board } of lives) device.record.takeExit(await board.exited, plan.stop.aborted);
  } finally {
    clearTimeout(killTimer);
    plan.stop.removeEventListener('abort', stop);
    for (const { board } of lives) board.kill();
  }
}
