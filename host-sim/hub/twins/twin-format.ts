import type { Identity } from '../identity.ts';
import { createJsonObject, type JsonObject } from './json.ts';
import type { TwinDocument } from './twin-store.ts';

/** What a service twin says of its identity; the registry knows it. */
export interface TwinIdentityFacts extends Identity {
  readonly enabled: boolean;
  /** Of the identity, not of the twin. */
  readonly etag?: string;
  readonly statusReason?: string;
  readonly statusUpdatedMs?: number;
  readonly authentication?: {
    readonly type: 'sas' | 'selfSigned' | 'certificateAuthority' | 'none';
    readonly primaryThumbprint?: string | null;
    readonly secondaryThumbprint?: string | null;
  };
  readonly iotEdge?: boolean;
  readonly deviceScope?: string;
}

/** What is known of an identity's connection. */
export interface Presence {
  readonly connected: boolean;
  /** When `connected` became what it is, by the hub's clock; `undefined` for a device that never came. */
  readonly changedMs?: number;
  /** Since when it is connected. */
  readonly connectedSinceMs?: number;
  /** When it connected, sent or acknowledged last. */
  readonly lastActivityMs?: number;
  /** The Plug and Play model that it announced in its last CONNECT. */
  readonly modelId?: string;
}

/** The twin as the service API shows it; member order as IoT Hub's. */
export interface ServiceTwinJson {
  readonly deviceId: string;
  readonly moduleId?: string;
  readonly etag: string;
  readonly deviceEtag?: string;
  readonly status: 'enabled' | 'disabled';
  readonly statusReason?: string;
  readonly statusUpdateTime: string;
  readonly connectionState: 'Connected' | 'Disconnected';
  readonly lastActivityTime: string;
  readonly cloudToDeviceMessageCount: number;
  readonly authenticationType: 'sas' | 'selfSigned' | 'certificateAuthority' | 'none';
  readonly x509Thumbprint: { readonly primaryThumbprint: string | null; readonly secondaryThumbprint: string | null };
  readonly modelId: string;
  readonly version: number;
  readonly tags: JsonObject;
  readonly properties: { readonly desired: JsonObject; readonly reported: JsonObject };
  readonly capabilities?: { readonly iotEdge: boolean };
  readonly deviceScope?: string;
}

/** How IoT Hub writes a moment that has never been. */
export const NEVER = '0001-01-01T00:00:00Z';

/** @param cloudToDeviceMessageCount messages that wait for the device */
export function formatTwin(identity: TwinIdentityFacts, twin: TwinDocument, presence: Presence, cloudToDeviceMessageCount = 0): ServiceTwinJson {
  const { authentication } = identity;
  return {
    deviceId: identity.deviceId,
    ...(identity.moduleId === undefined ? {} : { moduleId: identity.moduleId }),
    etag: twin.etag,
    ...(identity.etag === undefined ? {} : { deviceEtag: identity.etag }),
    status: identity.enabled ? 'enabled' : 'disabled',
    ...(identity.statusReason === undefined ? {} : { statusReason: identity.statusReason }),
    statusUpdateTime: formatMoment(identity.statusUpdatedMs),
    connectionState: presence.connected ? 'Connected' : 'Disconnected',
    lastActivityTime: formatMoment(presence.lastActivityMs),
    cloudToDeviceMessageCount,
    authenticationType: authentication?.type ?? 'sas',
    x509Thumbprint: {
      primaryThumbprint: authentication?.primaryThumbprint ?? null,
      secondaryThumbprint: authentication?.secondaryThumbprint ?? null,
    },
    modelId: presence.modelId ?? '',
    version: twin.version,
    tags: twin.tags,
    properties: {
      desired: withReadOnly(twin.desired, twin.desiredMetadata, twin.desiredVersion),
      reported: withReadOnly(twin.reported, twin.reportedMetadata, twin.reportedVersion),
    },
    ...(identity.moduleId === undefined ? { capabilities: { iotEdge: identity.iotEdge ?? false } } : {}),
    ...(identity.deviceScope === undefined ? {} : { deviceScope: identity.deviceScope }),
  };
}

/** What a device sees of its twin: no tags, no metadata. */
export function formatDeviceTwin(twin: TwinDocument): { readonly desired: JsonObject; readonly reported: JsonObject } {
  return { desired: withVersion(twin.desired, twin.desiredVersion), reported: withVersion(twin.reported, twin.reportedVersion) };
}

/** The properties or a patch of them, with `$version` behind. */
export function withVersion(properties: JsonObject, version: number): JsonObject {
  const copy = createJsonObject(properties);
  copy['$version'] = version;
  return copy;
}

function withReadOnly(properties: JsonObject, metadata: JsonObject, version: number): JsonObject {
  const copy = createJsonObject(properties);
  copy['$metadata'] = metadata;
  copy['$version'] = version;
  return copy;
}

function formatMoment(ms: number | undefined): string {
  return ms === undefined ? NEVER : new Date(ms).toISOString();
}
