import { join } from 'node:path';
import { writeKeyFile } from '../board/key-file.ts';
import { makeFolder } from '../board/make-folder.ts';
import { writeSettings } from '../board/settings.ts';
import type { AppName } from './options.ts';

/** The key-value domain that the application reads (firmware/app/settings.ts). */
export const SETTINGS_DOMAIN = 'latchkey';
/** The signer's slot of the device key. */
export const KEY_SLOT = 0;

/** A device whose hub is assigned by a provisioning service. */
export interface DpsSetup {
  /** ID scope. */
  readonly scope: string;
  readonly registrationId: string;
  /** Default: the public cloud's. */
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  /** Hubs that the service may assign: the key may sign for these and for no other. */
  readonly hubs: readonly string[];
}

/** What a device is to do; the application's defaults hold for what is absent. */
export interface DeviceSetup {
  /** Host name of the hub, in token and user name; not used with `dps`. */
  readonly hub: string;
  readonly dps?: DpsSetup | undefined;
  readonly deviceId: string;
  readonly moduleId?: string | undefined;
  /** Host that TLS goes to, when it is not the hub. */
  readonly gateway?: string | undefined;
  readonly port: number;
  /** Trust anchors, DER. */
  readonly roots: readonly Uint8Array[];
  readonly tokenLifeSeconds?: number | undefined;
  readonly telemetryIntervalMs?: number | undefined;
  /** 0: until it is stopped. */
  readonly durationMs?: number | undefined;
  readonly payloadBytes?: number | undefined;
  readonly qos?: 0 | 1 | undefined;
  readonly pipeline?: boolean | undefined;
  /** `host` or `host:port`. */
  readonly ntp?: readonly string[] | undefined;
  /** `host:port` of an HTTPS server whose `Date` is believed. */
  readonly date?: string | undefined;
  /** Which sample application; `load` sends numbered messages. */
  readonly app?: AppName | undefined;
  /** How new roots come; without it they do not. */
  readonly updates?: UpdateSetup | undefined;
  readonly credential: DeviceCredential;
}

/** Who may give a device new roots, and where it asks for them when it can no longer verify its hub. */
export interface UpdateSetup {
  /** x and y of each P-256 key, one behind another. */
  readonly keys: Uint8Array;
  /** How many of them must sign. */
  readonly threshold: number;
  /** Of the roots that the device begins with; 1 when not given. */
  readonly version?: number | undefined;
  /** `host` or `host:port`. */
  readonly recoveryHosts?: readonly string[] | undefined;
  readonly recovery?: RecoverySetup | undefined;
}

/** When recovery begins; the firmware's defaults are for the field (firmware/agent/roots/recovery.ts). */
export interface RecoverySetup {
  readonly failures: number;
  readonly overMs: number;
  /** Between two tries, at first. */
  readonly pauseMs: number;
}

export type DeviceCredential =
  /** The key goes into the key file, which only C reads, and nowhere else. */
  | {
      readonly type: 'key';
      readonly keyBase64: string;
      readonly policyName?: string | undefined;
      /** Keys for the slots behind the first, in the order in which the agent is to try them. */
      readonly furtherKeysBase64?: readonly string[] | undefined;
    }
  | { readonly type: 'token'; readonly token: string };

/** Makes the folder of a device: settings and key file; a flash that is there stays. @throws KeyFileError */
export function writeDeviceFolder(folder: string, setup: DeviceSetup): void {
  makeFolder(folder, 0o700);
  const { credential } = setup;
  if (credential.type === 'key') writeKeyFile(join(folder, 'keys.bin'), keysOf(credential).map((keyBase64, index) => ({ slot: KEY_SLOT + index, keyBase64, prefixes: prefixesOf(setup) })));
  writeSettings(join(folder, 'settings.kv'), { [SETTINGS_DOMAIN]: deviceSettings(setup) });
}

function keysOf({ keyBase64, furtherKeysBase64 = [] }: Extract<DeviceCredential, { type: 'key' }>): readonly string[] {
  return [keyBase64, ...furtherKeysBase64];
}

/** What the key of a device may sign for: itself, or the module that it is. */
export function resourceOf({ hub, deviceId, moduleId }: Pick<DeviceSetup, 'hub' | 'deviceId' | 'moduleId'>): string {
  return `${hub}/devices/${deviceId}${moduleId === undefined ? '' : `/modules/${moduleId}`}`;
}

/** …and where its hub is assigned: its registration, and itself at each hub that may be. */
export function prefixesOf(setup: Pick<DeviceSetup, 'hub' | 'deviceId' | 'moduleId' | 'dps'>): readonly string[] {
  const { dps, deviceId } = setup;
  if (dps === undefined) return [resourceOf(setup)];
  return [`${dps.scope}/registrations/${dps.registrationId}`, ...dps.hubs.map((hub) => resourceOf({ hub, deviceId }))];
}

/** The settings that the application reads, under the keys of firmware/app/settings.ts; no device key is among them. */
export function deviceSettings(setup: Omit<DeviceSetup, 'credential'> & Partial<Pick<DeviceSetup, 'credential'>>): Record<string, string | Uint8Array> {
  const { credential, dps } = setup;
  const texts: Readonly<Record<string, string | number | undefined>> = {
    hub: dps === undefined ? setup.hub : undefined,
    'dps-scope': dps?.scope,
    'dps-id': dps?.registrationId,
    'dps-host': dps?.host,
    'dps-port': dps?.port,
    gateway: setup.gateway,
    port: setup.port,
    device: setup.deviceId,
    module: setup.moduleId,
    ttl: setup.tokenLifeSeconds,
    app: setup.app,
    interval: setup.telemetryIntervalMs,
    duration: setup.durationMs,
    size: setup.payloadBytes,
    qos: setup.qos,
    pipeline: setup.pipeline === undefined ? undefined : Number(setup.pipeline),
    ntp0: setup.ntp?.[0],
    ntp1: setup.ntp?.[1],
    date: setup.date,
    slots: credential?.type === 'key' && credential.furtherKeysBase64 !== undefined ? keysOf(credential).map((_, index) => KEY_SLOT + index).join(',') : undefined,
    skn: credential?.type === 'key' ? credential.policyName : undefined,
    token: credential?.type === 'token' ? credential.token : undefined,
    rneed: setup.updates?.threshold,
    rversion: setup.updates?.version,
    recovery: setup.updates?.recoveryHosts?.join(),
    rfails: setup.updates?.recovery?.failures,
    rover: setup.updates?.recovery?.overMs,
    rpause: setup.updates?.recovery?.pauseMs,
  };
  const values: Record<string, string | Uint8Array> = {};
  for (const [key, value] of Object.entries(texts)) if (value !== undefined) values[key] = String(value);
  for (const [index, root] of setup.roots.entries()) values[`root${index}`] = root;
  if (setup.updates !== undefined) values['rkeys'] = setup.updates.keys;
  return values;
}
