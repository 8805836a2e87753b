import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installPackages } from '../../host-sim/debian-packages.mjs';
import { eventHubName } from '../../host-sim/hub/amqp/node-directory.ts';
import { createServiceToken } from '../../host-sim/service/service-token.ts';
import { recordEvidence } from '../evidence.ts';
import { openLocalAmqp, type LocalAmqp } from './local-amqp.ts';
import { HUB_NAME } from './local-hub.ts';
import { run } from './program.ts';

/** Debian's own Python: another one does not see Debian's modules. */
const PYTHON = '/usr/bin/python3';
const SCRIPT = new URL('./proton-service.py', import.meta.url).pathname;
const dev1 = { deviceId: 'dev1' };
const EVENTS = eventHubName(HUB_NAME);

/** What the script saw. */
interface Seen {
  readonly outcomes: readonly string[];
  readonly messages: readonly { readonly body: string; readonly contentType: string; readonly userId: string; readonly deliveryCount: number; readonly id: unknown; readonly annotations: Readonly<Record<string, unknown>>; readonly properties: Readonly<Record<string, unknown>> }[];
  readonly claims: readonly (readonly [string, number])[];
  readonly errors: readonly (readonly [where: string, condition: string | null, info: Readonly<Record<string, unknown>>])[];
}

let local: LocalAmqp;
let folder = '';
let passed = 0;

beforeAll(() => {
  if (spawnSync(PYTHON, ['-c', 'import proton']).status !== 0) installPackages(['python3', 'python3-qpid-proton']);
  folder = mkdtempSync(join(tmpdir(), 'latchkey-proton-'));
});

afterEach(async () => {
  await local.close();
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  recordEvidence('proton-amqp', passed);
});

async function openHub(): Promise<LocalAmqp> {
  local = await openLocalAmqp();
  local.hub.registry.add(dev1);
  writeFileSync(join(folder, 'root.pem'), local.pki.root.certificatePem);
  return local;
}

const token = (hub: LocalAmqp, policy: string, resource = HUB_NAME, dialect: 'iot-hub' | 'event-hubs' = 'iot-hub'): string =>
  createServiceToken({ resource, policy: { name: policy, key: hub.keyOf(policy) }, expirySeconds: Math.ceil(Date.now() / 1_000) + 600, dialect });

async function proton(hub: LocalAmqp, task: object): Promise<Seen> {
  const login = { do: 'plain', user: 'service@sas.root.conformance-hub', password: token(hub, 'service') };
  const input = JSON.stringify({ ...login, url: `amqps://127.0.0.1:${hub.amqpPort}`, hostname: HUB_NAME, ca: join(folder, 'root.pem'), ...task });
  const { code, stdout, stderr } = await run(PYTHON, [SCRIPT], { input });
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Seen;
}

const TO = '/devices/dev1/messages/devicebound';
const NOTHING = { outcomes: [], messages: [], claims: [], errors: [] };

/** A test that counts as evidence when its last expectation held. */
function conforms(name: string, run: () => Promise<void>): void {
  test(name, async () => {
    await run();
    passed += 1;
  });
}

conforms('Proton sends with SASL PLAIN, and each settlement names its condition', async () => {
  const hub = await openHub();
  const send = [{ to: TO, body: 'hello', id: 'm1', ack: 'full' }, { to: '/devices/nobody/messages/devicebound', body: 'x' }, { to: '/elsewhere', body: 'x' }, { to: TO, body: 'x'.repeat(65_600) }, { to: TO, body: 'y'.repeat(60_000) }];
  const seen = await proton(hub, { send });
  expect(seen).toEqual({ ...NOTHING, outcomes: ['accepted', 'rejected amqp:not-found', 'rejected com.microsoft:argument-error', 'rejected amqp:link:message-size-exceeded', 'accepted'] });
  expect(hub.hub.messages.lock(dev1)).toMatchObject({ messageId: 'm1', ack: 'full', payload: Buffer.from('hello') });
  expect(hub.hub.messages.lock(dev1)?.payload.length).toBe(60_000);
});

conforms('Proton shows its tokens as claims, and a wrong one does not end the connection', async () => {
  const hub = await openHub();
  const claims = [[HUB_NAME, 'SharedAccessSignature sr=x&sig=y&se=1&skn=service'], [HUB_NAME, token(hub, 'service')]];
  const seen = await proton(hub, { do: 'anonymous', claims, send: [{ to: TO, body: 'hello' }] });
  expect(seen).toEqual({ ...NOTHING, claims: [['claim', 401], ['claim', 200]], outcomes: ['accepted'] });
});

