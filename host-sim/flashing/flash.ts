import { familyTitle, titleOf } from '../chip-tools/esp-chips.ts';
import { eraseRegion, identifyBoard, writeFlash, type FlashTarget, type FoundBoard } from '../chip-tools/esptool.ts';
import type { ExternalTool } from '../chip-tools/external-tool.ts';
import type { Chip } from '../firmware/chips.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import type { FlashPlan } from './firmware-files.ts';
import type { FlashEvent } from './flash-events.ts';
import { explainSilence, FIRST_STATE, readLogLine, type LogState, type Verdict } from './online.ts';
import { openSerialLog } from './serial-log.ts';

/** Percents between two lines of progress. */
const PROGRESS_STEP = 10;

export type TellFlash = (event: FlashEvent) => void;

/**
 * Finds the board: the port that was named, or the only one where this chip answers.
 * @throws ERR_NO_BOARD, ERR_CHIP
 */
export async function findBoard(tool: ExternalTool, chip: Chip, ports: readonly string[], interrupted: AbortSignal): Promise<FoundBoard> {
  if (ports.length === 0) throw new CliError('ERR_NO_BOARD', EXIT.unreachable, 'there is no serial port', 'plug the board in by a cable that carries data, or name its port: --port PORT');
  const found: FoundBoard[] = [];
  let silent: unknown;
  for (const port of ports) {
    try {
      found.push(await identifyBoard(tool, port, interrupted));
    } catch (error) {
      if (!(error instanceof CliError) || error.code !== 'ERR_NO_BOARD') throw error;
      silent = error;
    }
  }
  const right = found.filter(({ family }) => family === chip.family);
  const [board, ...others] = right;
  if (others.length > 0) throw new CliError('ERR_NO_BOARD', EXIT.unreachable, `there are ${right.length} boards with ${titleOf(chip)}: ${right.map(({ port }) => port).join(', ')}`, 'say which: --port PORT');
  if (board !== undefined) return board;
  const [wrong] = found;
  if (wrong === undefined) throw silent;
  throw new CliError('ERR_CHIP', EXIT.configuration, `the board at ${wrong.port} has ${familyTitle(wrong.family)}, not ${titleOf(chip)}`, `nothing was written; build, provision and flash for it: --chip ${wrong.family}`);
}

/** Erases, writes, has the chip compare, and restarts it. @throws ERR_FLASH, ERR_NO_BOARD */
export async function writeBoard(target: FlashTarget, plan: FlashPlan, tell: TellFlash): Promise<void> {
  for (const { name, offset, sizeBytes } of plan.files) tell({ event: 'plan', file: name, from: offset, to: offset + sizeBytes - 1 });
  for (const { label, offset, sizeBytes } of plan.erases) {
    await eraseRegion(target, offset, sizeBytes);
    tell({ event: 'erased', partition: label, from: offset, to: offset + sizeBytes - 1 });
  }
  let told = '';
  await writeFlash(target, plan.files, (address, percent) => {
    const file = plan.files.find(({ offset, sizeBytes }) => address >= offset && address <= offset + sizeBytes);
    const step = percent >= 100 ? 100 : Math.floor(percent / PROGRESS_STEP) * PROGRESS_STEP;
    const text = `${file?.name} ${step}`;
    if (file === undefined || text === told) return;
    told = text;
    tell({ event: 'progress', file: file.name, percent: step });
  });
  tell({ event: 'verified', files: plan.files.length, byteCount: plan.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) });
}

export interface WatchOptions {
  readonly port: string;
  readonly baud: number;
  readonly timeoutMs: number;
  readonly interrupted: AbortSignal;
}

/**
 * Shows the log until the board is online.
 * @throws ERR_NOT_ONLINE with what keeps it from that, ERR_TIMED_OUT, ERR_NO_BOARD
 */
export async function watchBoard({ port, baud, timeoutMs, interrupted }: WatchOptions, tell: TellFlash): Promise<void> {
  const startMs = performance.now();
  const log = await openSerialLog(port, baud, interrupted);
  const timer = setTimeout(() => log.close(), timeoutMs);
  let state: LogState = FIRST_STATE;
  try {
    for await (const line of log.lines) {
      tell({ event: 'log', line });
      let verdict: Verdict | undefined;
      [state, verdict] = readLogLine(state, line);
      if (verdict?.type === 'online') return tell({ event: 'online', afterMs: Math.round(performance.now() - startMs) });
      if (verdict?.type === 'failed') {
        const { code, message, remedy } = verdict.diagnosis;
        throw new CliError('ERR_NOT_ONLINE', EXIT.failed, `the board does not come online: ${message} (${code})`, remedy);
      }
    }
  } finally {
    clearTimeout(timer);
    log.close();
  }
  if (interrupted.aborted) return;
  const { message, remedy } = explainSilence(state);
  throw new CliError('ERR_TIMED_OUT', EXIT.timedOut, `not online after ${Math.round(timeoutMs / 1000)} s: ${message}`, remedy);
}
