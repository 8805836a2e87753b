/** Sums of fractions are off by less. */
const ROUNDING = 1e-6;

/** So many at once, and so many a second: tokens come back evenly, up to `burst`. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #atMs: number;

  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#atMs = nowMs;
  }

  /** @returns 0 when there was room, else how long to wait for it; nothing is taken then */
  take(amount: number, nowMs: number): number {
    this.#tokens = Math.min(this.#burst, this.#tokens + ((nowMs - this.#atMs) / 1000) * this.#perSecond);
    this.#atMs = nowMs;
    // What is larger than the bucket passes when it is full: it would never otherwise.
    const needed = Math.min(amount, this.#burst);
    if (this.#tokens >= needed - ROUNDING) {
      this.#tokens -= amount;
      return 0;
    }
    return Math.max(1, Math.ceil(((needed - this.#tokens) / this.#perSecond) * 1000 - ROUNDING));
  }
}
