import { ERASE_PERIOD_MS, MAX_ERASES_PER_HOUR } from './root-limits.ts';

/** Sector erases of the last hour, by a clock that never goes back: whoever offers bundles cannot wear out the flash. */
export class EraseBudget {
  readonly #times: number[] = [];

  /** Erases that are left now. */
  left(nowMs: number): number {
    while (this.#times.length > 0 && nowMs - (this.#times[0] ?? 0) >= ERASE_PERIOD_MS) this.#times.shift();
    return Math.max(0, MAX_ERASES_PER_HOUR - this.#times.length);
  }

  spend(nowMs: number): void {
    this.#times.push(nowMs);
  }
}
