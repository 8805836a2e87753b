import { createDevelopmentPki, type DevelopmentPki } from '../../certs/development-pki.ts';
import { VIRTUAL_START_MS } from '../../host-sim/simulation/world.ts';
import { HUB_NAME } from './agent-board-device.ts';

const YEAR_MS = 365 * 24 * 3600 * 1000;
const DAY_MS = 24 * 3600 * 1000;

const HOLDS_FROM = new Date(Math.min(Date.now(), VIRTUAL_START_MS) - DAY_MS);

/** A root, an intermediate and a server certificate that hold now and in virtual time. */
export function createTestPki(names: readonly string[] = [HUB_NAME], notBefore: Date = HOLDS_FROM): Promise<DevelopmentPki> {
  return createDevelopmentPki({ names, notBefore, notAfter: new Date(VIRTUAL_START_MS + 8 * YEAR_MS) });
}
