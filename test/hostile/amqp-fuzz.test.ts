import { afterAll, expect, jest, test } from '@jest/globals';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { seededRandom, type Random } from '../../host-sim/time/seeded-random.ts';
import { recordEvidence } from '../evidence.ts';
import { closeBenches, HUB_NAME, openAmqpBench, turns } from './amqp/amqp-bench.ts';
import { AMQP, attachReceiver, attachSender, begin, close, described, detach, disposition, end, flow, list, map, message, NULL, open, putToken, SASL, saslInit, string, transfer } from './amqp/frame-bytes.ts';

const CASES = 2_000;
const SEED = 5_671;

/** What may stand in the place of a frame's bytes. */
const NASTY: readonly Buffer[] = [
  Buffer.from([0xf0, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0x40]), Buffer.from([0xd0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Buffer.from([0xd1, 0, 0, 0, 4, 0, 0, 0x10, 0]),
  Buffer.alloc(40), Buffer.alloc(40, 0xff), Buffer.from([0x70, 0xff, 0xff, 0xff, 0xff]), Buffer.from([0x00, 0x53, 0x77]), Buffer.from([0x83, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
  Buffer.from('__proto__'), Buffer.from([0xa1, 0xff]), list([]), map([]), NULL,
];

/** Everything that a client of the hub says, frame by frame. */
function conversation(token: string): Buffer[] {
  const management = message('', Buffer.from('[]'), { messageId: 'q', replyTo: 'client', application: { operation: 'READ', name: 'iothub-ehub-hostile-hub', type: 'com.microsoft:eventhub' } });
  return [
    SASL, saslInit('ANONYMOUS'), AMQP, open(), begin(), attachSender(0, '$cbs'), attachReceiver(1, '$cbs'), flow(1, 100), transfer({ handle: 0, id: 0 }, putToken(HUB_NAME, token)),
    attachSender(2, '/messages/devicebound'), transfer({ handle: 2, id: 1, more: true }, message('/devices/dev1/messages/devicebound', Buffer.from('hello')).subarray(0, 20)),
    transfer({ handle: 2 }, message('/devices/dev1/messages/devicebound', Buffer.from('hello')).subarray(20)),
    attachReceiver(3, '/messages/serviceBound/feedback'), flow(3, 10), attachSender(4, 'iothub-ehub-hostile-hub/$management'), attachReceiver(5, 'iothub-ehub-hostile-hub/$management'), flow(5, 5),
    transfer({ handle: 4, id: 2 }, management), attachReceiver(6, 'iothub-ehub-hostile-hub/ConsumerGroups/$Default/Partitions/0'), flow(6, 20), detach(6), attachReceiver(7, '/messages/events'),
    begin(1), attachSender(0, '/messages/devicebound', 'second', 1), end(1), close(),
  ];
}

/** Frames that belong nowhere in it. */
const STRAYS: readonly Buffer[] = [disposition(0, 0), disposition(0, 3), disposition(1, 0xffffffff), flow(3, 0xffffffff), open(), begin(), end(), close(), SASL, AMQP];

function mutate(frames: readonly Buffer[], random: Random): Buffer[] {
  const out: Buffer[] = frames.map((each) => Buffer.from(each));
  const pick = (count: number): number => Math.floor(random() * count);
  const edits = 1 + pick(4);
  for (let edit = 0; edit < edits; edit++) {
    const index = pick(out.length);
    const victim = out[index] ?? Buffer.alloc(0);
    const at = pick(Math.max(1, victim.length));
    switch (pick(8)) {
      case 0:
        victim[at] = (victim[at] ?? 0) ^ (1 << pick(8));
        break;
      case 1:
        victim[at] = [0, 1, 0x40, 0x7f, 0x80, 0xc0, 0xd0, 0xf0, 0xff][pick(9)] ?? 0;
        break;
      case 2:
        out[index] = resized(Buffer.concat([victim.subarray(0, at), NASTY[pick(NASTY.length)] ?? NULL, victim.subarray(at)]), pick(3) > 0);
        break;
      case 3:
        out[index] = resized(victim.subarray(0, at), pick(3) > 0);
        break;
      case 4:
        out.splice(index, 0, Buffer.from((pick(2) === 0 ? STRAYS[pick(STRAYS.length)] : out[pick(out.length)]) ?? NULL));
        break;
      case 5:
        out.splice(index, 1);
        break;
      case 6:
        out.splice(index, 0, ...out.splice(pick(out.length), 1));
        break;
      default:
        out[index] = resized(Buffer.concat([victim.subarray(0, 8), described(0x10 + pick(9), list([string('x'), NULL, NULL]))]), true);
    }
  }
  return out;
}

/** With the size field put right, so that what is behind it is reached. */
function resized(frame: Buffer, isRight: boolean): Buffer {
  const copy = Buffer.from(frame);
  if (isRight && copy.length >= 8 && copy.toString('latin1', 0, 4) !== 'AMQP') copy.writeUInt32BE(copy.length, 0);
  return copy;
}

setFlagsFromString('--expose_gc');
const collect = runInNewContext('gc') as () => void;

test('thousands of conversations gone wrong break nothing, leave nothing and say nothing on the console', async () => {
  const noise = ['log', 'warn', 'error', 'trace'].map((name) => jest.spyOn(console, name as 'error').mockImplementation(() => {}));
  const bench = openAmqpBench({ connections: 10 });
  const token = bench.token('service', 86_400);
  const good = conversation(token);
  const random = seededRandom(SEED);
  let reached = 0;
  let heapBytes = 0;
  for (let number = 0; number < CASES; number++) {
    const said = Buffer.concat(mutate(good, random));
    const peer = bench.connect();
    const chunk = 1 + Math.floor(random() * 600);
    for (let at = 0; at < said.length && !peer.stream.destroyed; at += chunk) peer.stream.push(said.subarray(at, at + chunk));
    await turns(3);
    peer.stream.destroy();
    await turns(1);
    reached += bench.messages.purge({ deviceId: 'dev1' }) > 0 ? 1 : 0;
    bench.seen.length = 0;
    if (number === 500 || number === CASES - 1) {
      collect();
      const { heapUsed } = process.memoryUsage();
      if (number === 500) heapBytes = heapUsed;
      else expect(heapUsed - heapBytes).toBeLessThan(8 * 1024 * 1024);
    }
    if (number % 500 === 0) expect([number, bench.service.connectionCount]).toEqual([number, 0]);
  }
  // Deep enough: many go wrong only behind the token and the message.
  expect(reached).toBeGreaterThan(CASES / 10);
  const peer = bench.connect();
  await peer.say(...good.slice(0, -1));
  expect([peer.isEnded, bench.messages.count({ deviceId: 'dev1' })]).toEqual([false, 1]);
  expect(noise.map((spy) => spy.mock.calls)).toEqual([[], [], [], []]);
  bench.service.close();
  recordEvidence('amqp-hostile-conversations', CASES);
});

afterAll(async () => {
  jest.restoreAllMocks();
  await closeBenches();
});
