/** The time that hub, link and board share: real, or virtual (see virtual-time.ts). */
export interface Clock {
  /** Milliseconds since 1970; moves with `monotonicMs`. */
  now(): number;
  /** Milliseconds from an arbitrary start; never goes back. */
  monotonicMs(): number;
  /** Calls back once after `delayMs`; the returned function cancels and may be called twice. */
  setTimer(delayMs: number, callback: () => void): () => void;
}
