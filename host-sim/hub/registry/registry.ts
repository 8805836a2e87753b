import { Policies, type Policy } from '../access/policies.ts';
import { generateKeyPair, type KeyPair } from '../access/symmetric-key.ts';
import { HubError } from '../hub-error.ts';
import { bareIdentity, formatClientId, isIdentityName, type Identity } from '../identity.ts';
import type { Durable, DurableRecord } from '../state/durable.ts';
import { formatIdentityRecord, parseIdentityRecord, type Authentication, type RegisteredIdentity } from './registered-identity.ts';
import { firstEtag, GenerationIds, nextEtag } from './versions.ts';

export type { RegisteredIdentity } from './registered-identity.ts';

export interface RegistryOptions {
  /** Identities as they were kept. */
  readonly records?: Iterable<DurableRecord>;
  /** Default: the five of every IoT Hub, with new keys. */
  readonly policies?: Policies;
  /** Milliseconds since 1970. Default the machine's clock. */
  readonly now?: () => number;
}

/** What is given of an identity; the rest is as a new one has it. */
export interface IdentityOptions {
  /** Default: generated ones. */
  readonly keys?: KeyPair;
  /** Default `true`. */
  readonly enabled?: boolean;
  /** Default `sas`. */
  readonly authentication?: Authentication;
  readonly statusReason?: string;
  readonly managedBy?: string;
}

export interface RegistryContents {
  readonly identities: readonly RegisteredIdentity[];
  readonly policies: readonly Policy[];
}

export interface RegistryStatistics {
  readonly totalDeviceCount: number;
  readonly enabledDeviceCount: number;
  readonly disabledDeviceCount: number;
}

export type RegistryChange =
  | { readonly change: 'added' | 'removed' | 'enabled' | 'disabled' | 'keys-changed' | 'updated'; readonly identity: Identity }
  | { readonly change: 'policy-keys-changed'; readonly policy: string };

/** The hub's devices and modules, and its policies. Listeners hear of a change before the call that made it returns. */
export class Registry implements Durable {
  readonly prefix = 'identity';
  readonly policies: Policies;
  readonly #now: () => number;
  readonly #identities = new Map<string, RegisteredIdentity>();
  /** By device, so that nobody looks through all to find them. */
  readonly #modules = new Map<string, Map<string, RegisteredIdentity>>();
  #deviceCount = 0;
  readonly #generations = new GenerationIds();
  readonly #listeners = new Set<(change: RegistryChange) => void>();
  readonly #recordListeners = new Set<(key: string, value: unknown) => void>();

