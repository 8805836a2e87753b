import { afterAll, expect, test } from '@jest/globals';
import type { EventHubConsumerClient, EventPosition, ReceivedEventData } from '@azure/event-hubs';
import type { HubEventBody } from '../../host-sim/hub/events.ts';
import { recordEvidence } from '../evidence.ts';
import { amqpHubPerTest } from './amqp-hub-per-test.ts';
import { earliestEventPosition, type LocalAmqp } from './local-amqp.ts';

let passed = 0;
const { open, clientOf } = amqpHubPerTest<EventHubConsumerClient>((hub, policy, key) => hub.eventsClient(policy, key));

afterAll(() => recordEvidence('event-hubs-client', passed));

type Telemetry = Extract<HubEventBody, { event: 'messageReceived' }>;

/** What the hub tells of a message that a device sent. */
function telemetry(body: string, fields: Partial<Telemetry> = {}): HubEventBody {
  const payload = Buffer.from(body);
  return { event: 'messageReceived', connection: 1, deviceId: 'dev1', qos: 1, dup: false, will: false, bytes: payload.length, properties: {}, systemProperties: {}, payload, ...fields };
}

/** Reads from a position on until so many events came. */
function read(client: EventHubConsumerClient, startPosition: EventPosition, count: number): Promise<ReceivedEventData[]> {
  return new Promise((resolve, reject) => {
    const seen: ReceivedEventData[] = [];
    const subscription = client.subscribe(
      {
        processEvents: async (events) => {
          seen.push(...events);
          if (seen.length >= count) void subscription.close().then(() => resolve(seen), reject);
        },
        processError: async (error) => reject(error),
      },
      { startPosition, maxWaitTimeInSeconds: 1, maxBatchSize: 500 },
    );
  });
}

/** A test that counts as evidence when its last expectation held. */
function conforms(name: string, run: () => Promise<void>): void {
  test(name, async () => {
    await run();
    passed += 1;
  });
}

conforms('the Event Hubs client reads telemetry with its properties and the annotations of IoT Hub', async () => {
  const hub = await open();
  const { generationId } = hub.hub.registry.add({ deviceId: 'dev1' });
  hub.hub.emit({ event: 'connected', connection: 1, deviceId: 'dev1', token: '', expirySeconds: 0, key: 'primary', sessionPresent: false, modelId: 'dtmi:com:example:Thermostat;1' });
  hub.hub.emit(telemetry('{"t":21}', { properties: { alert: 'no' }, systemProperties: { '$.mid': 'm-1', '$.cid': 'c-1', '$.ct': 'application/json', '$.ce': 'utf-8', '$.sub': 'thermostat1' } }));
  hub.hub.emit(telemetry('x', { connection: 2, deviceId: 'dev2', moduleId: 'mod' }));
  const events = await read(clientOf(hub), earliestEventPosition, 2);
  const [first, second] = ['dev1', 'dev2'].map((id) => events.find((event) => event.systemProperties?.['iothub-connection-device-id'] === id));
  expect(first).toMatchObject({
    body: { t: 21 }, properties: { alert: 'no' }, sequenceNumber: 0, offset: '0', partitionKey: 'dev1', messageId: 'm-1', correlationId: 'c-1', contentType: 'application/json',
    systemProperties: {
      'iothub-connection-auth-method': '{"scope":"device","type":"sas","issuer":"iothub","acceptingIpFilterRule":null}',
      'iothub-connection-auth-generation-id': generationId, 'dt-dataschema': 'dtmi:com:example:Thermostat;1',
      'iothub-message-source': 'Telemetry', 'dt-subject': 'thermostat1', contentEncoding: 'utf-8', to: '/devices/dev1/messages/events',
    },
  });
  expect(first?.enqueuedTimeUtc.getTime()).toBe(first?.systemProperties?.['iothub-enqueuedtime']);
  expect(Math.abs(Date.now() - (first?.enqueuedTimeUtc.getTime() ?? 0))).toBeLessThan(60_000);
  expect(second?.systemProperties).toMatchObject({ 'iothub-connection-module-id': 'mod', 'iothub-connection-auth-method': expect.stringContaining('"module"') });
  expect(second?.systemProperties).not.toHaveProperty('dt-dataschema');
});

