import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { NoRetry } from 'azure-iot-common';
import { Client, Message } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import { recordEvidence } from '../evidence.ts';
import type { CliRun } from '../fakes/cli-run.ts';
import { run } from './program.ts';
import { startHub, type HubInProcess } from './hub-in-process.ts';

/** Faults on request: Microsoft's device SDK and the agent go through each, and nothing that the hub acknowledged is lost. */

const INTERVAL_MS = 50;
/** A device goes on until so many messages have come since the fault was over. */
const MESSAGES_AFTER = 20;
/** A guard against a hang, and so are all of these limits. */
const LIMIT_MS = 100_000;

let hub: HubInProcess;

beforeAll(async () => {
  hub = await startHub();
});

afterAll(async () => {
  await hub.stop();
});

async function latchkey(...args: readonly string[]): Promise<unknown> {
  const { exitCode, stdout, stderr } = await hub.latchkey([...args, '--json']);
  expect([exitCode, stderr]).toEqual([0, '']);
  return JSON.parse(stdout);
}

async function makeDevice(deviceId: string): Promise<string> {
  await latchkey('device', 'create', '-d', deviceId);
  return (await hub.latchkey(['device', 'show', '-d', deviceId, '--connection-string', '--show-secrets'])).stdout.trim();
}

const receivedOf = (deviceId: string): Set<unknown> => new Set(hub.events.filter((event) => event.event === 'messageReceived' && event['deviceId'] === deviceId).map((event) => event['mid']));
const countOf = (name: string, deviceId: string): number => hub.events.filter((event) => event.event === name && event['deviceId'] === deviceId).length;

