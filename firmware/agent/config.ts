import { LatchkeyError } from './errors.ts';
import { checkHost, checkId, type Identity } from './identity.ts';
import * as limits from './limits.ts';
import { checkRegistrationId, checkScope, type DpsConfig } from './provisioning/dps-config.ts';
import { DEFAULT_DPS_HOST } from './provisioning/dps-limits.ts';

/** How the agent proves who it is. Keys never come here: they are in the signer's slots. */
export type Credential =
  /** The signer's slots, the preferred one first; `policyName` (`skn`) when a shared access policy's key signs. */
  | { readonly type: 'key'; readonly slots: readonly number[]; readonly policyName?: string | undefined }
  /** A ready-made token; when it ends the application is asked for the next one. */
  | { readonly type: 'token'; readonly token: string };

/** Complete: every default is filled in. */
export interface AgentConfig {
  readonly identity: Identity;
  readonly credential: Credential;
  /** Host that TCP and TLS go to: the hub, or a gateway in front of it. */
  readonly host: string;
  /** The gateway, where there is one: `host` whatever the hub. */
  readonly gateway: string | undefined;
  /** Present when the hub is assigned by the Device Provisioning Service; `identity.hub` is empty before the first time. */
  readonly dps: DpsConfig | undefined;
  readonly port: number;
  readonly tokenLifeSeconds: number;
  readonly keepAliveSeconds: number;
  readonly window: number;
  readonly queue: number;
  readonly pubackTimeoutMs: number;
  readonly maxInboundBytes: number;
  /** Send QoS 1 messages behind the CONNECT of a renewal without waiting for its CONNACK. */
  readonly pipeline: boolean;
  /** Two servers, `host` or `host:port`; empty: the clock of the board is taken as it is. */
  readonly timeServers: readonly string[];
  /** `host:port` of an HTTPS server whose `Date` confirms the clock; empty: never confirmed. */
  readonly dateServer: string;
  /** Appended to the user name as `DeviceClientType`. */
  readonly clientType: string;
  /** Plug and Play model (`dtmi:…`). */
  readonly modelId?: string | undefined;
}

const KEYS = [
  'hub', 'deviceId', 'moduleId', 'gateway', 'port', 'slots', 'policyName', 'token', 'tokenLifeSeconds', 'keepAliveSeconds',
  'window', 'queue', 'pubackTimeoutMs', 'maxInboundBytes', 'pipeline', 'timeServers', 'dateServer', 'clientType', 'modelId',
  'dpsScope', 'dpsRegistration', 'dpsHost', 'dpsPort',
];

/** In lower case: what holds a key. The host strips it before. */
const SECRETS = ['sharedaccesskey', 'key', 'primarykey', 'secondarykey', 'connectionstring'];

/**
 * Checks `input` and fills in defaults.
 * @param source names where it came from, for the error text ("settings", "the application")
 * @throws ERR_CONFIG with the remedy; the text never holds the token
 */
export function parseConfig(input: unknown, source: string): AgentConfig {
  if (typeof input !== 'object' || input === null) throw new LatchkeyError('ERR_CONFIG', `${source}: expected an object, got ${typeof input}`);
  const record = input as Readonly<Record<string, unknown>>;
  for (const key of Object.keys(record)) {
    if (KEYS.includes(key)) continue;
    if (SECRETS.includes(key.toLowerCase())) {
      throw new LatchkeyError('ERR_CONFIG', `${source}: keys do not belong here; provision them into the signer's key store`);
    }
    const near = nearest(key, KEYS);
    throw new LatchkeyError('ERR_CONFIG', `${source}: unknown key "${key}"${near === undefined ? '' : `, did you mean "${near}"?`}`);
  }
  const reader = new Reader(record, source);
  const dps = parseDps(reader);
  const hub = dps === undefined ? reader.text('hub') : (reader.optionalText('hub') ?? '');
  if (hub !== '') checkHost(hub, `${source}: hub`);
  const deviceId = dps === undefined ? reader.text('deviceId') : (reader.optionalText('deviceId') ?? dps.registrationId);
  checkId(deviceId, `${source}: deviceId`);
  const moduleId = reader.optionalText('moduleId');
  if (moduleId !== undefined) checkId(moduleId, `${source}: moduleId`);
  const gateway = reader.optionalText('gateway');
  if (gateway !== undefined) checkHost(gateway, `${source}: gateway`);
  const dateServer = reader.optionalText('dateServer');
  const queue = reader.whole('queue', limits.DEFAULT_QUEUE, 1, limits.MAX_QUEUE);
  return {
    identity: { hub, deviceId, moduleId },
    credential: parseCredential(reader),
    host: gateway ?? hub,
    gateway,
    dps,
    port: reader.whole('port', limits.DEFAULT_PORT, 1, 65535),
    tokenLifeSeconds: reader.whole('tokenLifeSeconds', limits.DEFAULT_TOKEN_LIFE_SECONDS, limits.MIN_TOKEN_LIFE_SECONDS, limits.MAX_TOKEN_LIFE_SECONDS),
    keepAliveSeconds: reader.whole('keepAliveSeconds', limits.DEFAULT_KEEP_ALIVE_SECONDS, 1, limits.MAX_KEEP_ALIVE_SECONDS),
    window: Math.min(queue, reader.whole('window', limits.DEFAULT_WINDOW, 1, limits.MAX_WINDOW)),
    queue,
    pubackTimeoutMs: reader.whole('pubackTimeoutMs', limits.DEFAULT_PUBACK_TIMEOUT_MS, 100, limits.MAX_TIMER_MS),
    maxInboundBytes: reader.whole('maxInboundBytes', limits.DEFAULT_MAX_INBOUND, 256, limits.MAX_MESSAGE_BYTES),
    pipeline: reader.flag('pipeline', false),
    timeServers: reader.servers('timeServers'),
    dateServer: dateServer === undefined ? '' : reader.server('dateServer', dateServer),
    clientType: reader.optionalText('clientType') ?? 'latchkey/0.1.0',
    modelId: reader.optionalText('modelId'),
  };
}

