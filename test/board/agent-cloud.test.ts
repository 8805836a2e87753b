import { afterEach, expect, test } from '@jest/globals';

import { answerNtp } from '../../host-sim/hub/time-servers/ntp-server.ts';
import type { BoardVariant } from '../../host-sim/board/build.ts';
import { HUB_NAME } from '../fakes/agent-board-device.ts';
import { MqttPeer } from '../fakes/agent-board-peer.ts';
import { createTestPki } from '../fakes/agent-board-pki.ts';
import { AgentBoard, buildAgent } from '../fakes/agent-board.ts';
import { CloudPeer } from '../fakes/cloud-peer.ts';
import { recordEvidence } from '../evidence.ts';

const HUB_ADDRESS = '192.0.2.1';
const NTP_ADDRESS = '192.0.2.2';
const KB = 1024;
/** Budget of docs/architecture.md for the connected agent, thermostat included. */
const HEAP_BUDGET_BYTES = 64 * KB;
/** Requests in a flood; each is answered, refused or dropped. */
const FLOOD = 200;
/** More names than any budget of names. */
const NAMES = 400;

/** Of the chip's slots; the same with a garbage collection at every allocation; with AddressSanitizer. */
const VARIANTS: readonly BoardVariant[] = ['32-bit', 'stress', 'asan'];

let board: AgentBoard;
let endedWell = 0;

afterEach(() => board.remove());

interface ThermostatBoard {
  readonly peer: MqttPeer;
  readonly cloud: CloudPeer;
}

/** The thermostat on the board, connected; its twin is `twin`. */
async function openThermostat(variant: BoardVariant, twin: string): Promise<ThermostatBoard> {
  const programs = await buildAgent(variant);
  const pki = await createTestPki();
  board = new AgentBoard({
    roots: [pki.root.certificateDer],
    keys: [new Uint8Array(32).fill(3)],
    settings: { app: 'thermostat', interval: 1000, ntp0: NTP_ADDRESS, ntp1: NTP_ADDRESS },
    delayMs: 5,
  });
  const peer = new MqttPeer(pki, board.clock);
  const cloud = new CloudPeer(peer);
  cloud.twin = twin;
  board.names.set(HUB_NAME, HUB_ADDRESS);
  board.tcp.set(`${HUB_ADDRESS}:8883`, peer.accept);
  board.udp.set(`${NTP_ADDRESS}:123`, (query) => answerNtp(query, board.clock));
  board.start(programs);
  await board.until('the target is acknowledged', () => cloud.reports.some((patch) => 'targetTemperature' in patch));
  return { peer, cloud };
}

const acknowledgements = ({ reports }: CloudPeer): unknown[] => reports.map((patch) => patch['targetTemperature']).filter((value) => value !== undefined);

test.each(VARIANTS)('on the %s board a twin of 64 KB, a method of 128 KB and a message of 64 KB each end well', async (variant) => {
  const twin = JSON.stringify({ desired: { ballast: 'b'.repeat(31 * KB), targetTemperature: 25, $version: 7 }, reported: { old: 'r'.repeat(31 * KB), $version: 9 } });
  const { peer, cloud } = await openThermostat(variant, twin);
  expect(acknowledgements(cloud)).toEqual([{ value: 25, ac: 200, av: 7, ad: 'done' }]);

  cloud.patch(8, { more: 'm'.repeat(64 * KB), targetTemperature: 19.5 });
  await board.until('the patch is acknowledged', () => acknowledgements(cloud).length === 2);
  expect(acknowledgements(cloud)[1]).toEqual({ value: 19.5, ac: 200, av: 8, ad: 'done' });

  cloud.call('getMaxMinReport', '1', `"${'x'.repeat(128 * KB - 2)}"`);
  cloud.call('getMaxMinReport', '2', '"2020-01-01T00:00:00Z"');
  await board.until('both methods are answered', () => cloud.answers.length === 2);
  expect(cloud.answers.map(({ requestId, status }) => [requestId, status])).toEqual([['1', 413], ['2', 200]]);
  expect(Object.keys(JSON.parse(cloud.answers[1]!.payload) as object)).toEqual(['maxTemp', 'minTemp', 'avgTemp', 'startTime', 'endTime']);

  cloud.message(Buffer.alloc(64 * KB, 0xff));
  cloud.message('', '&small=1');
  await board.until('both messages are acknowledged', () => peer.pubacks.length === 2);
  expect(board.events('oversize').map(({ topic }) => String(topic).split('/')[0])).toEqual(['$iothub', 'devices']);
  await board.runFor(5000);
  const { heapBytes, reservedBytes } = await board.report();
  console.info(`thermostat on the ${variant} board after it all: ${heapBytes} bytes of XS heap in use, ${reservedBytes} reserved`);
  if (variant === '32-bit') expect(heapBytes).toBeLessThanOrEqual(HEAP_BUDGET_BYTES);
  expect(peer.connections.length).toBe(1);
  expect((await board.stop()).code).toBe(0);
  endedWell += 1;
  if (endedWell === VARIANTS.length) recordEvidence('cloud-sizes', 4 * endedWell);
}, 300_000);

