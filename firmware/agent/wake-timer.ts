import { MAX_TIMER_MS } from './limits.ts';
import type { Port } from './port.ts';

/** The port's one timer; a later moment than the one that is set costs nothing: the wake-up finds nothing to do. */
export class WakeTimer {
  readonly #port: Port;
  #atMs = Infinity;

  constructor(port: Port) {
    this.#port = port;
  }

  /** When it rings; Infinity: never. */
  get atMs(): number {
    return this.#atMs;
  }

  /** Rings at `atMs`, if that is earlier than it would. */
  arm(atMs: number, nowMs: number): void {
    if (atMs >= this.#atMs) return;
    this.#atMs = atMs;
    this.#port.schedule(Math.max(0, Math.min(Math.ceil(atMs - nowMs), MAX_TIMER_MS)));
  }

  /** It has rung. */
  rang(): void {
    this.#atMs = Infinity;
  }
}
