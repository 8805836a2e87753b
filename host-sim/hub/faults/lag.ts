import { DelayLine } from '../../time/delay-line.ts';
import type { Clock } from '../../time/clock.ts';

/** One direction of a connection that a fault may slow down: nothing passes what waits. */
export class Lag {
  readonly #clock: Clock;
  #line: DelayLine | undefined;
  #waiting = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Bytes that wait. */
  get pendingBytes(): number {
    return this.#line?.pendingBytes ?? 0;
  }

  get isEmpty(): boolean {
    return this.#waiting === 0;
  }

  /** Acts at once when there is no delay and nothing waits, else behind what waits. */
  pass(delayMs: number, byteLength: number, action: () => void): void {
    if (delayMs === 0 && this.isEmpty) return action();
    this.#waiting += 1;
    this.#line ??= new DelayLine(this.#clock, 0);
    this.#line.send(
      byteLength,
      () => {
        this.#waiting -= 1;
        action();
      },
      delayMs,
    );
  }

  /** Forgets what waits. */
  close(): void {
    this.#line?.close();
  }
}
