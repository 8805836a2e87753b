import { performance } from 'node:perf_hooks';
import type { Clock } from './clock.ts';

/** Node fires longer timers at once, so they are waited for in steps. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Node's time. The wall clock is read once and moves with the monotonic one: a step of the host's clock in the middle
 * of a run would otherwise tear tokens and timers apart.
 */
export const realClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  monotonicMs: () => performance.now(),
  setTimer(delayMs, callback) {
    let handle: NodeJS.Timeout;
    const arm = (leftMs: number): void => {
      const stepMs = Math.min(leftMs, MAX_TIMER_MS);
      handle = setTimeout(() => (leftMs > stepMs ? arm(leftMs - stepMs) : callback()), stepMs);
    };
    arm(Math.max(0, delayMs));
    return () => clearTimeout(handle);
  },
};
