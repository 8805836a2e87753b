import type { Permission } from './sas.ts';
import { generateKeyPair, type KeyPair } from './symmetric-key.ts';

/** A shared access policy: keys that sign for whatever its permissions allow. */
export interface Policy {
  readonly name: string;
  readonly permissions: readonly Permission[];
  readonly keys: KeyPair;
}

/** The policies that every IoT Hub starts with. */
const DEFAULT_PERMISSIONS: Readonly<Record<string, readonly Permission[]>> = {
  iothubowner: ['RegistryRead', 'RegistryWrite', 'ServiceConnect', 'DeviceConnect', 'ModuleConnect'],
  service: ['ServiceConnect'],
  device: ['DeviceConnect'],
  registryRead: ['RegistryRead'],
  registryReadWrite: ['RegistryRead', 'RegistryWrite'],
};

export function createDefaultPolicies(): Policy[] {
  return Object.entries(DEFAULT_PERMISSIONS).map(([name, permissions]) => ({ name, permissions, keys: generateKeyPair() }));
}
