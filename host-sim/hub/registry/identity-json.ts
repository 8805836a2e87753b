import { encodeKey } from '../access/symmetric-key.ts';
import { NEVER, type Presence } from '../twins/twin-format.ts';
import type { RegisteredIdentity } from './registered-identity.ts';

/** What is known of an identity beside the registry. */
export interface IdentityFacts {
  readonly presence: Presence;
  readonly cloudToDeviceMessageCount: number;
}

/** A device as the service API shows it, keys included. @see https://learn.microsoft.com/rest/api/iothub/service/devices/get-identity */
export function formatDevice(device: RegisteredIdentity, facts: IdentityFacts): object {
  const { deviceId, generationId, etag, enabled, statusReason, statusUpdatedMs } = device;
  return {
    deviceId,
    generationId,
    etag,
    connectionState: formatConnection(facts),
    status: enabled ? 'enabled' : 'disabled',
    statusReason: statusReason ?? null,
    connectionStateUpdatedTime: formatMoment(facts.presence.changedMs),
    statusUpdatedTime: formatMoment(statusUpdatedMs),
    lastActivityTime: formatMoment(facts.presence.lastActivityMs),
    cloudToDeviceMessageCount: facts.cloudToDeviceMessageCount,
    authentication: formatAuthentication(device),
    capabilities: { iotEdge: false },
  };
}

/** A module: it has no status of its own. @see https://learn.microsoft.com/rest/api/iothub/service/modules/get-identity */
export function formatModule(module: RegisteredIdentity, facts: IdentityFacts): object {
  const { deviceId, moduleId, generationId, etag, managedBy } = module;
  return {
    moduleId,
    managedBy: managedBy ?? null,
    deviceId,
    generationId,
    etag,
    connectionState: formatConnection(facts),
    connectionStateUpdatedTime: formatMoment(facts.presence.changedMs),
    lastActivityTime: formatMoment(facts.presence.lastActivityMs),
    cloudToDeviceMessageCount: facts.cloudToDeviceMessageCount,
    authentication: formatAuthentication(module),
  };
}

function formatAuthentication({ keys, authentication: { type, primaryThumbprint, secondaryThumbprint } }: RegisteredIdentity): object {
  const isSas = type === 'sas';
  return {
    symmetricKey: { primaryKey: isSas ? encodeKey(keys.primary) : null, secondaryKey: isSas ? encodeKey(keys.secondary) : null },
    x509Thumbprint: { primaryThumbprint: primaryThumbprint ?? null, secondaryThumbprint: secondaryThumbprint ?? null },
    type,
  };
}

function formatConnection({ presence }: IdentityFacts): string {
  return presence.connected ? 'Connected' : 'Disconnected';
}

function formatMoment(ms: number | undefined): string {
  return ms === undefined ? NEVER : new Date(ms).toISOString();
}
