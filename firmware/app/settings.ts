import storage from 'embedded:storage/key-value';

import { DEFAULT_RECOVERY, type RecoveryOptions } from '../agent/roots/recovery.ts';
import { readSavedHub } from './saved-hub.ts';

/** The key-value domain of the device's settings. Keys have at most 15 characters, as in NVS. */
export const SETTINGS_DOMAIN = 'latchkey';
/** `root0` … `root7`. */
const MAX_ROOTS = 8;

export interface UpdateSettings {
  /** x and y of each P-256 key, one behind another; how many must sign. */
  readonly keys: Uint8Array;
  readonly threshold: number;
  /** Of the roots that were provisioned. */
  readonly version: number;
  /** Of the DPS instance, where there is one: bundles may be for it instead of a hub. */
  readonly idScope: string | undefined;
  readonly recoveryHosts: readonly string[];
  readonly recovery: Partial<RecoveryOptions>;
}

export interface Settings {
  /** `thermostat`, or `load`: numbered messages of a fixed size. */
  readonly app: string;
  /** For `parseConfig`. */
  readonly agent: Readonly<Record<string, unknown>>;
  readonly roots: readonly ArrayBuffer[];
  /** How new roots come; without keys they cannot. */
  readonly updates: UpdateSettings;
  /** Hub key n of slots 0 and 1; `undefined`: the slot holds the hub key itself. */
  readonly hubKeyNumbers: readonly (number | undefined)[];
  /** Milliseconds between messages. */
  readonly intervalMs: number;
  /** Stop sending after this long; 0: never. */
  readonly durationMs: number;
  /** Bytes of a message. */
  readonly sizeBytes: number;
  readonly qos: 0 | 1;
  /** Renew without a second connection. */
  readonly single: boolean;
}

/** Reads what `latchkey sim`, `latchkey device` or `latchkey provision` have written. */
export function readSettings(): Settings {
  // Text and bytes are different types of entries, as in NVS.
  const texts = storage.open({ path: SETTINGS_DOMAIN, mode: 'r', format: 'string' });
  const text = (key: string): string | undefined => {
    const value = texts.read(key);
    return typeof value === 'string' ? value : undefined;
  };
  const number = (key: string): number | undefined => {
    const value = text(key);
    return value === undefined ? undefined : Number(value);
  };
  const blobs = storage.open({ path: SETTINGS_DOMAIN, mode: 'r', format: 'buffer' });
  const roots: ArrayBuffer[] = [];
  for (let i = 0; i < MAX_ROOTS; i++) {
    const root = blobs.read(`root${i}`);
    if (root instanceof ArrayBuffer) roots.push(root);
  }
  const scope = text('dps-scope');
  const registrationId = text('dps-id');
  const servers = [text('ntp0'), text('ntp1')].filter((server) => server !== undefined);
  const settings: Settings = {
    app: text('app') ?? 'load',
    agent: {
      // Where a service assigns the hub, no other counts.
      hub: scope === undefined || registrationId === undefined ? text('hub') : readSavedHub({ scope, registrationId }),
      deviceId: text('device'),
      moduleId: text('module'),
      gateway: text('gateway'),
      port: number('port'),
      slots: text('slots')?.split(',').map(Number),
      policyName: text('skn'),
      token: text('token'),
      tokenLifeSeconds: number('ttl'),
      keepAliveSeconds: number('keepalive'),
      window: number('window'),
      queue: number('queue'),
      maxInboundBytes: number('maxinbound'),
      pipeline: text('pipeline') === '1',
      timeServers: servers,
      dateServer: text('date'),
      dpsScope: scope,
      dpsRegistration: registrationId,
      dpsHost: text('dps-host'),
      dpsPort: number('dps-port'),
    },
    roots,
    updates: readUpdates(text, number, blobs.read('rkeys')),
    hubKeyNumbers: [number('keyn'), number('keyn1')],
    intervalMs: number('interval') ?? 1000,
    durationMs: number('duration') ?? 0,
    sizeBytes: number('size') ?? 100,
    qos: text('qos') === '0' ? 0 : 1,
    single: text('single') === '1',
  };
  texts.close();
  blobs.close();
  return settings;
}

function readUpdates(text: (key: string) => string | undefined, number: (key: string) => number | undefined, keys: unknown): UpdateSettings {
  const firstMs = number('rpause');
  return {
    keys: keys instanceof ArrayBuffer ? new Uint8Array(keys) : new Uint8Array(0),
    threshold: number('rneed') ?? 1,
    version: number('rversion') ?? 1,
    idScope: text('dps-scope'),
    recoveryHosts: text('recovery')?.split(',') ?? [],
    recovery: {
      failures: number('rfails') ?? DEFAULT_RECOVERY.failures,
      overMs: number('rover') ?? DEFAULT_RECOVERY.overMs,
      again: firstMs === undefined ? DEFAULT_RECOVERY.again : { minimumMs: firstMs / 2, firstMs, capMs: 8 * firstMs },
    },
  };
}
