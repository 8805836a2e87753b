import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { seededRandom } from '../../host-sim/time/seeded-random.ts';
import { signToken } from '../conformance/access/tokens.ts';
import { HubProgram } from '../conformance/program.ts';
import { recordEvidence } from '../evidence.ts';

const KILLS = 8;
const WORKERS = 6;
const HUB_NAME = 'latchkey-hub.test';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'latchkey-kill-'));
});

const programs: HubProgram[] = [];

afterAll(async () => {
  // What a failed test left running: jest would wait for it.
  for (const program of programs) await program.kill();
  rmSync(folder, { recursive: true, force: true });
});

/** What one device is, as its service was told: `undefined` when it is deleted, else a tag. */
type Value = number | undefined;

/** One service that changes devices of its own, one request after another: what is acknowledged is certain, the last one may have happened or not. */
class Worker {
  readonly acknowledged = new Map<string, Value>();
  inFlight: readonly [deviceId: string, value: Value] | undefined;
  count = 0;
  readonly #name: string;
  readonly #random: () => number;

  constructor(name: string, random: () => number) {
    this.#name = name;
    this.#random = random;
  }

  async run(api: Api): Promise<void> {
    for (;;) {
      const deviceId = `${this.#name}-${Math.floor(this.#random() * 5)}`;
      const exists = this.acknowledged.get(deviceId) !== undefined;
      const value = exists && this.#random() < 0.2 ? undefined : (this.count += 1);
      this.inFlight = [deviceId, value];
      try {
        if (!exists) await api.ask('PUT', `/devices/${deviceId}`, { deviceId });
        // The device is there from now on, without a tag.
        if (!exists) this.acknowledged.set(deviceId, 0);
        if (value === undefined) await api.ask('DELETE', `/devices/${deviceId}`);
        else await api.ask('PATCH', `/twins/${deviceId}`, { tags: { value } });
      } catch {
        return;
      }
      this.acknowledged.set(deviceId, value);
      this.inFlight = undefined;
    }
  }
}

class Api {
  readonly #agent: Agent;
  readonly #token: string;

  constructor(port: number, ca: string, key: Uint8Array) {
    this.#agent = new Agent({ host: '127.0.0.1', port, ca, servername: 'localhost', keepAlive: true });
    this.#token = signToken({ scope: HUB_NAME, policy: 'iothubowner', key, expirySeconds: Math.floor(Date.now() / 1000) + 3_600 });
  }

  /** @returns the body of an answer 2xx, `undefined` for 404; anything else is an error */
  ask(method: string, path: string, body?: object): Promise<unknown> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = { Authorization: this.#token, 'If-Match': '*', ...(text === undefined ? {} : { 'Content-Type': 'application/json' }) };
    if (method === 'PUT') delete (headers as Partial<typeof headers>)['If-Match'];
    return new Promise((resolve, reject) => {
      const asked = request({ agent: this.#agent, method, path: `${path}?api-version=2021-04-12`, headers }, (response) => {
        let answer = '';
        response.on('data', (chunk: Buffer) => (answer += chunk.toString()));
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode === 404) resolve(undefined);
          else if ((response.statusCode ?? 0) >= 300) reject(new Error(`${method} ${path}: ${response.statusCode} ${answer}`));
          else resolve(answer === '' ? {} : JSON.parse(answer));
        });
      });
      asked.on('error', reject);
      asked.end(text);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

async function start(state: string): Promise<{ readonly program: HubProgram; readonly api: Api }> {
  const program = new HubProgram(['--port', '0', '--state', state, '--show-secrets']);
  programs.push(program);
  const { https, rootFile } = await program.waitFor('started');
  await program.waitFor('policy');
  const owner = program.lines.find(({ event, policy }) => event === 'policy' && policy === 'iothubowner');
  const key = /SharedAccessKey=([^;]+)/.exec(String(owner?.connectionString))?.[1] ?? '';
  return { program, api: new Api(Number(String(https).split(':').at(-1)), readFileSync(String(rootFile), 'utf8'), Buffer.from(key, 'base64')) };
}

async function checkAll(api: Api, workers: readonly Worker[]): Promise<number> {
  let checked = 0;
  for (const { acknowledged, inFlight } of workers) {
    for (const [deviceId, value] of acknowledged) {
      const twin = (await api.ask('GET', `/twins/${deviceId}`)) as { readonly tags: { readonly value?: number } } | undefined;
      const found = twin === undefined ? undefined : (twin.tags.value ?? 0);
      const allowed = inFlight?.[0] === deviceId ? [value, inFlight[1], ...(value === undefined ? [0] : [])] : [value];
      expect({ deviceId, found, allowed }).toEqual({ deviceId, found, allowed: expect.arrayContaining([found]) });
      acknowledged.set(deviceId, found);
      checked += 1;
    }
  }
  return checked;
}

test(`a hub that is killed ${KILLS} times at random moments has everything that it acknowledged`, async () => {
  const state = join(folder, 'hub.state');
  const random = seededRandom(20_261_122);
  const workers = Array.from({ length: WORKERS }, (_, index) => new Worker(`w${index}`, random));
  let { program, api } = await start(state);
  for (let kill = 0; kill < KILLS; kill++) {
    const before = workers.reduce((sum, { count }) => sum + count, 0);
    const running = workers.map((worker) => worker.run(api));
    // The first thing that is certain may take its time on a busy machine; from then on chance chooses the moment.
    while (workers.every(({ acknowledged }) => acknowledged.size === 0)) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 30 + random() * 300));
    await program.kill();
    await Promise.all(running);
    api.close();
    expect(workers.reduce((sum, { count }) => sum + count, 0)).toBeGreaterThan(before);
    ({ program, api } = await start(state));
    expect(await checkAll(api, workers)).toBeGreaterThan(0);
    for (const worker of workers) worker.inFlight = undefined;
  }
  expect(await program.stop()).toBe(130);
  api.close();
  expect((statSync(state).mode & 0o777).toString(8)).toBe('600');
  recordEvidence('state-kills', KILLS);
});