  /** @throws TypeError for a record that is no identity */
  constructor({ records = [], policies = new Policies(), now = Date.now }: RegistryOptions = {}) {
    this.policies = policies;
    this.#now = now;
    for (const [, value] of records) this.#put(parseIdentityRecord(value));
    for (const { generationId } of this.#identities.values()) this.#generations.note(generationId);
    this.#dropOrphans();
    policies.onKeys((policy) => this.#tell({ change: 'policy-keys-changed', policy }));
  }

  /** @throws ERR_DEVICE_ID, ERR_DEVICE_EXISTS, ERR_DEVICE_UNKNOWN for a module of no device */
  add({ deviceId, moduleId }: Identity, options: IdentityOptions = {}): RegisteredIdentity {
    for (const name of [deviceId, moduleId ?? deviceId]) {
      if (!isIdentityName(name)) {
        throw new HubError('ERR_DEVICE_ID', `no valid id: ${JSON.stringify(name)}`, "use 1 to 128 letters, digits and - : . + % _ # * ? ! ( ) , = @ $ '");
      }
    }
    const identity: Identity = moduleId === undefined ? { deviceId } : { deviceId, moduleId };
    const clientId = formatClientId(identity);
    if (this.#identities.has(clientId)) {
      throw new HubError('ERR_DEVICE_EXISTS', `there is a ${clientId} already`, 'use another id, or change its keys');
    }
    if (moduleId !== undefined) this.#require({ deviceId });
    const generationId = this.#generations.next(this.#now());
    const registered = this.#put({ ...identity, ...complete(options), generationId, etag: firstEtag(generationId) });
    this.#keep(registered);
    this.#tell({ change: 'added', identity });
    return registered;
  }

  /** Its modules go with a device. @throws ERR_DEVICE_UNKNOWN */
  remove(identity: Identity): void {
    const found = this.#require(identity);
    const modules = identity.moduleId === undefined ? [...(this.#modules.get(identity.deviceId)?.values() ?? [])] : [];
    for (const each of [found, ...modules]) {
      const clientId = formatClientId(each);
      this.#identities.delete(clientId);
      if (each.moduleId === undefined) {
        this.#modules.delete(each.deviceId);
        this.#deviceCount -= 1;
      } else this.#modules.get(each.deviceId)?.delete(each.moduleId);
      for (const listener of this.#recordListeners) listener(`${this.prefix}/${clientId}`, undefined);
      this.#tell({ change: 'removed', identity: bareIdentity(each) });
    }
  }

  /** Replaces all that can be changed of it; keys that are not given stay. @throws ERR_DEVICE_UNKNOWN */
  update(identity: Identity, options: IdentityOptions): RegisteredIdentity {
    const old = this.#require(identity);
    const { generationId } = old;
    const { enabled, ...rest } = complete({ keys: old.keys, ...options });
    const statusUpdatedMs = enabled === old.enabled ? old.statusUpdatedMs : this.#now();
    const updated = this.#put({
      ...bareIdentity(old), ...rest, enabled, generationId, etag: nextEtag(old.etag), ...(statusUpdatedMs === undefined ? {} : { statusUpdatedMs }),
    });
    this.#keep(updated);
    const haveKeysChanged = !areEqual(old.keys.primary, updated.keys.primary) || !areEqual(old.keys.secondary, updated.keys.secondary);
    if (haveKeysChanged) this.#tell({ change: 'keys-changed', identity: bareIdentity(old) });
    if (enabled !== old.enabled) this.#tell({ change: enabled ? 'enabled' : 'disabled', identity: bareIdentity(old) });
    else if (!haveKeysChanged) this.#tell({ change: 'updated', identity: bareIdentity(old) });
    return updated;
  }

  /** @returns `undefined` when there is none; a module of a disabled device is disabled */
  find(identity: Identity): RegisteredIdentity | undefined {
    const found = this.#identities.get(formatClientId(identity));
    if (found?.moduleId === undefined) return found;
    const device = this.#identities.get(identity.deviceId);
    return device?.enabled === true ? found : { ...found, enabled: false };
  }

  findPolicy(name: string): Policy | undefined {
    return this.policies.find(name);
  }

  /** @throws ERR_DEVICE_UNKNOWN */
  setEnabled(deviceId: string, enabled: boolean): void {
    const device = this.#require({ deviceId });
    if (device.enabled !== enabled) this.update({ deviceId }, { ...device, enabled });
  }

  /** @throws ERR_DEVICE_UNKNOWN */
  setKeys(identity: Identity, keys: KeyPair): void {
    this.update(identity, { ...this.#require(identity), keys });
  }

  /** @throws ERR_POLICY_UNKNOWN */
  setPolicyKeys(name: string, keys: KeyPair): void {
    this.policies.setKeys(name, keys);
  }

  /** The first devices, without modules, in the order in which they were added. */
  listDevices(top: number): readonly RegisteredIdentity[] {
    const devices: RegisteredIdentity[] = [];
    for (const identity of this.#identities.values()) {
      if (devices.length >= top) break;
      if (identity.moduleId === undefined) devices.push(identity);
    }
    return devices;
  }

  listModules(deviceId: string): readonly RegisteredIdentity[] {
    return [...(this.#modules.get(deviceId)?.values() ?? [])];
  }

  get deviceCount(): number {
    return this.#deviceCount;
  }

  statistics(): RegistryStatistics {
    const devices = this.listDevices(Infinity);
    const enabledDeviceCount = devices.filter(({ enabled }) => enabled).length;
    return { totalDeviceCount: devices.length, enabledDeviceCount, disabledDeviceCount: devices.length - enabledDeviceCount };
  }

  contents(): RegistryContents {
    return { identities: [...this.#identities.values()], policies: this.policies.list() };
  }

  /** @returns a function that ends it */
  onChange(listener: (change: RegistryChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  *records(): Iterable<DurableRecord> {
    for (const identity of this.#identities.values()) yield [`${this.prefix}/${formatClientId(identity)}`, formatIdentityRecord(identity)];
  }

  onRecord(listener: (key: string, value: unknown) => void): () => void {
    this.#recordListeners.add(listener);
    return () => this.#recordListeners.delete(listener);
  }

  /** The hub may have been killed between the record of a device that was deleted and those of its modules: their keys must not come back. */
  #dropOrphans(): void {
    for (const [deviceId, modules] of this.#modules) {
      if (this.#identities.has(formatClientId({ deviceId }))) continue;
      for (const module of modules.values()) this.#identities.delete(formatClientId(module));
      this.#modules.delete(deviceId);
    }
  }

  #put(identity: RegisteredIdentity): RegisteredIdentity {
    const { deviceId, moduleId } = identity;
    const clientId = formatClientId(identity);
    if (moduleId === undefined && !this.#identities.has(clientId)) this.#deviceCount += 1;
    this.#identities.set(clientId, identity);
    if (moduleId !== undefined) {
      const modules = this.#modules.get(deviceId) ?? new Map<string, RegisteredIdentity>();
      this.#modules.set(deviceId, modules.set(moduleId, identity));
    }
    return identity;
  }

  #keep(identity: RegisteredIdentity): void {
    for (const listener of this.#recordListeners) listener(`${this.prefix}/${formatClientId(identity)}`, formatIdentityRecord(identity));
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

function complete(options: IdentityOptions): Pick<RegisteredIdentity, 'keys' | 'enabled' | 'authentication'> & { readonly statusReason?: string; readonly managedBy?: string } {
  const { keys = generateKeyPair(), enabled = true, authentication = { type: 'sas' }, statusReason, managedBy } = options;
  return { keys, enabled, authentication, ...(statusReason === undefined ? {} : { statusReason }), ...(managedBy === undefined ? {} : { managedBy }) };
}

function areEqual(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
