import { lookup } from 'node:dns/promises';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeKey } from '../hub/access/symmetric-key.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import type { DeviceConnectionString } from '../terminal/connection-string.ts';
import { realClock } from '../time/real-clock.ts';
import { DeviceRecord } from './board-events.ts';
import { writeDeviceFolder, type DeviceCredential, type DpsSetup, type UpdateSetup } from './device-folder.ts';
import type { SimulationEvent, Tell } from './events.ts';
import { buildFirmwareForBoard } from './firmware.ts';
import type { AppName } from './options.ts';
import type { RunEnding } from './run.ts';
import { RunControl } from './run-control.ts';
import { runReal } from './run-real.ts';

/** One virtual device against a hub that is not ours. */
export interface DeviceRunOptions {
  /** Where the hub is assigned: `connection` has the registration's key then, and the first hub that may be. */
  readonly dps?: DpsSetup | undefined;
  readonly connection: DeviceConnectionString;
  /** Host of `GatewayHostName`, without its port. */
  readonly gateway: string | undefined;
  readonly port: number;
  /** Where TCP goes, when that is not what the name resolves to. */
  readonly hubAddress: string | undefined;
  /** Trust anchors, DER. */
  readonly roots: readonly Uint8Array[];
  /** How new roots come; without it they do not. */
  readonly updates: UpdateSetup | undefined;
  readonly tokenLifeSeconds: number;
  readonly telemetryIntervalMs: number;
  readonly durationMs: number | undefined;
  readonly payloadBytes: number;
  readonly qos: 0 | 1;
  readonly pipeline: boolean;
  readonly ntp: readonly string[];
  readonly date: string | undefined;
  readonly app: AppName;
  readonly bits: 32 | 64;
  readonly keepFolder: string | undefined;
}

export interface DeviceRunHost {
  readonly onEvent: (event: SimulationEvent) => void;
  readonly onProgress: (text: string) => void;
  readonly interrupted: AbortSignal;
}

/** Runs the device in real time until it ends or is interrupted. @throws ERR_KEY, ERR_NAME, and what building throws */
export async function runSingleDevice(options: DeviceRunOptions, host: DeviceRunHost): Promise<RunEnding> {
  const { connection } = options;
  const credential = credentialOf(connection);
  const tlsHost = options.gateway ?? connection.HostName;
  const tlsHosts = options.gateway === undefined && options.dps !== undefined ? options.dps.hubs : [tlsHost];
  const address = options.hubAddress === undefined ? undefined : await resolveAddress(options.hubAddress);
  const hosts = address === undefined ? {} : Object.fromEntries(tlsHosts.map((host) => [host, address]));
  const firmware = await buildFirmwareForBoard(options.bits, host.onProgress);
  const startMs = realClock.monotonicMs();
  const tell: Tell = (event) => host.onEvent({ ...event, sinceStartMs: realClock.monotonicMs() - startMs } as SimulationEvent);
  const record = new DeviceRecord(connection.DeviceId, tell);
  const folder = options.keepFolder ?? mkdtempSync(join(tmpdir(), 'latchkey-device-'));
  const control = new RunControl({ clock: realClock, durationMs: options.durationMs, interrupted: host.interrupted, tell });
  try {
    writeDeviceFolder(folder, {
      hub: connection.HostName,
      dps: options.dps,
      deviceId: connection.DeviceId,
      moduleId: connection.ModuleId,
      gateway: options.gateway,
      port: options.port,
      roots: options.roots,
      updates: options.updates,
      tokenLifeSeconds: options.tokenLifeSeconds,
      telemetryIntervalMs: options.telemetryIntervalMs,
      durationMs: options.durationMs ?? 0,
      payloadBytes: options.payloadBytes,
      qos: options.qos,
      pipeline: options.pipeline,
      ntp: options.ntp,
      date: options.date,
      app: options.app,
      credential,
    });
    await runReal({ devices: [{ record, folder, seed: undefined }], firmware, deviceClockMs: undefined, stop: control.stop }, hosts);
    return control.endingOf([record]);
  } finally {
    control.close();
    if (options.keepFolder === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

function credentialOf({ SharedAccessKey, SharedAccessKeyName, SharedAccessSignature, DeviceId }: DeviceConnectionString): DeviceCredential {
  if (SharedAccessKey === undefined) return { type: 'token', token: SharedAccessSignature ?? '' };
  decodeKey(SharedAccessKey, DeviceId).fill(0);
  return { type: 'key', keyBase64: SharedAccessKey, policyName: SharedAccessKeyName };
}

async function resolveAddress(host: string): Promise<string> {
  try {
    return (await lookup(host, { family: 4 })).address;
  } catch (cause) {
    throw new CliError('ERR_NAME', EXIT.unreachable, `"${host}" has no IPv4 address`, 'check --hub-address and the network', { cause });
  }
}