conforms('a reader starts at the offset, number or time that it names, before or behind what is there', async () => {
  const hub = await open();
  for (const body of ['0', '1', '2', '3']) hub.hub.emit(telemetry(body));
  const client = clientOf(hub);
  const bodies = async (position: EventPosition, count: number): Promise<unknown[]> => (await read(client, position, count)).map(({ body }) => body as unknown);
  expect(await bodies({ sequenceNumber: 1 }, 2)).toEqual([2, 3]);
  expect(await bodies({ sequenceNumber: 1, isInclusive: true }, 3)).toEqual([1, 2, 3]);
  expect(await bodies({ offset: '2' }, 2)).toEqual([2, 3]);
  expect(await bodies({ enqueuedOn: Date.now() - 60_000 }, 4)).toEqual([0, 1, 2, 3]);
  const latest = read(client, { offset: '@latest' }, 1);
  await linkOpened(hub, 5 * 4);
  hub.hub.emit(telemetry('4'));
  expect((await latest).map(({ body }) => body as unknown)).toEqual([4]);
});

conforms('the client is told of partitions and of what lies in them', async () => {
  const hub = await open();
  const client = clientOf(hub);
  expect(await client.getEventHubProperties()).toMatchObject({ name: 'iothub-ehub-conformance-hub', partitionIds: ['0', '1', '2', '3'] });
  hub.hub.emit(telemetry('a'));
  hub.hub.emit(telemetry('b'));
  const states = await Promise.all(['0', '1', '2', '3'].map((id) => client.getPartitionProperties(id)));
  expect(states.filter(({ isEmpty }) => isEmpty)).toHaveLength(3);
  expect(states.find(({ isEmpty }) => !isEmpty)).toMatchObject({ beginningSequenceNumber: 0, lastEnqueuedSequenceNumber: 1, lastEnqueuedOffset: '2', eventHubName: 'iothub-ehub-conformance-hub' });
  await expect(client.getPartitionProperties('4')).rejects.toMatchObject({ code: 'ArgumentOutOfRangeError' });
});

conforms('a thousand events arrive once each, in order', async () => {
  const hub = await open();
  for (let n = 0; n < 1_000; n++) hub.hub.emit(telemetry(String(n)));
  const events = await read(clientOf(hub), earliestEventPosition, 1_000);
  expect(events.map(({ body }) => body as unknown)).toEqual(Array.from({ length: 1_000 }, (_, n) => n));
});

conforms('a reader with an owner level gives way to a higher one, and one without may not read beside it', async () => {
  const hub = await open();
  hub.hub.emit(telemetry('x'));
  const partition = (await Promise.all(['0', '1', '2', '3'].map((id) => clientOf(hub).getPartitionProperties(id)))).find(({ isEmpty }) => !isEmpty)?.partitionId ?? '';
  const watch = (ownerLevel: number | undefined): { seen: Promise<unknown>; failed: Promise<string | undefined> } => {
    let see: (body: unknown) => void = () => {};
    let fail: (code: string | undefined) => void = () => {};
    const seen = new Promise<unknown>((resolve) => void (see = resolve));
    const failed = new Promise<string | undefined>((resolve) => void (fail = resolve));
    const handlers = {
      processEvents: async (events: ReceivedEventData[]) => void (events.length > 0 && see(String(events[0]?.body))),
      processError: async (error: Error & { code?: string }) => fail(error.code),
    };
    clientOf(hub).subscribe(partition, handlers, { startPosition: earliestEventPosition, maxWaitTimeInSeconds: 1, ...(ownerLevel === undefined ? {} : { ownerLevel }) });
    return { seen, failed };
  };
  const first = watch(1);
  expect(await first.seen).toBe('x');
  const second = watch(2);
  expect(await first.failed).toBe('ReceiverDisconnectedError');
  expect(await second.seen).toBe('x');
  expect(await watch(undefined).failed).toBe('ReceiverDisconnectedError');
});

conforms('a policy without ServiceConnect reads nothing', async () => {
  const hub = await open();
  hub.hub.emit(telemetry('secret'));
  await expect(clientOf(hub, 'device').getEventHubProperties()).rejects.toMatchObject({ code: 'UnauthorizedError' });
  expect(hub.amqpEvents().flatMap((event) => (event.event === 'amqpRefused' ? [event.reason] : []))).toEqual(['permission-missing']);
  const wrongKey = hub.keyOf('device');
  await expect(clientOf(hub, 'service', wrongKey).getEventHubProperties()).rejects.toMatchObject({ code: 'UnauthorizedError' });
});

/** Waits until so many links to partitions were opened. */
async function linkOpened(hub: LocalAmqp, count: number): Promise<void> {
  const deadlineMs = Date.now() + 100_000;
  const opened = (): number => hub.amqpEvents().filter((event) => event.event === 'amqpLinkOpened' && event.address.includes('/Partitions/')).length;
  while (opened() < count && Date.now() < deadlineMs) await new Promise((resolve) => setTimeout(resolve, 20));
}
