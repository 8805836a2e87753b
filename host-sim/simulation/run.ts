import type { Cable } from '../time/cable.ts';
import type { BuiltFirmware } from './firmware.ts';
import type { DeviceRecord } from './board-events.ts';

/** How long boards may take to end by themselves once they were asked to, in real time. */
export const STOP_LIMIT_MS = 6000;

/** How long after its duration a run waits for the last acknowledgements, on the run's clock. */
export const LAST_ACKNOWLEDGEMENTS_MS = 60_000;

/** How a run ended: all sent and acknowledged, or not. */
export type RunEnding = 'complete' | 'interrupted' | 'timed-out' | 'board-failed';

/** One device that is to run: its record, its folder and its chance. */
export interface DevicePlan {
  readonly record: DeviceRecord;
  readonly folder: string;
  readonly seed: number | undefined;
  /** Its network cable, in virtual time. */
  readonly cable?: Cable;
}

/** What a runner, real or virtual, needs. */
export interface RunPlan {
  readonly devices: readonly DevicePlan[];
  readonly firmware: BuiltFirmware;
  /** The boards' clocks at start; `undefined`: right. */
  readonly deviceClockMs: number | undefined;
  /** Aborted: stop the boards in order, then by force. */
  readonly stop: AbortSignal;
}
