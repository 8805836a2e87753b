import type { Registry } from 'azure-iothub';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import type { ConnectionString } from '../terminal/connection-string.ts';
import { formatConnectionString } from '../terminal/connection-string.ts';

/** The two keys of a device, base64. */
export interface HubKeys {
  readonly primary: string;
  readonly secondary: string;
}

/** Where a hub keeps the keys of its devices. */
export interface KeyRegistry {
  /** Gives a device that exists other keys. @throws ERR_REGISTRY */
  setKeys(deviceId: string, keys: HubKeys): Promise<void>;
}

/** IoT Hub's registry, by a policy that may write to it. */
export async function openKeyRegistry(policy: ConnectionString): Promise<KeyRegistry> {
  const { default: hub } = await import('azure-iothub');
  return keyRegistryOf(hub.Registry.fromConnectionString(formatConnectionString(policy)), policy.HostName);
}

export function keyRegistryOf(registry: Registry, hubName: string): KeyRegistry {
  return { setKeys: (deviceId, keys) => setKeys(registry, deviceId, keys, hubName) };
}

async function setKeys(registry: Registry, deviceId: string, keys: HubKeys, hubName: string): Promise<void> {
  try {
    const { responseBody: device } = await registry.get(deviceId);
    const description: Registry.DeviceDescription = { ...device, deviceId, authentication: { symmetricKey: { primaryKey: keys.primary, secondaryKey: keys.secondary } } };
    await registry.update(description);
  } catch (cause) {
    throw explain(cause, deviceId, hubName);
  }
}

function explain(cause: unknown, deviceId: string, hubName: string): CliError {
  const name = cause instanceof Error ? cause.name : '';
  if (name === 'DeviceNotFoundError') return refused(`${hubName} has no device ${deviceId}`, `make it first: az iot hub device-identity create -d ${deviceId}`, cause);
  if (name === 'UnauthorizedError' || name === 'ForbiddenError') return refused(`${hubName} does not let this policy change devices`, 'use a policy with RegistryReadWrite', cause);
  return refused(`${hubName} did not take the new keys${name === '' ? '' : ` (${name})`}`, 'check the network, and set the keys with the az line that --new-key prints without a policy', cause);
}

const refused = (message: string, remedy: string, cause: unknown): CliError => new CliError('ERR_REGISTRY', EXIT.failed, message, remedy, { cause });
