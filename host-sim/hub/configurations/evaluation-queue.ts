import type { Clock } from '../../time/clock.ts';
import { formatClientId, type Identity } from '../identity.ts';
import { EVALUATION_BATCH, EVALUATION_DELAY_MS, EVALUATION_INTERVAL_MS, PROMPT_CHANGES } from './limits.ts';

interface Pace {
  readonly sinceMs: number;
  changes: number;
}

/**
 * Twins that are to be looked at: each once however often it is named, in the order in which they were named, a batch at a time on the clock. A twin that
 * keeps being changed is slowed down to IoT Hub's own interval.
 */
export class EvaluationQueue {
  readonly #clock: Clock;
  /** @returns whether the twin was changed */
  readonly #evaluate: (identity: Identity) => boolean;
  readonly #due = new Map<string, Identity>();
  readonly #paces = new Map<string, Pace>();
  readonly #postponed = new Map<string, () => void>();
  #cancelTimer: (() => void) | undefined;
  #isClosed = false;

  constructor(clock: Clock, evaluate: (identity: Identity) => boolean) {
    this.#clock = clock;
    this.#evaluate = evaluate;
  }

  add(identity: Identity): void {
    const key = formatClientId(identity);
    if (this.#isClosed || this.#postponed.has(key)) return;
    this.#due.set(key, identity);
    this.#cancelTimer ??= this.#clock.setTimer(EVALUATION_DELAY_MS, () => this.#runBatch());
  }

  /** A twin that is gone. */
  forget(identity: Identity): void {
    const key = formatClientId(identity);
    this.#due.delete(key);
    this.#paces.delete(key);
    this.#postponed.get(key)?.();
    this.#postponed.delete(key);
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
    for (const cancel of this.#postponed.values()) cancel();
    this.#due.clear();
    this.#postponed.clear();
  }

  #runBatch(): void {
    this.#cancelTimer = undefined;
    let looked = 0;
    for (const [key, identity] of this.#due) {
      if (looked++ === EVALUATION_BATCH) break;
      this.#due.delete(key);
      const restMs = this.#restOf(key);
      if (restMs > 0) this.#postpone(identity, restMs);
      else if (this.#evaluate(identity)) this.#countChange(key);
    }
    if (this.#due.size > 0) this.#cancelTimer = this.#clock.setTimer(0, () => this.#runBatch());
  }

  #postpone(identity: Identity, restMs: number): void {
    const key = formatClientId(identity);
    this.#postponed.set(key, this.#clock.setTimer(restMs, () => {
      this.#postponed.delete(key);
      this.add(identity);
    }));
  }

  /** How long the twin has to wait, 0 for most. */
  #restOf(key: string): number {
    const pace = this.#paces.get(key);
    if (pace === undefined) return 0;
    const endMs = pace.sinceMs + EVALUATION_INTERVAL_MS;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs >= endMs) this.#paces.delete(key);
    else if (pace.changes >= PROMPT_CHANGES) return endMs - nowMs;
    return 0;
  }

  #countChange(key: string): void {
    const nowMs = this.#clock.monotonicMs();
    const pace = this.#paces.get(key);
    if (pace === undefined || nowMs >= pace.sinceMs + EVALUATION_INTERVAL_MS) this.#paces.set(key, { sinceMs: nowMs, changes: 1 });
    else pace.changes += 1;
  }
}
