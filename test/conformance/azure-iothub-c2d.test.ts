import { afterAll, expect, test } from '@jest/globals';
import { Message } from 'azure-iot-common';
import { Client as DeviceClient } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import type { Client } from 'azure-iothub';
import { encodeKey } from '../../host-sim/hub/access/symmetric-key.ts';
import type { FeedbackRecord } from '../../host-sim/hub/messages/message-queues.ts';
import { recordEvidence } from '../evidence.ts';
import { HUB_NAME } from './local-hub.ts';
import { amqpHubPerTest } from './amqp-hub-per-test.ts';
import type { LocalAmqp } from './local-amqp.ts';

const dev1 = { deviceId: 'dev1' };
let passed = 0;
const { open: openHub, clientOf } = amqpHubPerTest<Client>((hub, policy, key) => hub.serviceClient(policy, key));

async function open(): Promise<LocalAmqp> {
  const hub = await openHub();
  hub.hub.registry.add(dev1);
  return hub;
}

afterAll(() => recordEvidence('azure-iothub-c2d', passed));

function message(body: string | Buffer, fields: Partial<Message> = {}): Message {
  return Object.assign(new Message(body), fields);
}

interface FeedbackReceiver {
  on(event: 'message', listener: (message: Message) => void): void;
  once(event: 'message', listener: (message: Message) => void): void;
  on(event: 'errorReceived' | 'error', listener: (error: Error) => void): void;
  complete(message: Message): Promise<unknown>;
}

function feedbackReceiverOf(client: Client): Promise<FeedbackReceiver> {
  return new Promise((resolve, reject) => client.getFeedbackReceiver((error, receiver) => (error ? reject(error) : resolve(receiver as unknown as FeedbackReceiver))));
}

const nextOf = (receiver: FeedbackReceiver): Promise<Message> => new Promise((resolve) => receiver.once('message', resolve));

const recordsOf = (batch: Message): FeedbackRecord[] => JSON.parse(batch.getData().toString()) as FeedbackRecord[];

