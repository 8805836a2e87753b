import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HUBS_FOLDER_VARIABLE, runningHubs, type HubPlace } from '../../host-sim/service/hub-place.ts';
import { runCommandLine, type CliRun, type CliWorld } from '../fakes/cli-run.ts';

/** A guard against a hang: a machine that does much else at the same time is no failure. */
const LIMIT_MS = 100_000;

export type HubLine = Readonly<Record<string, unknown>> & { readonly event: string };

/** `latchkey hub` in this process, and the other commands beside it, as a user has them. */
export interface HubInProcess {
  readonly place: HubPlace;
  /** Of the files of running hubs; gone after `stop`. */
  readonly folder: string;
  /** The root that its certificate leads to, PEM. */
  readonly ca: string;
  /** What it has printed, a JSON object a line; grows. */
  readonly events: readonly HubLine[];
  /** A command; without options it finds this hub. */
  latchkey(args: readonly string[], world?: CliWorld): Promise<CliRun>;
  /** Ctrl-C. */
  stop(): Promise<CliRun>;
}

export async function startHub(args: readonly string[] = []): Promise<HubInProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-hubs-'));
  const env = { [HUBS_FOLDER_VARIABLE]: folder };
  const abort = new AbortController();
  const events: HubLine[] = [];
  let rest = '';
  const onOutput = (text: string): void => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) events.push(JSON.parse(line) as HubLine);
  };
  const run = runCommandLine(['hub', '--port', '0', '--json', ...args], { env, interrupted: abort.signal, onOutput });
  const ended = run.then((result) => Promise.reject(new Error(`the hub ended: ${result.stderr}`)));
  ended.catch(() => {});
  const place = await Promise.race([findPlace(env), ended]);
  return {
    place,
    folder,
    ca: readFileSync(place.rootFile, 'utf8'),
    events,
    latchkey: (command, world = {}) => runCommandLine(command, { ...world, env: { ...env, ...world.env } }),
    async stop() {
      abort.abort();
      const result = await run;
      rmSync(folder, { recursive: true });
      return result;
    },
  };
}

async function findPlace(env: Readonly<Record<string, string>>): Promise<HubPlace> {
  const endMs = Date.now() + LIMIT_MS;
  for (;;) {
    const [place] = runningHubs(env);
    if (place !== undefined) return place;
    if (Date.now() > endMs) throw new Error('the hub did not start');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
