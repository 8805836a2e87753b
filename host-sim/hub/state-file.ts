import * as nodeFs from 'node:fs';
import { dirname } from 'node:path';
import { HubError } from './hub-error.ts';
import { isIdentityName } from './identity.ts';
import type { Policy } from './access/policies.ts';
import type { RegisteredIdentity, Registry, RegistryContents } from './registry/registry.ts';
import type { Permission } from './access/sas.ts';
import { decodeKey, encodeKey, type KeyPair } from './access/symmetric-key.ts';

/** The calls that write a state file; a test puts a full disk here. */
export type StateFileSystem = Pick<
  typeof nodeFs,
  'openSync' | 'writeSync' | 'fsyncSync' | 'closeSync' | 'renameSync' | 'unlinkSync' | 'realpathSync'
>;

const FORMAT_VERSION = 1;
const PERMISSIONS: readonly string[] = ['RegistryRead', 'RegistryWrite', 'ServiceConnect', 'DeviceConnect', 'ModuleConnect'] satisfies Permission[];

/** Replaces the file as a whole: a new one beside it, flushed, then renamed over it. @throws ERR_STATE_WRITE; the old file is untouched then */
export function saveState(path: string, contents: RegistryContents, fs: StateFileSystem = nodeFs): void {
  // A link stays a link: what it points to is replaced.
  const target = resolveLink(path, fs);
  const temporary = `${target}.${process.pid}.new`;
  let fd: number | undefined;
  try {
    fd = fs.openSync(temporary, 'w', 0o600);
    writeAll(fd, Buffer.from(formatState(contents)), fs);
    fs.fsyncSync(fd);
    fs.closeSync(fd);
    fd = undefined;
    fs.renameSync(temporary, target);
    flushFolder(dirname(target), fs);
  } catch (cause) {
    if (fd !== undefined) ignoreFailure(() => fs.closeSync(fd as number));
    ignoreFailure(() => fs.unlinkSync(temporary));
    throw explainWriteError(cause as NodeJS.ErrnoException, path);
  }
}

/** @returns `undefined` when there is no such file. @throws ERR_STATE_FILE */
export function loadState(path: string): RegistryContents | undefined {
  let text: string;
  try {
    // A device or a pipe has no end, or no beginning that could be replaced.
    if (!nodeFs.statSync(path).isFile()) throw Object.assign(new Error('not a file'), { code: 'not a file' });
    text = nodeFs.readFileSync(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new HubError('ERR_STATE_FILE', `cannot read ${path}: ${(cause as NodeJS.ErrnoException).code}`, 'check the path and its rights', { cause });
  }
  return parseState(text, path);
}

/** Saves every change of `registry` from now on. @returns a function that ends it */
export function keepState(registry: Registry, path: string, onSaved: (error: HubError | undefined) => void, fs?: StateFileSystem): () => void {
  return registry.onChange(() => {
    try {
      saveState(path, registry.contents(), fs);
      onSaved(undefined);
    } catch (error) {
      onSaved(error as HubError);
    }
  });
}

function formatState(contents: RegistryContents): string {
  const keysOf = ({ keys }: { readonly keys: KeyPair }): object => ({ primaryKey: encodeKey(keys.primary), secondaryKey: encodeKey(keys.secondary) });
  const identities = contents.identities.map((identity) => ({
    deviceId: identity.deviceId,
    ...(identity.moduleId === undefined ? {} : { moduleId: identity.moduleId }),
    status: identity.enabled ? 'enabled' : 'disabled',
    ...keysOf(identity),
  }));
  const policies = contents.policies.map((policy) => ({ name: policy.name, permissions: policy.permissions, ...keysOf(policy) }));
  return `${JSON.stringify({ version: FORMAT_VERSION, identities, policies }, undefined, 2)}\n`;
}

/** @throws ERR_STATE_FILE; the message holds no key */
export function parseState(text: string, path: string): RegistryContents {
  const remedy = 'move the file away to start with an empty registry, or restore a copy of it';
  const fail = (what: string, cause?: unknown): never => {
    throw new HubError('ERR_STATE_FILE', `${path} is no state file of this hub: ${what}`, remedy, { cause });
  };
  let state: unknown;
  try {
    state = JSON.parse(text);
  } catch {
    // The parser's message quotes the text, which holds keys.
    fail('not JSON');
  }
  if (!isRecord(state) || state.version !== FORMAT_VERSION) return fail(`version is not ${FORMAT_VERSION}`);
  if (!Array.isArray(state.identities) || !Array.isArray(state.policies)) return fail('identities or policies is no list');
  const keysOf = (entry: Record<string, unknown>, owner: string): KeyPair => {
    const { primaryKey, secondaryKey } = entry;
    if (typeof primaryKey !== 'string' || typeof secondaryKey !== 'string') return fail(`${owner} has no keys`);
    try {
      return { primary: decodeKey(primaryKey, owner), secondary: decodeKey(secondaryKey, owner) };
    } catch (error) {
      return fail((error as Error).message, error);
    }
  };
  const identities = state.identities.map((entry: unknown, index): RegisteredIdentity => {
    const where = `identities[${index}]`;
    if (!isRecord(entry) || typeof entry.deviceId !== 'string' || !isIdentityName(entry.deviceId)) return fail(`${where} has no valid deviceId`);
    const { deviceId, moduleId, status } = entry;
    if (moduleId !== undefined && (typeof moduleId !== 'string' || !isIdentityName(moduleId))) return fail(`${where} has no valid moduleId`);
    if (status !== 'enabled' && status !== 'disabled') return fail(`${where} has no status`);
    return { deviceId, ...(moduleId === undefined ? {} : { moduleId }), enabled: status === 'enabled', keys: keysOf(entry, where) };
  });
  const policies = state.policies.map((entry: unknown, index): Policy => {
    const where = `policies[${index}]`;
    if (!isRecord(entry) || typeof entry.name !== 'string' || !isPermissions(entry.permissions)) return fail(`${where} has no name or permissions`);
    return { name: entry.name, permissions: entry.permissions, keys: keysOf(entry, where) };
  });
  return { identities, policies };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPermissions(value: unknown): value is Permission[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string' && PERMISSIONS.includes(item));
}

function resolveLink(path: string, fs: StateFileSystem): string {
  try {
    return fs.realpathSync(path);
  } catch {
    return path;
  }
}

function writeAll(fd: number, bytes: Buffer, fs: StateFileSystem): void {
  for (let written = 0; written < bytes.length; ) written += fs.writeSync(fd, bytes, written, bytes.length - written, null);
}

/** The new name must survive a power cut too; not every file system flushes a folder. */
function flushFolder(folder: string, fs: StateFileSystem): void {
  ignoreFailure(() => {
    const fd = fs.openSync(folder, 'r');
    try {
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  });
}

function ignoreFailure(action: () => void): void {
  try {
    action();
  } catch {
    // What failed before is what is reported.
  }
}

function explainWriteError(cause: NodeJS.ErrnoException, path: string): HubError {
  const isFull = cause.code === 'ENOSPC' || cause.code === 'EDQUOT' || cause.code === 'EFBIG';
  const remedy = isFull ? 'free some space; the file on disk is the last one that was saved' : 'check the folder and its rights; the file on disk is the last one that was saved';
  return new HubError('ERR_STATE_WRITE', `cannot save ${path}: ${isFull ? 'the disk is full' : (cause.code ?? cause.message)}`, remedy, { cause });
}
