import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { projectPath } from '../board/project-path.ts';
import { replaceFile } from '../board/replace-file.ts';

/** Where a hub that runs on this machine is, and how a service may use it. Holds secrets: a policy's key and the admin token. */
export interface HubPlace {
  readonly processId: number;
  readonly hubName: string;
  /** IP address of all its ports. */
  readonly address: string;
  readonly mqttPort: number;
  readonly httpsPort: number;
  readonly amqpPort: number;
  /** The root that its certificate leads to, PEM. */
  readonly rootFile: string;
  /** Of the policy with all rights. */
  readonly serviceConnectionString: string;
  /** Where faults are asked for; on loopback, whatever `address` is. */
  readonly adminPort: number;
  /** Of this run only. */
  readonly adminToken: string;
}

/** The certificate of every local hub carries it. */
export const LOCAL_SERVER_NAME = 'localhost';

/** Names another folder for the files of running hubs, so that projects or tests do not see each other's. */
export const HUBS_FOLDER_VARIABLE = 'LATCHKEY_HUBS';

type Environment = Readonly<Record<string, string | undefined>>;

function folderOf(env: Environment): string {
  const named = env[HUBS_FOLDER_VARIABLE];
  return named === undefined || named === '' ? projectPath('.build/hubs') : named;
}

/** A hub's name is a host name: it has no slash. */
const fileOf = (env: Environment, hubName: string): string => join(folderOf(env), `${hubName.toLowerCase()}.json`);

/**
 * Tells other programs of this user where the hub is, for as long as it runs; of two hubs with one name the later one counts.
 * @returns a function that takes the file away
 */
export function announceHub(env: Environment, place: HubPlace): () => void {
  mkdirSync(folderOf(env), { recursive: true, mode: 0o700 });
  const file = fileOf(env, place.hubName);
  replaceFile(file, JSON.stringify(place));
  return () => {
    if (readPlace(file)?.processId === place.processId) rmSync(file, { force: true });
  };
}

/** The hubs that run; what a killed one has left is passed over. */
export function runningHubs(env: Environment): readonly HubPlace[] {
  const folder = folderOf(env);
  let names: readonly string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => readPlace(join(folder, name)) ?? [])
    .filter(({ processId }) => isRunning(processId));
}

/** @returns `undefined` for a file that is gone or no hub's */
function readPlace(file: string): HubPlace | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return isPlace(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isPlace(value: unknown): value is HubPlace {
  if (typeof value !== 'object' || value === null) return false;
  const members = value as Readonly<Record<string, unknown>>;
  const texts = ['hubName', 'address', 'rootFile', 'serviceConnectionString', 'adminToken'];
  const numbers = ['processId', 'mqttPort', 'httpsPort', 'amqpPort', 'adminPort'];
  return texts.every((name) => typeof members[name] === 'string') && numbers.every((name) => Number.isInteger(members[name]));
}

function isRunning(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    // Somebody else's process lives, too.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
