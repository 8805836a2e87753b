/**
 * Milliseconds since start that never wrap, from ticks that do. Must be read at least once in 2^31 ms (24 days), which
 * the longest timer (MAX_TIMER_MS) sees to.
 */
export class Monotonic {
  readonly #ticks: () => number;
  #last: number;
  #elapsedMs = 0;

  constructor(ticks: () => number) {
    this.#ticks = ticks;
    this.#last = ticks();
  }

  nowMs(): number {
    const ticks = this.#ticks();
    // Signed 32-bit difference: right across the wrap.
    this.#elapsedMs += (ticks - this.#last) | 0;
    this.#last = ticks;
    return this.#elapsedMs;
  }
}
