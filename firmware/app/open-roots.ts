import flash from 'embedded:storage/flash';
import * as verifier from 'latchkey/verify';

import type { AgentConfig } from '../agent/config.ts';
import type { Port } from '../agent/port.ts';
import { POINT_BYTES } from '../agent/roots/root-limits.ts';
import { RootKeeper } from '../agent/roots/root-keeper.ts';
import type { Settings } from './settings.ts';

const PARTITION = 'latchkey';

/**
 * The keeper of the trust anchors: what the image or provisioning gave is its first set. `undefined` for a device that was
 * given no update keys: its roots stay as they are.
 */
export function openRoots({ roots, updates }: Settings, config: AgentConfig, port: Port): RootKeeper | undefined {
  if (updates.keys.length < POINT_BYTES) return undefined;
  return new RootKeeper({
    port,
    flash: flash.open({ path: PARTITION }),
    verifier,
    identity: config.identity,
    host: config.host,
    hostPort: config.port,
    idScope: updates.idScope,
    factory: {
      version: updates.version,
      roots: roots.map((der) => ({ der: new Uint8Array(der), purposes: ['hub', 'dps', 'storage', 'custom'] })),
      keys: { points: updates.keys, threshold: updates.threshold },
    },
    recoveryHosts: updates.recoveryHosts,
    recovery: updates.recovery,
  });
}
