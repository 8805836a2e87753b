import { afterEach, expect, test } from '@jest/globals';
import { monitorEvents, type EventMonitor, type MonitoredEvent, type MonitorOptions } from '../../host-sim/service/event-monitor.ts';
import { HUB_NAME } from './local-hub.ts';
import { openLocalAmqp, type LocalAmqp } from './local-amqp.ts';

let local: LocalAmqp | undefined;
const monitors: EventMonitor[] = [];

afterEach(async () => {
  for (const monitor of monitors.splice(0)) monitor.close();
  await local?.close();
  local = undefined;
});

function emit(hub: LocalAmqp, deviceId: string, body: string): void {
  const payload = Buffer.from(body);
  hub.hub.emit({ event: 'messageReceived', connection: 1, deviceId, qos: 1, dup: false, will: false, bytes: payload.length, properties: { n: '1' }, systemProperties: { '$.ct': 'text/plain' }, payload });
}

interface Heard {
  readonly events: MonitoredEvent[];
  readonly ends: (string | undefined)[];
  until(holds: () => boolean): Promise<void>;
}

async function monitor(hub: LocalAmqp, options: Partial<MonitorOptions> = {}): Promise<Heard & { readonly monitor: EventMonitor }> {
  const events: MonitoredEvent[] = [];
  const ends: (string | undefined)[] = [];
  const opened = await monitorEvents({
    hubName: HUB_NAME,
    policy: { name: 'service', key: hub.keyOf('service') },
    place: { address: '127.0.0.1', port: hub.amqpPort, ca: hub.pki.root.certificatePem },
    onEvent: (event) => void events.push(event),
    onEnd: (error) => void ends.push(error?.code),
    ...options,
  });
  monitors.push(opened);
  const until = async (holds: () => boolean): Promise<void> => {
    const deadlineMs = Date.now() + 100_000;
    while (!holds() && Date.now() < deadlineMs) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  return { events, ends, until, monitor: opened };
}

test('the monitor follows the redirect and hears every device from now on', async () => {
  local = await openLocalAmqp();
  emit(local, 'dev0', 'before');
  const heard = await monitor(local);
  expect(heard.monitor.partitions).toEqual(['0', '1', '2', '3']);
  for (const [index, id] of ['dev1', 'dev2', 'dev3', 'dev4', 'dev5'].entries()) emit(local, id, `body ${index}`);
  await heard.until(() => heard.events.length >= 5);
  expect(heard.events.map(({ deviceId, payload }) => `${deviceId}: ${payload.toString()}`).sort()).toEqual(['dev1: body 0', 'dev2: body 1', 'dev3: body 2', 'dev4: body 3', 'dev5: body 4']);
  expect(heard.events[0]).toMatchObject({ moduleId: undefined, properties: { n: '1' }, systemProperties: { content_type: 'text/plain' }, annotations: { 'iothub-message-source': 'Telemetry' } });
});

test('the monitor starts at the moment that it is given', async () => {
  local = await openLocalAmqp();
  emit(local, 'dev1', 'before');
  const heard = await monitor(local, { fromMs: Date.now() - 60_000 });
  await heard.until(() => heard.events.length >= 1);
  expect(heard.events.map(({ payload }) => payload.toString())).toEqual(['before']);
});

test('a wrong key, a policy that may not read and a place where nobody listens are told apart', async () => {
  local = await openLocalAmqp();
  const hub = local;
  const refusal = { code: 'ERR_AMQP_REFUSED', remedy: expect.stringContaining('ServiceConnect') };
  await expect(monitor(hub, { policy: { name: 'service', key: hub.keyOf('device') } })).rejects.toMatchObject(refusal);
  await expect(monitor(hub, { policy: { name: 'device', key: hub.keyOf('device') } })).rejects.toMatchObject(refusal);
  await expect(monitor(hub, { place: { address: '127.0.0.1', port: 1, ca: hub.pki.root.certificatePem } })).rejects.toMatchObject({ code: 'ERR_AMQP_CONNECT' });
});

test('the monitor says when the hub ends', async () => {
  const hub = await openLocalAmqp();
  const heard = await monitor(hub);
  await hub.close();
  await heard.until(() => heard.ends.length > 0);
  expect(heard.ends).toHaveLength(1);
});