conforms('feedback that Proton releases or modifies comes again, what it rejects does not, and what is unsettled waits', async () => {
  const hub = await openHub();
  const { messages } = hub.hub;
  messages.enqueue(dev1, { messageId: 'm1', ack: 'full', properties: {}, payload: Buffer.alloc(0) });
  messages.purge(dev1);
  expect((await proton(hub, { receive: ['/messages/servicebound/feedback', 1], outcomes: ['leave'] })).messages).toHaveLength(1);
  const seen = await proton(hub, { receive: ['/messages/servicebound/feedback', 3], outcomes: ['release', 'modify', 'reject'] });
  expect(seen.errors).toEqual([]);
  expect(seen.messages.map(({ deliveryCount }) => deliveryCount)).toEqual([0, 1, 2]);
  for (const { body, contentType, userId } of seen.messages) {
    expect([contentType, userId]).toEqual(['application/vnd.microsoft.iothub.feedback.json', HUB_NAME]);
    expect(JSON.parse(body)).toEqual([expect.objectContaining({ originalMessageId: 'm1', statusCode: 'Purged', deviceId: 'dev1', deviceGenerationId: hub.hub.registry.find(dev1)?.generationId })]);
  }
  expect(hub.feedback.size).toBe(0);
});

conforms('the address of the hub itself redirects to the Event Hubs-compatible one', async () => {
  const hub = await openHub();
  const seen = await proton(hub, { receive: [`amqps://${HUB_NAME}/messages/events/$management`, 1] });
  const info = { hostname: HUB_NAME, 'network-host': HUB_NAME, port: hub.amqpPort, address: `amqps://${HUB_NAME}:${hub.amqpPort}/${EVENTS}/$management` };
  expect(seen).toEqual({ ...NOTHING, errors: [['link', 'amqp:link:redirect', info]] });
});

conforms('Proton reads events from a position, with the types that Event Hubs gives them', async () => {
  const hub = await openHub();
  for (const body of ['a', 'b', 'c']) {
    const payload = Buffer.from(body);
    hub.hub.emit({ event: 'messageReceived', connection: 1, deviceId: 'dev1', qos: 1, dup: false, will: false, bytes: 1, properties: { p: 'v' }, systemProperties: { '$.mid': body }, payload });
  }
  const partitions = await Promise.all(['0', '1', '2', '3'].map((id) => hub.eventsClient('service').getPartitionProperties(id)));
  const partition = partitions.find(({ isEmpty }) => !isEmpty)?.partitionId;
  const audience = `sb://${HUB_NAME}/${EVENTS}`;
  const seen = await proton(hub, {
    do: 'anonymous', claims: [[audience, token(hub, 'service', audience, 'event-hubs')]], selector: "amqp.annotation.x-opt-sequence-number > '0'", receive: [`${EVENTS}/ConsumerGroups/$Default/Partitions/${partition}`, 2],
  });
  expect(seen.errors).toEqual([]);
  expect(seen.messages.map(({ body, id, properties }) => [body, id, properties])).toEqual([['b', 'b', { p: 'v' }], ['c', 'c', { p: 'v' }]]);
  expect(seen.messages[0]?.annotations).toMatchObject({ 'x-opt-sequence-number': 1, 'x-opt-offset': '2', 'x-opt-partition-key': 'dev1', 'iothub-connection-device-id': 'dev1', 'iothub-message-source': 'Telemetry' });
});

conforms('a wrong password, a wrong user and a missing right are refused', async () => {
  const hub = await openHub();
  const [password, user, right] = await Promise.all([
    proton(hub, { password: token(hub, 'device'), send: [{ to: TO, body: 'x' }] }),
    proton(hub, { user: 'dev1@sas.conformance-hub', send: [{ to: TO, body: 'x' }] }),
    proton(hub, { do: 'anonymous', receive: ['/messages/servicebound/feedback', 1] }),
  ]);
  expect(password.errors.map(([where, condition]) => [where, condition])).toEqual([['transport', 'amqp:unauthorized-access']]);
  expect(user.errors.map(([where, condition]) => [where, condition])).toEqual([['transport', 'amqp:unauthorized-access']]);
  expect(right.errors.map(([where, condition]) => [where, condition])).toEqual([['link', 'amqp:unauthorized-access']]);
  expect(hub.hub.messages.count(dev1)).toBe(0);
});
