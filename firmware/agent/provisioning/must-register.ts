import type { Connectivity } from '../connectivity.ts';
import { FAILURES_UNTIL_REGISTRATION } from './dps-limits.ts';

/**
 * Whether the next connection begins at the provisioning service: there is no hub yet; the one that is known refuses the device for good (quick tries
 * are used up, each slow probe asks again); or ten connections in a row have failed. Never while a connection works.
 */
export function mustRegister({ hasCurrent, refusals, networkFailures }: Connectivity, isAssigned: boolean, quickConnects: number): boolean {
  if (!isAssigned) return true;
  if (hasCurrent) return false;
  return refusals >= quickConnects || (networkFailures > 0 && networkFailures % FAILURES_UNTIL_REGISTRATION === 0);
}
