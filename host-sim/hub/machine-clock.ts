import { HubError } from './hub-error.ts';

/** This program did not exist before. */
const EARLIEST_NOW_MS = Date.UTC(2026, 0, 1);

/** Stops what would make certificates and tokens that nobody accepts. @throws ERR_CLOCK */
export function checkMachineClock(nowMs: number): void {
  if (nowMs >= EARLIEST_NOW_MS) return;
  const shown = new Date(nowMs).toISOString().slice(0, 10);
  throw new HubError(
    'ERR_CLOCK',
    `this machine's clock shows ${shown}: tokens and certificates made now would be worth nothing`,
    'set the clock (timedatectl set-ntp true, or date -s), then try again',
  );
}
