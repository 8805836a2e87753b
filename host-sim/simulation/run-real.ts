import { setMaxListeners } from 'node:events';
import { startBoard, type Board, type BoardExit } from '../board/board.ts';
import { EXIT_RESTART, seedOfLife, shortenDuration } from './restart.ts';
import { trackBoard } from './running-boards.ts';
import { STOP_LIMIT_MS, type DevicePlan, type RunPlan } from './run.ts';

/** Runs boards in real time until all have ended. No process is left when it resolves. */
export async function runReal(plan: RunPlan, hosts: Readonly<Record<string, string>>): Promise<void> {
  // One for each board that runs: no leak, however many there are.
  setMaxListeners(plan.devices.length + 1, plan.stop);
  await Promise.all(plan.devices.map((device) => runDevice(device, plan, hosts)));
}

async function runDevice(device: DevicePlan, plan: RunPlan, hosts: Readonly<Record<string, string>>): Promise<void> {
  for (let life = 0; !plan.stop.aborted; life++) {
    const startMs = performance.now();
    const exit = await runLife({ ...device, seed: seedOfLife(device.seed, life) }, plan, hosts);
    if (exit.code !== EXIT_RESTART || plan.stop.aborted) return device.record.takeExit(exit, plan.stop.aborted);
    device.record.takeRestart();
    shortenDuration(device.folder, performance.now() - startMs);
  }
}

async function runLife({ record, folder, seed }: DevicePlan, plan: RunPlan, hosts: Readonly<Record<string, string>>): Promise<BoardExit> {
  const { program, preload, main } = plan.firmware;
  const board: Board = startBoard({
    program,
    preload,
    main,
    device: folder,
    hosts,
    onLine: (line) => record.takeLine(line),
    ...(seed !== undefined && { seed }),
    ...(plan.deviceClockMs !== undefined && { wallMs: plan.deviceClockMs }),
  });
  trackBoard(board);
  const stop = (): void => void board.stop(STOP_LIMIT_MS);
  plan.stop.addEventListener('abort', stop, { once: true });
  const exit = await board.exited;
  plan.stop.removeEventListener('abort', stop);
  return exit;
}
