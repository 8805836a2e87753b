import { HubError } from '../hub-error.ts';
import { formatClientId, isIdentityName, type Identity } from '../identity.ts';
import { createDefaultPolicies, type Policy } from '../access/policies.ts';
import { generateKeyPair, type KeyPair } from '../access/symmetric-key.ts';

/** A device or module that the hub knows. A module is enabled as its device is. */
export interface RegisteredIdentity extends Identity {
  readonly keys: KeyPair;
  readonly enabled: boolean;
}

export interface RegistryContents {
  readonly identities: readonly RegisteredIdentity[];
  readonly policies: readonly Policy[];
}

export type RegistryChange =
  | { readonly change: 'added' | 'removed' | 'enabled' | 'disabled' | 'keys-changed'; readonly identity: Identity }
  | { readonly change: 'policy-keys-changed'; readonly policy: string };

/** The hub's devices, modules and policies. Listeners hear of a change before the call that made it returns. */
export class Registry {
  readonly #identities = new Map<string, RegisteredIdentity>();
  readonly #policies = new Map<string, Policy>();
  readonly #listeners = new Set<(change: RegistryChange) => void>();

  /** @param contents as saved before; a new registry has the default policies and no device */
  constructor(contents?: RegistryContents) {
    for (const policy of contents?.policies ?? createDefaultPolicies()) this.#policies.set(policy.name, policy);
    for (const identity of contents?.identities ?? []) this.#identities.set(formatClientId(identity), identity);
  }

  /** @throws ERR_DEVICE_ID, ERR_DEVICE_EXISTS, ERR_DEVICE_UNKNOWN for a module of no device */
  add(identity: Identity, options: { readonly keys?: KeyPair; readonly enabled?: boolean } = {}): RegisteredIdentity {
    for (const name of [identity.deviceId, identity.moduleId ?? identity.deviceId]) {
      if (!isIdentityName(name)) {
        throw new HubError('ERR_DEVICE_ID', `no valid id: ${JSON.stringify(name)}`, "use 1 to 128 letters, digits and - : . + % _ # * ? ! ( ) , = @ $ '");
      }
    }
    const clientId = formatClientId(identity);
    if (this.#identities.has(clientId)) {
      throw new HubError('ERR_DEVICE_EXISTS', `there is a ${clientId} already`, 'use another id, or change its keys');
    }
    if (identity.moduleId !== undefined) this.#require({ deviceId: identity.deviceId });
    const registered = { ...identity, keys: options.keys ?? generateKeyPair(), enabled: options.enabled ?? true };
    this.#identities.set(clientId, registered);
    this.#tell({ change: 'added', identity });
    return registered;
  }

  /** Its modules go with a device. */
  remove(identity: Identity): void {
    this.#require(identity);
    const clientId = formatClientId(identity);
    for (const [key, other] of [...this.#identities]) {
      const isModuleOfIt = identity.moduleId === undefined && other.deviceId === identity.deviceId;
      if (key !== clientId && !isModuleOfIt) continue;
      this.#identities.delete(key);
      this.#tell({ change: 'removed', identity: withoutKeys(other) });
    }
  }

  /** @returns `undefined` when there is none; a module of a disabled device is disabled */
  find(identity: Identity): RegisteredIdentity | undefined {
    const found = this.#identities.get(formatClientId(identity));
    if (found?.moduleId === undefined) return found;
    const device = this.#identities.get(identity.deviceId);
    return device?.enabled === true ? found : { ...found, enabled: false };
  }

  findPolicy(name: string): Policy | undefined {
    return this.#policies.get(name);
  }

  setEnabled(deviceId: string, enabled: boolean): void {
    const device = this.#require({ deviceId });
    if (device.enabled === enabled) return;
    this.#identities.set(deviceId, { ...device, enabled });
    this.#tell({ change: enabled ? 'enabled' : 'disabled', identity: { deviceId } });
  }

  setKeys(identity: Identity, keys: KeyPair): void {
    this.#identities.set(formatClientId(identity), { ...this.#require(identity), keys });
    this.#tell({ change: 'keys-changed', identity });
  }

  setPolicyKeys(name: string, keys: KeyPair): void {
    const policy = this.#policies.get(name);
    if (policy === undefined) {
      throw new HubError('ERR_POLICY_UNKNOWN', `there is no policy ${JSON.stringify(name)}`, `the policies are ${[...this.#policies.keys()].join(', ')}`);
    }
    this.#policies.set(name, { ...policy, keys });
    this.#tell({ change: 'policy-keys-changed', policy: name });
  }

  contents(): RegistryContents {
    return { identities: [...this.#identities.values()], policies: [...this.#policies.values()] };
  }

  /** @returns a function that ends it */
  onChange(listener: (change: RegistryChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #require(identity: Identity): RegisteredIdentity {
    const found = this.#identities.get(formatClientId(identity));
    if (found === undefined) {
      throw new HubError('ERR_DEVICE_UNKNOWN', `there is no ${JSON.stringify(formatClientId(identity))}`, 'add it first');
    }
    return found;
  }

  #tell(change: RegistryChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}

function withoutKeys({ deviceId, moduleId }: Identity): Identity {
  return moduleId === undefined ? { deviceId } : { deviceId, moduleId };
}