async function until(what: string, isSo: () => boolean): Promise<void> {
  for (const endMs = Date.now() + LIMIT_MS; !isSo();) {
    if (Date.now() > endMs) throw new Error(`not within ${LIMIT_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** The board with the firmware, until Ctrl-C; it ends when all is acknowledged. */
function runAgent(connectionString: string, interrupted: AbortSignal): Promise<CliRun> {
  const args = ['device', '--root', hub.place.rootFile, '--telemetry-interval', `${INTERVAL_MS}ms`, '--token-ttl', '10m', '--json'];
  return hub.latchkey(args, { env: { IOTHUB_DEVICE_CONNECTION_STRING: connectionString }, interrupted });
}

/** Microsoft's SDK: sends one message each interval. @returns the ids of those that it saw acknowledged, and how many it sent */
async function runSdk(connectionString: string, interrupted: AbortSignal): Promise<{ acked: string[]; sent: number }> {
  const client = Client.fromConnectionString(connectionString, Mqtt);
  client.on('error', () => {});
  await client.setOptions({ ca: hub.ca });
  await client.open();
  const acked: string[] = [];
  const sends: Promise<void>[] = [];
  while (!interrupted.aborted) {
    const message = new Message('x');
    message.messageId = `sdk-${sends.length}`;
    sends.push(client.sendEvent(message).then(() => void acked.push(message.messageId), () => {}));
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  }
  await Promise.race([Promise.all(sends), new Promise((resolve) => setTimeout(resolve, LIMIT_MS / 2).unref())]);
  await Promise.race([client.close().catch(() => {}), new Promise((resolve) => setTimeout(resolve, 2_000).unref())]);
  return { acked, sent: sends.length };
}

function expectAgentLostNothing(deviceId: string, { exitCode, stdout }: CliRun): void {
  const done = stdout.trim().split('\n').map((line) => JSON.parse(line) as { event: string; sent?: number; acked?: number }).findLast(({ acked }) => acked !== undefined);
  expect([deviceId, exitCode, done?.acked]).toEqual([deviceId, 130, done?.sent]);
  expect(done?.sent).toBeGreaterThan(MESSAGES_AFTER);
  expect(receivedOf(deviceId).size).toBe(done?.sent);
}

interface Cell {
  readonly name: string;
  readonly fault: readonly string[];
  /** How often it happens at least. */
  readonly hits: number;
  /** A second connection comes. */
  readonly reconnects: boolean;
}

const CELLS: readonly Cell[] = [
  { name: 'drop', fault: ['drop'], hits: 1, reconnects: true },
  { name: 'drop-message', fault: ['drop', '--at', 'message', '--count', '2'], hits: 2, reconnects: true },
  { name: 'drop-ack', fault: ['drop', '--at', 'acknowledgement', '--count', '2'], hits: 2, reconnects: true },
  { name: 'delay', fault: ['delay', '--delay', '400ms', '--duration', '2s'], hits: 0, reconnects: false },
  { name: 'half-open', fault: ['half-open', '--duration', '1500ms'], hits: 1, reconnects: true },
  { name: 'refuse', fault: ['refuse', '--code', '3', '--count', '1'], hits: 1, reconnects: true },
  { name: 'slow-accept', fault: ['slow-accept', '--delay', '700ms', '--count', '1'], hits: 1, reconnects: true },
];

test('the agent and azure-iot-device go through every fault of a connection without losing a message', async () => {
  const devices = await Promise.all(CELLS.flatMap((cell) => ['agent', 'sdk'].map(async (who) => ({ ...cell, who, deviceId: `${who}-${cell.name}`, connectionString: await makeDevice(`${who}-${cell.name}`) }))));
  const runs = devices.map(async ({ who, fault, name, deviceId, hits, reconnects, connectionString }) => {
    const interruption = new AbortController();
    const running = who === 'agent' ? runAgent(connectionString, interruption.signal) : runSdk(connectionString, interruption.signal);
    running.catch(() => {});
    try {
      await until(`${deviceId} sends`, () => countOf('messageReceived', deviceId) > 10);
      const { id } = (await latchkey('faults', 'set', ...fault, '-d', deviceId)) as { readonly id: string };
      // These concern the next CONNECT: there must be one.
      if (name === 'refuse' || name === 'slow-accept') await latchkey('faults', 'set', 'drop', '-d', deviceId);
      await until(`${name} is over for ${deviceId}`, () => hub.events.some((event) => event.event === 'faultEnded' && event['fault'] === id) && (!reconnects || countOf('connected', deviceId) > 1));
      const enough = countOf('messageReceived', deviceId) + MESSAGES_AFTER;
      await until(`${deviceId} sends again`, () => countOf('messageReceived', deviceId) >= enough);
    } finally {
      interruption.abort();
    }
    const result = await running;
    if ('exitCode' in result) expectAgentLostNothing(deviceId, result);
    else {
      expect(result.acked.filter((id) => !receivedOf(deviceId).has(id))).toEqual([]);
      expect(result.acked.length).toBeGreaterThan(0.8 * result.sent);
    }
    expect([deviceId, hub.events.filter((event) => event.event === 'faultHit' && event['deviceId'] === deviceId && event['kind'] === fault[0]).length]).toEqual([deviceId, hits]);
    expect([deviceId, countOf('connected', deviceId) > 1]).toEqual([deviceId, reconnects]);
  });
  const results = await Promise.allSettled(runs);
  expect(results.flatMap((result) => (result.status === 'rejected' ? [String(result.reason)] : []))).toEqual([]);
  recordEvidence('fault-survivals', devices.length);
});

test.each([
  ['stranger', /verify error:num=(?:19|20|21)\b/, 'ERR_TLS_UNTRUSTED_ISSUER'],
  ['expired', /verify error:num=10\b/, 'ERR_TLS_EXPIRED'],
  ['wrong-host', /verify error:num=62\b/, 'ERR_TLS_HOSTNAME'],
])('a certificate of kind %s is refused by OpenSSL and by the agent, which connects when the right one is back', async (certificate, opensslError, agentError) => {
  const fault = (await latchkey('faults', 'set', 'certificate', '--certificate', certificate)) as { id: string };
  const openssl = await run('openssl', ['s_client', '-connect', `127.0.0.1:${hub.place.mqttPort}`, '-servername', 'localhost', '-verify_hostname', 'localhost', '-CAfile', hub.place.rootFile, '-verify_return_error']);
  expect([openssl.code === 0, openssl.stderr + openssl.stdout]).toEqual([false, expect.stringMatching(opensslError)]);
  const deviceId = `agent-${certificate}`;
  let printed = '';
  const args = ['device', '--root', hub.place.rootFile, '--duration', '3s', '--telemetry-interval', '100ms', '--json'];
  const agent = hub.latchkey(args, { env: { IOTHUB_DEVICE_CONNECTION_STRING: await makeDevice(deviceId) }, onOutput: (text) => void (printed += text) });
  await until(`${deviceId} refuses`, () => printed.includes(agentError));
  expect(countOf('connectReceived', deviceId)).toBe(0);
  expect((await hub.latchkey(['faults', 'clear', fault.id])).exitCode).toBe(0);
  expect((await agent).exitCode).toBe(0);
  expect(countOf('connected', deviceId)).toBe(1);
});

test("with the hub's clock ahead a good token is refused, and taken again when the fault is over", async () => {
  const connectionString = await makeDevice('clock');
  const attempt = async (): Promise<string> => {
    const client = Client.fromConnectionString(connectionString, Mqtt);
    client.on('error', () => {});
    await client.setOptions({ ca: hub.ca });
    client.setRetryPolicy(new NoRetry());
    return client.open().then(() => client.close().then(() => 'open'), (error: Error) => error.name);
  };
  expect(await attempt()).toBe('open');
  await latchkey('faults', 'set', 'clock-offset', '--offset', '3h');
  expect(await attempt()).toBe('UnauthorizedError');
  expect(await latchkey('faults', 'set', 'clock-offset', '--offset', '-3h')).toMatchObject({ offsetMs: -10_800_000 });
  expect(await attempt()).toBe('open');
  expect(await latchkey('faults', 'clear')).toEqual({ cleared: 1 });
  expect(hub.events.filter(({ event }) => event === 'clockShifted').map(({ offsetMs }) => offsetMs)).toEqual([10_800_000, -10_800_000, 0]);
});

test('a message that comes twice is told twice, completed once, and the second one says that it is a duplicate', async () => {
  const client = Client.fromConnectionString(await makeDevice('twice'), Mqtt);
  await client.setOptions({ ca: hub.ca });
  const bodies: string[] = [];
  client.on('message', (message: Message) => {
    bodies.push(message.data.toString());
    void client.complete(message);
  });
  await client.open();
  await latchkey('faults', 'set', 'duplicate', '-d', 'twice', '--count', '1');
  // The hub gathers feedback for some seconds: one waits beside the other.
  const first = hub.latchkey(['c2d', 'send', '-d', 'twice', '--da', 'one', '--wait']);
  await until('the first message has come twice', () => bodies.length === 2 && hub.events.some((event) => event.event === 'cloudMessage' && event['deviceId'] === 'twice' && event['change'] === 'Success'));
  const second = hub.latchkey(['c2d', 'send', '-d', 'twice', '--da', 'two', '--wait']);
  expect((await Promise.all([first, second])).map(({ exitCode }) => exitCode)).toEqual([0, 0]);
  await client.close();
  expect(bodies).toEqual(['one', 'one', 'two']);
  expect(hub.events.filter((event) => event.event === 'cloudMessage' && event['deviceId'] === 'twice').map(({ change }) => change)).toEqual(['queued', 'Success', 'queued', 'Success']);
});

test('faults are listed, end by themselves, and are told in the events', async () => {
  const listed = (await latchkey('faults', 'set', 'delay', '--delay', '1s', '--duration', '1h')) as { id: string };
  expect(JSON.parse((await hub.latchkey(['faults', 'list'])).stdout)).toEqual([listed]);
  expect((await hub.latchkey(['faults', 'clear', listed.id])).exitCode).toBe(0);
  const made = (await latchkey('faults', 'set', 'delay', '--delay', '1s', '--duration', '300ms')) as { id: string };
  expect(made).toMatchObject({ kind: 'delay', delayMs: 1_000, durationMs: 300, hits: 0 });
  await until('it is over', () => hub.events.some((event) => event.event === 'faultEnded' && event['fault'] === made.id && event['reason'] === 'elapsed'));
  expect((await hub.latchkey(['faults', 'list'])).stdout).toBe('[]\n');
});

test.each<[what: string, args: readonly string[], code: number, says: string]>([
  ['an unknown kind', ['set', 'explode'], 2, 'Allowed choices are drop, delay'],
  ['no kind', ['set'], 2, "missing required argument 'kind'"],
  ['a delay without its length', ['set', 'delay'], 2, 'delay needs --delay'],
  ["another kind's option", ['set', 'drop', '--code', '3'], 1, 'and no code'],
  ['a device for what is the whole hub\'s', ['set', 'clock-offset', '--offset', '1h', '-d', 'dev1'], 1, 'and no deviceId'],
  ['a code that MQTT does not have', ['set', 'refuse', '--code', '6'], 2, 'whole number from 1 to 5'],
  ['a fault that is not set', ['clear', 'f999'], 1, 'There is no such fault'],
  ['a hub that does not run', ['list', '-n', 'other'], 3, 'there is no hub other'],
])('%s is refused and told', async (_, args, code, says) => {
  const { exitCode, stdout, stderr } = await hub.latchkey(['faults', ...args]);
  expect([exitCode, stdout, stderr]).toEqual([code, '', expect.stringContaining(says)]);
});