function parseDps(reader: Reader): DpsConfig | undefined {
  const scope = reader.optionalText('dpsScope');
  if (scope === undefined) return undefined;
  const registrationId = reader.text('dpsRegistration');
  const host = reader.optionalText('dpsHost') ?? DEFAULT_DPS_HOST;
  checkScope(scope, `${reader.source}: dpsScope`);
  checkRegistrationId(registrationId, `${reader.source}: dpsRegistration`);
  checkHost(host, `${reader.source}: dpsHost`);
  if (reader.optionalText('moduleId') !== undefined) reader.fail('moduleId', 'does not go with dpsScope: the service registers devices');
  if (reader.optionalText('token') !== undefined) reader.fail('token', 'does not go with dpsScope: the service wants tokens of its own, which the signer makes');
  return { scope, registrationId, host, port: reader.whole('dpsPort', limits.DEFAULT_PORT, 1, 65535) };
}

function parseCredential(reader: Reader): Credential {
  const token = reader.optionalText('token');
  if (token !== undefined) {
    if (!token.startsWith('SharedAccessSignature ')) reader.fail('token', 'must start with "SharedAccessSignature "');
    return { type: 'token', token };
  }
  const slots = reader.record['slots'] ?? [0];
  if (!Array.isArray(slots) || slots.length === 0 || !slots.every((slot) => Number.isInteger(slot) && slot >= 0)) {
    reader.fail('slots', "must be a list of the signer's slots, the preferred one first");
  }
  return { type: 'key', slots: slots as readonly number[], policyName: reader.optionalText('policyName') };
}

/** Reads one record with errors that name source, key, expected and got. */
class Reader {
  readonly record: Readonly<Record<string, unknown>>;
  readonly source: string;

  constructor(record: Readonly<Record<string, unknown>>, source: string) {
    this.record = record;
    this.source = source;
  }

  fail(key: string, text: string): never {
    throw new LatchkeyError('ERR_CONFIG', `${this.source}: ${key} ${text}`);
  }

  text(key: string): string {
    return this.optionalText(key) ?? this.fail(key, 'is missing');
  }

  optionalText(key: string): string | undefined {
    const value = this.record[key];
    if (value === undefined || value === '') return undefined;
    return typeof value === 'string' ? value : this.fail(key, `must be text, got ${typeof value}`);
  }

  servers(key: string): readonly string[] {
    const value = this.record[key];
    if (value === undefined) return [];
    if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) this.fail(key, 'must be a list of texts');
    return (value as readonly string[]).map((item) => this.server(key, item));
  }

  /** `host` or `host:port` */
  server(key: string, value: string): string {
    const colon = value.indexOf(':');
    checkHost(colon < 0 ? value : value.slice(0, colon), `${this.source}: ${key}`);
    const port = colon < 0 ? 1 : Number(value.slice(colon + 1));
    if (!(Number.isInteger(port) && port >= 1 && port <= 65535)) this.fail(key, 'must be "host" or "host:port" with a port from 1 to 65535');
    return value;
  }

  whole(key: string, fallback: number, lowest: number, highest: number): number {
    const value = this.record[key];
    if (value === undefined) return fallback;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < lowest || value > highest) {
      this.fail(key, `must be a whole number from ${lowest} to ${highest}, got ${typeof value === 'number' ? value : typeof value}`);
    }
    return value as number;
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.record[key];
    if (value === undefined) return fallback;
    return typeof value === 'boolean' ? value : this.fail(key, `must be true or false, got ${typeof value}`);
  }
}

/** The known key that differs in at most two letters, or in case. */
function nearest(key: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = 3;
  for (const candidate of known) {
    const distance = editDistance(key.toLowerCase(), candidate.toLowerCase());
    if (distance >= bestDistance) continue;
    best = candidate;
    bestDistance = distance;
  }
  return best;
}

function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return 3;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
