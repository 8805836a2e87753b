import type { Clock } from '../time/clock.ts';
import type { DeviceRecord } from './board-events.ts';
import type { Tell } from './events.ts';
import { LAST_ACKNOWLEDGEMENTS_MS, type RunEnding } from './run.ts';

export interface RunControlOptions {
  readonly clock: Clock;
  /** `undefined`: until it is interrupted. */
  readonly durationMs: number | undefined;
  readonly interrupted: AbortSignal;
  readonly tell: Tell;
}

/** Says when a run is to stop before its devices end by themselves, and afterwards how it ended. */
export class RunControl {
  readonly #controller = new AbortController();
  readonly #options: RunControlOptions;
  readonly #cancelTimer: () => void;
  #earlyEnding: 'interrupted' | 'timed-out' | undefined;

  constructor(options: RunControlOptions) {
    const { clock, durationMs, interrupted } = options;
    this.#options = options;
    this.#cancelTimer = durationMs === undefined ? () => {} : clock.setTimer(durationMs + LAST_ACKNOWLEDGEMENTS_MS, () => this.#end('timed-out'));
    interrupted.addEventListener('abort', this.#interrupt, { once: true });
    if (interrupted.aborted) this.#interrupt();
  }

  /** Aborted: the boards are to stop. */
  get stop(): AbortSignal {
    return this.#controller.signal;
  }

  endingOf(records: readonly DeviceRecord[]): RunEnding {
    return this.#earlyEnding ?? (records.some((record) => record.hasFailed) ? 'board-failed' : 'complete');
  }

  /** Takes itself off the clock. */
  close(): void {
    this.#cancelTimer();
    this.#options.interrupted.removeEventListener('abort', this.#interrupt);
  }

  readonly #interrupt = (): void => this.#end('interrupted');

  #end(reason: 'interrupted' | 'timed-out'): void {
    if (this.#earlyEnding !== undefined) return;
    this.#earlyEnding = reason;
    this.#options.tell({ source: 'simulation', body: { event: 'stopping', reason } });
    this.#controller.abort();
  }
}
