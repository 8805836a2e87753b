import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Message, NoRetry } from 'azure-iot-common';
import type { Client } from 'azure-iothub';
import { Throttles } from '../../host-sim/hub/throttles/throttles.ts';
import { realClock } from '../../host-sim/time/real-clock.ts';
import { openLocalAmqp, type LocalAmqp } from './local-amqp.ts';
import { openLocalService, type LocalService } from './local-service.ts';

/** One of each, then none for longer than a test takes. */
const ONCE = { perSecond: 0.001, burst: 1 };

/** The SDK would try for minutes. */
function withoutRetry(service: Client): Client {
  service.setRetryPolicy(new NoRetry());
  return service;
}

let rest: LocalService;
let amqp: LocalAmqp;
let client: Client;

beforeAll(async () => {
  rest = await openLocalService({ throttles: new Throttles(realClock, { 'twin-read': ONCE, 'twin-update': ONCE, registry: ONCE, query: ONCE, configuration: ONCE, method: { perSecond: 1, burst: 4_096 } }) });
  amqp = await openLocalAmqp(0, { throttles: new Throttles(realClock, { 'c2d-send': ONCE }) });
  for (const { hub } of [rest, amqp]) hub.registry.add({ deviceId: 'dev1' });
  client = withoutRetry(amqp.serviceClient('service'));
});

afterAll(async () => {
  await client.close();
  await Promise.all([rest.close(), amqp.close()]);
});

test("the second request of each kind is the service SDK's ThrottlingError", async () => {
  const registry = rest.registryOf('iothubowner');
  const attempts: readonly (() => Promise<unknown>)[] = [
    () => registry.getTwin('dev1'),
    () => registry.updateTwin('dev1', { tags: { a: 1 } }, '*'),
    () => registry.get('dev1'),
    () => registry.createQuery('SELECT * FROM devices').nextAsTwin(),
    () => registry.getConfigurations(),
  ];
  for (const attempt of attempts) {
    await attempt();
    await expect(attempt()).rejects.toMatchObject({ name: 'ThrottlingError' });
  }
  expect(rest.hub.twins.read({ deviceId: 'dev1' })).toMatchObject({ tags: { a: 1 }, version: 3 });
});

test('a method counts with its payload', async () => {
  const methods = withoutRetry(rest.clientOf('service'));
  const call = { methodName: 'a', payload: 'x' };
  // Nobody is there to answer: what passed the throttle fails so.
  await expect(methods.invokeDeviceMethod('dev1', call)).rejects.toMatchObject({ responseBody: expect.stringContaining('404103') });
  await expect(methods.invokeDeviceMethod('dev1', call)).rejects.toMatchObject({ name: 'ThrottlingError' });
});

test('the second cloud-to-device message is refused over AMQP and not queued', async () => {
  await client.open();
  await client.send('dev1', new Message('first'));
  await expect(client.send('dev1', new Message('second'))).rejects.toMatchObject({ name: 'ThrottlingError' });
  expect(amqp.hub.messages.count({ deviceId: 'dev1' })).toBe(1);
});
