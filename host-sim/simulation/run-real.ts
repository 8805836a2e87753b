import { startBoard, type Board } from '../board/board.ts';
import { trackBoard } from './running-boards.ts';
import { STOP_LIMIT_MS, type DevicePlan, type RunPlan } from './run.ts';

/** Runs boards in real time until all have ended. No process is left when it resolves. */
export async function runReal(plan: RunPlan, hosts: Readonly<Record<string, string>>): Promise<void> {
  await Promise.all(plan.devices.map((device) => runDevice(device, plan, hosts)));
}

async function runDevice({ record, folder, seed }: DevicePlan, plan: RunPlan, hosts: Readonly<Record<string, string>>): Promise<void> {
  if (plan.stop.aborted) return;
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
  record.takeExit(exit, plan.stop.aborted);
}