test.each<BoardVariant>(['32-bit', 'asan'])('on the %s board a flood of methods, malformed bytes and ever new names end neither the connection nor the program, and the heap stays', async (variant) => {
  const { peer, cloud } = await openThermostat(variant, '{"desired":{"$version":1},"reported":{"$version":1}}');
  const storm = async (round: number): Promise<void> => {
    const answered = cloud.answers.length;
    for (let i = 0; i < FLOOD; i++) cloud.call(i % 2 === 0 ? 'getMaxMinReport' : `unknown${round}-${i}`, `f${round}-${i}`, '"2020-01-01T00:00:00Z"');
    await board.runFor(2000);
    expect(cloud.answers.length).toBeGreaterThan(answered);
    for (let i = 0; i < NAMES; i++) {
      cloud.call('reboot', `n${round}-${i}`, `{"name${round}-${i}":{"inner${round}-${i}":1}}`);
      if (i % 8 === 7) await board.runFor(100);
    }
    for (const payload of ['{', '[', '"', '{"a":', 'nul', '\u0000', '{"a":1,}', '1e999999', Buffer.from([0xff, 0xfe]), '['.repeat(5000)]) {
      cloud.call('getMaxMinReport', `b${round}`, payload);
      cloud.connection.publish('$iothub/twin/PATCH/properties/desired/?$version=2', payload);
      cloud.connection.publish('$iothub/twin/res/200/?$rid=1', payload);
      cloud.message(payload);
      await board.runFor(100);
    }
    for (const topic of ['$iothub/methods/POST/', '$iothub/twin/res/abc/?$rid=1', '$iothub/twin/PATCH/properties/desired/?$version=x', 'devices/other/messages/devicebound/', `$iothub/${'x'.repeat(3000)}`, 'ü/ö']) cloud.connection.publish(topic, '{}');
    await board.runFor(30_000);
  };
  await storm(1);
  const before = (await board.report()).heapBytes;
  await storm(2);
  const after = (await board.report()).heapBytes;
  console.info(`thermostat after one storm ${before}, after two ${after} bytes of XS heap`);
  expect(after - before).toBeLessThanOrEqual(512);
  if (variant === '32-bit') expect(after).toBeLessThanOrEqual(HEAP_BUDGET_BYTES);
  expect([peer.connections.length, board.events('disconnected').length]).toEqual([1, 0]);
  expect((await board.stop()).code).toBe(0);
  if (variant === '32-bit') recordEvidence('cloud-storm', 2 * (FLOOD + NAMES));
}, 300_000);

test('a reboot that a method asks for ends the program with the code that starts it again', async () => {
  const { cloud } = await openThermostat('32-bit', '{"desired":{"$version":1},"reported":{"$version":1}}');
  cloud.call('reboot', '1', '2');
  await board.until('the board has ended', () => !board.isRunning, 60_000);
  expect(cloud.answers).toEqual([{ requestId: '1', status: 202, payload: '' }]);
  expect((await board.stop()).code).toBe(80);
});
