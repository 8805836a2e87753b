/** A range that doubles up to a cap; every delay is drawn uniformly from the whole of it. */
export interface BackoffRange {
  /** No delay is shorter. */
  readonly minimumMs: number;
  /** The longest delay of attempt 0. */
  readonly firstMs: number;
  /** The longest delay of any attempt. */
  readonly capMs: number;
}

/** Doubling beyond this is past every cap, and below what a double holds. */
const MAX_DOUBLINGS = 40;

/**
 * Full jitter at every attempt, the cap included: uniform in [minimum, min(cap, first × 2^attempt)).
 * @param attempt counts from 0; any size
 * @param random uniform in [0, 1)
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function backoffMs(attempt: number, random: number, range: BackoffRange): number {
  const ceilingMs = Math.min(range.capMs, range.firstMs * 2 ** Math.min(attempt, MAX_DOUBLINGS));
  return Math.round(range.minimumMs + random * Math.max(0, ceilingMs - range.minimumMs));
}

/** A probe: uniform in the upper half of a range that doubles from `firstMs` to `capMs` (15–30 s, 30–60 s, …). */
export function probeMs(attempt: number, random: number, firstMs: number, capMs: number): number {
  const ceilingMs = Math.min(capMs, firstMs * 2 ** Math.min(attempt, MAX_DOUBLINGS));
  return Math.round(ceilingMs / 2 + random * (ceilingMs / 2));
}

/** Uniform in [lowest, highest). */
export function uniform(lowest: number, highest: number, random: number): number {
  return lowest + random * (highest - lowest);
}