/** The name of the SDK's error, which it chooses by the AMQP condition; one that it wraps tells of its cause. */
const errorOf = (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(() => 'none', (error: Error & { readonly amqpError?: Error }) => (error.name === 'Error' ? (error.amqpError?.name ?? 'Error') : error.name));

/** A test that counts as evidence when its last expectation held. */
function conforms(name: string, run: () => Promise<void>): void {
  test(name, async () => {
    await run();
    passed += 1;
  });
}

conforms('the service SDK sends a message with every field, and it waits for the device', async () => {
  const hub = await open();
  const client = clientOf(hub);
  const sent = message(Buffer.from([0, 255, 1]), { messageId: 'm-1', correlationId: 'c-1', contentType: 'application/json', contentEncoding: 'utf-8', ack: 'positive' });
  const expiryMs = Date.now() + 600_000;
  sent.expiryTimeUtc = expiryMs;
  sent.properties.add('level', 'high');
  await client.send('dev1', sent);
  const queued = hub.hub.messages.lock(dev1);
  expect(queued).toMatchObject({ messageId: 'm-1', correlationId: 'c-1', contentType: 'application/json', contentEncoding: 'utf-8', ack: 'positive', payload: Buffer.from([0, 255, 1]), sequenceNumber: 1 });
  expect(Object.entries(queued?.properties ?? {})).toEqual([['level', 'high']]);
  expect(queued?.expiryMs).toBe(expiryMs);
});

conforms('a UUID as message id arrives as text, and a device id with every odd character is found', async () => {
  const hub = await open();
  const odd = { deviceId: "a-:.+%_#*?!(),=@$'" };
  hub.hub.registry.add(odd);
  const uuid = '6c6d9d0c-1b1d-4a6e-9a53-5c5b4b3f2a10';
  await clientOf(hub).send(odd.deviceId, message('', { messageId: uuid }));
  expect(hub.hub.messages.lock(odd)).toMatchObject({ messageId: uuid, payload: Buffer.alloc(0) });
});

conforms('each refusal is the error of the SDK that IoT Hub causes there', async () => {
  const hub = await open();
  const client = clientOf(hub);
  expect(await errorOf(client.send('nobody', message('x')))).toBe('DeviceNotFoundError');
  expect(await errorOf(client.send('dev1', message(Buffer.alloc(65_537))))).toBe('MessageTooLargeError');
  expect(await errorOf(client.send('dev1', message('x', { ack: 'sometimes' as 'full' })))).toBe('ArgumentError');
  for (let n = 0; n < 50; n++) await client.send('dev1', message(`${n}`));
  expect(await errorOf(client.send('dev1', message('one more')))).toBe('DeviceMaximumQueueDepthExceededError');
  expect(hub.hub.messages.count(dev1)).toBe(50);
});

conforms('feedback of every kind reaches the receiver once', async () => {
  const hub = await open();
  const client = clientOf(hub);
  const receiver = await feedbackReceiverOf(client);
  const { messages } = hub.hub;
  const send = (messageId: string, fields: Partial<Message> = {}): Promise<unknown> => client.send('dev1', message('x', { messageId, ack: 'full', ...fields }));
  const seen: [string, string, string][] = [];
  const first = nextOf(receiver);
  await send('completed');
  messages.complete(dev1, messages.lock(dev1)!.lockToken);
  const batch = await first;
  expect(batch.contentType).toBe('application/vnd.microsoft.iothub.feedback.json');
  expect(recordsOf(batch)).toEqual([expect.objectContaining({ originalMessageId: 'completed', deviceId: 'dev1', statusCode: 'Success', description: 'Success' })]);
  await receiver.complete(batch);
  receiver.on('message', (next) => {
    for (const { originalMessageId, statusCode, description } of recordsOf(next)) seen.push([originalMessageId, statusCode, description]);
    void receiver.complete(next);
  });
  await send('rejected');
  messages.reject(dev1, messages.lock(dev1)!.lockToken);
  await send('expired', { expiryTimeUtc: Date.now() - 1_000 });
  await send('abandoned');
  for (let n = 0; n < 10; n++) messages.abandon(dev1, messages.lock(dev1)!.lockToken);
  await send('purged');
  messages.purge(dev1);
  await send('silent', { ack: 'none' });
  messages.purge(dev1);
  await waitUntil(() => seen.length === 4 && hub.feedback.size === 0);
  expect(seen).toEqual([
    ['rejected', 'Rejected', 'Rejected'],
    ['expired', 'Expired', 'Expired'],
    ['abandoned', 'DeliveryCountExceeded', 'DeliveryCountExceeded'],
    ['purged', 'Purged', 'Purged'],
  ]);
});

conforms('a message goes from service SDK to device SDK and its feedback all the way back', async () => {
  const hub = await open();
  const key = encodeKey(hub.hub.registry.find(dev1)!.keys.primary);
  const device = DeviceClient.fromConnectionString(`HostName=${HUB_NAME};DeviceId=dev1;SharedAccessKey=${key};GatewayHostName=localhost:${hub.port}`, Mqtt);
  await device.setOptions({ ca: hub.pki.root.certificatePem });
  const client = clientOf(hub);
  const receiver = await feedbackReceiverOf(client);
  const fed = nextOf(receiver);
  const atDevice = new Promise<Message>((resolve) => device.on('message', (each: Message) => void device.complete(each).then(() => resolve(each))));
  await device.open();
  try {
    const sent = message(Buffer.from([1, 2, 255]), { messageId: 'm-1', correlationId: 'c-1', ack: 'full' });
    sent.properties.add('töne', 'à la carte');
    await client.send('dev1', sent);
    const got = await atDevice;
    expect([got.messageId, got.correlationId, got.getData(), got.properties.getValue('töne')]).toEqual(['m-1', 'c-1', Buffer.from([1, 2, 255]), 'à la carte']);
    expect(recordsOf(await fed)).toEqual([expect.objectContaining({ originalMessageId: 'm-1', statusCode: 'Success' })]);
  } finally {
    await device.close();
  }
});

conforms('nothing comes on the link for file uploads, and it stays open', async () => {
  const hub = await open();
  const client = clientOf(hub);
  await new Promise<void>((resolve, reject) => client.getFileNotificationReceiver((error) => (error ? reject(error) : resolve())));
  await client.send('dev1', message('x'));
  expect(hub.amqpEvents().flatMap((event) => (event.event === 'amqpLinkOpened' ? [event.address] : []))).toEqual(['$cbs', '$cbs', '/messages/serviceBound/filenotifications', '/messages/devicebound']);
});

conforms('only a policy with ServiceConnect opens the endpoints, and the refusal is in the events alone', async () => {
  const hub = await open();
  const wrongKey = hub.keyOf('device');
  const refusals: string[] = [];
  for (const [policy, key] of [['service', wrongKey], ['device', undefined], ['registryReadWrite', undefined], ['nobody', wrongKey]] as const) {
    refusals.push(await errorOf(clientOf(hub, policy, key).open()));
  }
  expect(refusals).toEqual(Array<string>(4).fill('UnauthorizedError'));
  expect(hub.amqpEvents().flatMap((event) => (event.event === 'amqpRefused' ? [event.reason] : []))).toEqual(['signature-wrong', 'permission-missing', 'permission-missing', 'policy-unknown']);
  const secondary = encodeKey(hub.hub.registry.findPolicy('iothubowner')!.keys.secondary);
  expect(await errorOf(clientOf(hub, 'iothubowner', secondary).send('dev1', message('x')))).toBe('none');
});

async function waitUntil(holds: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + 100_000;
  while (!holds() && Date.now() < deadlineMs) await new Promise((resolve) => setTimeout(resolve, 10));
}
