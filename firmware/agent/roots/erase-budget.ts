import { ERASE_PERIOD_MS, MAX_ERASES_PER_HOUR } from './root-limits.ts';

/** What time it is, twice: since the start, and in the world. */
export interface EraseClock {
  /** Milliseconds since the start; never goes back. */
  nowMs(): number;
  /** Seconds since 1970; 0 while no clock is trusted. */
  wallSeconds(): number;
}

/** Sectors that were erased together, as the log remembers them. */
export interface SpentErases {
  readonly id: number;
  readonly count: number;
  /** Since this start; 0 for what an earlier life of the program did: as if it had just happened. */
  readonly atMs: number;
  readonly isEarlier: boolean;
  /** 0: nobody knew the time. */
  readonly wallSeconds: number;
}

/**
 * Erases that are left of this hour. What happened before a restart counts from the start on, unless a trusted clock says that it was more
 * than an hour ago; a device that is awake for minutes a day is not kept from updates then. A clock that has gone back by
 * more than that says that the note was made under a wrong one.
 */
export function erasesLeft(spent: readonly SpentErases[], nowMs: number, wallSeconds: number): number {
  const periodSeconds = ERASE_PERIOD_MS / 1000;
  let left = MAX_ERASES_PER_HOUR;
  for (const each of spent) {
    const isKnown = each.isEarlier && each.wallSeconds > 0 && wallSeconds > 0;
    const isOver = nowMs - each.atMs >= ERASE_PERIOD_MS || (isKnown && Math.abs(wallSeconds - each.wallSeconds) >= periodSeconds);
    if (!isOver) left -= each.count;
  }
  return Math.max(0, left);
}
