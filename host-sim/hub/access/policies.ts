import { HubError } from '../hub-error.ts';
import type { Durable, DurableRecord } from '../state/durable.ts';
import { PERMISSIONS, type Permission } from './sas.ts';
import { decodeKey, encodeKey, generateKeyPair, type KeyPair } from './symmetric-key.ts';

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

/** Azure's rule for `keyName`. */
const NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** The shared access policies of a hub. Listeners hear of a change before the call that made it returns. */
export class Policies implements Durable {
  readonly prefix = 'policy';
  readonly #policies = new Map<string, Policy>();
  readonly #changeListeners = new Set<(name: string) => void>();
  readonly #recordListeners = new Set<(key: string, value: unknown) => void>();

  /** @param records as they were kept; without any, the hub has the default policies. @throws TypeError for what is no policy */
  constructor(records: Iterable<DurableRecord> = []) {
    for (const [key, value] of records) {
      const policy = parsePolicy(key.slice(key.indexOf('/') + 1), value);
      this.#policies.set(policy.name, policy);
    }
    if (this.#policies.size > 0) return;
    for (const [name, permissions] of Object.entries(DEFAULT_PERMISSIONS)) this.#policies.set(name, { name, permissions, keys: generateKeyPair() });
  }

  find(name: string): Policy | undefined {
    return this.#policies.get(name);
  }

  list(): readonly Policy[] {
    return [...this.#policies.values()];
  }

  /** Adds a policy with generated keys, or gives one other permissions and keeps its keys. @throws ERR_POLICY */
  set(name: string, permissions: readonly Permission[], keys?: KeyPair): Policy {
    if (!NAME.test(name)) throw new HubError('ERR_POLICY', `no policy name: ${JSON.stringify(name)}`, 'use 1 to 64 letters, digits, hyphens and underscores');
    if (permissions.length === 0) throw new HubError('ERR_POLICY', `policy ${name} has no permission`, `give it some of ${PERMISSIONS.join(', ')}`);
    return this.#keep({ name, permissions: [...new Set(permissions)], keys: keys ?? this.#policies.get(name)?.keys ?? generateKeyPair() });
  }

  /** @throws ERR_POLICY_UNKNOWN */
  setKeys(name: string, keys: KeyPair): void {
    const policy = this.#policies.get(name);
    if (policy === undefined) {
      throw new HubError('ERR_POLICY_UNKNOWN', `there is no policy ${JSON.stringify(name)}`, `the policies are ${[...this.#policies.keys()].join(', ')}`);
    }
    this.#keep({ ...policy, keys });
    for (const listener of this.#changeListeners) listener(name);
  }

  /** Hears of new keys. @returns a function that ends it */
  onKeys(listener: (name: string) => void): () => void {
    this.#changeListeners.add(listener);
    return () => this.#changeListeners.delete(listener);
  }

  *records(): Iterable<DurableRecord> {
    for (const policy of this.#policies.values()) yield [recordKey(policy), formatPolicy(policy)];
  }

  onRecord(listener: (key: string, value: unknown) => void): () => void {
    this.#recordListeners.add(listener);
    return () => this.#recordListeners.delete(listener);
  }

  #keep(policy: Policy): Policy {
    this.#policies.set(policy.name, policy);
    for (const listener of this.#recordListeners) listener(recordKey(policy), formatPolicy(policy));
    return policy;
  }
}

function recordKey({ name }: Policy): string {
  return `policy/${name}`;
}

function formatPolicy({ permissions, keys }: Policy): object {
  return { permissions, primaryKey: encodeKey(keys.primary), secondaryKey: encodeKey(keys.secondary) };
}

function parsePolicy(name: string, value: unknown): Policy {
  const { permissions, primaryKey, secondaryKey } = (value ?? {}) as Record<string, unknown>;
  if (!NAME.test(name) || !isPermissions(permissions) || typeof primaryKey !== 'string' || typeof secondaryKey !== 'string') throw new TypeError('not a policy');
  return { name, permissions, keys: { primary: decodeKey(primaryKey, name), secondary: decodeKey(secondaryKey, name) } };
}

export function isPermission(text: unknown): text is Permission {
  return PERMISSIONS.some((permission) => permission === text);
}

function isPermissions(value: unknown): value is readonly Permission[] {
  return Array.isArray(value) && value.length > 0 && value.every(isPermission);
}
