import { afterAll, afterEach, expect, test } from '@jest/globals';
import { recordEvidence } from '../evidence.ts';
import { closeBenches, openAmqpBench, type AmqpBench, type Peer, turns } from './amqp/amqp-bench.ts';
import {
  AMQP, array, attachReceiver, attachSender, begin, binary, bytes, close, described, detach, disposition, end, flow, frame, header, list, map, message, NULL, open, putToken, SASL, saslInit,
  string, transfer, TRUE, ubyte, uint, ushort,
} from './amqp/frame-bytes.ts';

const C2D = '/messages/devicebound';
const HUB = 'hostile-hub.azure-devices.net';
let passed = 0;

afterEach(closeBenches);

afterAll(() => recordEvidence('amqp-hostile-frames', passed));

/** A client that has shown a token and attached to `/messages/devicebound` (handle 2) and its feedback (handle 3). */
async function authorized(bench: AmqpBench): Promise<Peer> {
  const peer = bench.connect();
  await peer.say(AMQP, open(), begin(), attachSender(0, '$cbs'), attachReceiver(1, '$cbs'), flow(1, 100));
  await peer.say(transfer({ handle: 0, id: 0 }, putToken(HUB, bench.token())));
  await peer.say(attachSender(2, C2D), attachReceiver(3, '/messages/serviceBound/feedback'), flow(3, 10));
  return peer;
}

const payload = message('/devices/dev1/messages/devicebound', Buffer.from('hi'));
const zeros = (count: number): Buffer => Buffer.alloc(count);

/** Before anything else was said: what the client says, and the condition of the hub's answer (none: it ends without one). */
const FIRST: readonly (readonly [name: string, said: readonly Buffer[], condition: string | undefined])[] = [
  ['another protocol', [Buffer.from('GET / HTTP/1.1\r\n\r\n')], undefined],
  ['AMQP 0-9-1', [bytes(Buffer.from('AMQP'), 0, 0, 9, 1)], undefined],
  ['an unknown protocol id', [header(2)], undefined],
  ['SASL twice', [SASL, SASL], undefined],
  ['a SASL frame above its limit', [SASL, frame(zeros(5_000), { type: 1 })], undefined],
  ['an AMQP frame in SASL', [SASL, open()], undefined],
  ['a SASL frame that is none', [SASL, frame(described(0x44, list([ubyte(0)])), { type: 1 })], undefined],
  ['an unknown mechanism', [SASL, saslInit('EXTERNAL')], undefined],
  ['PLAIN without a password', [SASL, saslInit('PLAIN', binary(Buffer.from('\0user')))], undefined],
  ['PLAIN with too many parts', [SASL, saslInit('PLAIN', binary(Buffer.from('a\0b\0c\0d')))], undefined],
  ['PLAIN of a device', [SASL, saslInit('PLAIN', binary(Buffer.from('\0dev1@sas.hostile-hub\0token')))], undefined],
  ['PLAIN with a bad token', [SASL, saslInit('PLAIN', binary(Buffer.from('\0service@sas.root.hostile-hub\0SharedAccessSignature sr=x&sig=y&se=1&skn=service')))], undefined],
  ['a frame shorter than its header', [AMQP, frame(NULL, { size: 4 })], undefined],
  ['a frame of 2 GB', [AMQP, frame(NULL, { size: 0x7fffffff })], undefined],
  ['a data offset of 1', [AMQP, frame(described(0x10, list([string('x')])), { dataOffset: 1 })], undefined],
  ['a data offset beyond the frame', [AMQP, frame(NULL, { dataOffset: 200 })], undefined],
  ['an unknown frame type', [AMQP, frame(described(0x10, list([string('x')])), { type: 7 })], undefined],
  ['begin before open', [AMQP, begin()], undefined],
  ['open without a container id', [AMQP, frame(described(0x10, list([])))], undefined],
  ['open with a number for a name', [AMQP, frame(described(0x10, list([uint(1)])))], undefined],
  ['a name of a thousand characters', [AMQP, frame(described(0x10, list([string('x'.repeat(1_000))])))], undefined],
  ['frames of one byte', [AMQP, open([NULL, uint(1)])], undefined],
  ['an idle time-out of a millisecond', [AMQP, open([NULL, NULL, NULL, uint(1)])], undefined],
  ['bytes behind open', [AMQP, frame(bytes(described(0x10, list([string('x')])), NULL))], undefined],
  ['a performative that is none', [AMQP, frame(described(0x2a, list([])))], undefined],
  ['a body that is no performative', [AMQP, frame(string('x'))], undefined],
];

/** Behind `open`, in the place that `authorized` left. */
const LATER: readonly (readonly [name: string, said: readonly Buffer[], condition: string])[] = [
  ['open twice', [open()], 'amqp:connection:framing-error'],
  ['SASL behind open', [SASL], 'amqp:connection:framing-error'],
  ['a channel above channel-max', [begin(64)], 'amqp:connection:framing-error'],
  ['begin twice', [begin()], 'amqp:not-allowed'],
  ['begin that answers nothing', [begin(1, ushort(0))], 'amqp:not-allowed'],
  ['attach where nothing began', [attachSender(0, C2D, 'x', 5)], 'amqp:not-allowed'],
  ['end where nothing began', [end(5)], 'amqp:not-allowed'],
  ['a handle in use', [attachSender(2, C2D, 'other')], 'amqp:not-allowed'],
  ['a name in use', [attachSender(9, C2D, 's2')], 'amqp:not-allowed'],
  ['a handle above handle-max', [attachSender(4_000_000_000, C2D)], 'amqp:connection:framing-error'],
  ['a target that is a source', [frame(described(0x12, list([string('n'), uint(9), TRUE, NULL, NULL, described(0x29, list([])), NULL])))], 'amqp:decode-error'],
  ['a transaction coordinator', [frame(described(0x12, list([string('n'), uint(9), TRUE, NULL, NULL, NULL, described(0x30, list([]))])))], 'amqp:decode-error'],
  ['detach of nothing', [detach(9)], 'amqp:not-allowed'],
  ['a flow for nothing', [flow(9, 1)], 'amqp:not-allowed'],
  ['four billion credits to drain', [flow(3, 0xffffffff, TRUE)], 'amqp:not-allowed'],
  ['a transfer on nothing', [transfer({ handle: 9, id: 1 }, payload)], 'amqp:not-allowed'],
  ['a transfer where the hub sends', [transfer({ handle: 3, id: 1 }, payload)], 'amqp:not-allowed'],
  ['a delivery without an id', [transfer({ handle: 2 }, payload)], 'amqp:not-allowed'],
  ['an aborted delivery', [transfer({ handle: 2, id: 1, aborted: true }, payload)], 'amqp:not-implemented'],
  ['a message above the limit, in pieces', [...Array.from({ length: 3 }, (_, n) => transfer({ handle: 2, ...(n === 0 ? { id: 1 } : {}), more: true }, zeros(60_000)))], 'amqp:resource-limit-exceeded'],
  ['a message in thousands of empty pieces', [transfer({ handle: 2, id: 1, more: true }, zeros(0)), ...Array<Buffer>(2_100).fill(transfer({ handle: 2, more: true }, zeros(0)))], 'amqp:resource-limit-exceeded'],
  ['a disposition of all deliveries there can be', [disposition(0, 0xffffffff)], 'amqp:not-allowed'],
  ['a disposition of what was not sent', [disposition(1, 1)], 'amqp:not-allowed'],
  ['a disposition that ends before it starts', [disposition(5, 1)], 'amqp:not-allowed'],
  ['a disposition with an unknown state', [frame(described(0x15, list([TRUE, uint(0), NULL, TRUE, described(0x66, list([]))])))], 'amqp:decode-error'],
  ['a frame above the limit', [frame(zeros(70_000))], 'amqp:connection:framing-error'],
  ['a list that counts more than it has', [frame(described(0x17, list([], 1_000_000)))], 'amqp:decode-error'],
  ['a list that counts less than it has', [frame(described(0x17, list([NULL, NULL], 1)))], 'amqp:decode-error'],
  ['more fields than there are', [frame(described(0x17, list([NULL, NULL])))], 'amqp:decode-error'],
  ['an array of four billion nulls', [frame(described(0x12, list([string('n'), uint(9), TRUE, NULL, NULL, NULL, NULL, array(NULL, [], 0xffffffff)])))], 'amqp:decode-error'],
  ['a value nested a thousand deep', [frame(described(0x17, nested(1_000)))], 'amqp:decode-error'],
  ['a descriptor nested a thousand deep', [frame(Buffer.concat([...Array<Buffer>(1_000).fill(Buffer.from([0])), NULL]))], 'amqp:decode-error'],
  ['a type that is none', [frame(described(0x17, bytes(0xd5)))], 'amqp:decode-error'],
  ['a boolean of 2', [frame(described(0x16, list([uint(2), bytes(0x56, 2)])))], 'amqp:decode-error'],
];

function nested(depth: number): Buffer {
  let value: Buffer = list([]);
  for (let level = 0; level < depth; level++) value = list([value]);
  return value;
}

/** Messages that are none. */
const MESSAGES: readonly (readonly [name: string, payload: Buffer])[] = [
  ['no section', string('x')],
  ['an unknown section', described(0x60, list([]))],
  ['sections out of order', bytes(described(0x75, binary(Buffer.from('x'))), described(0x73, list([])))],
  ['properties twice', bytes(described(0x73, list([])), described(0x73, list([])))],
  ['two kinds of body', bytes(described(0x75, binary(Buffer.from('x'))), described(0x77, string('x')))],
  ['properties that are a map', described(0x73, map([]))],
  ['application properties with a number as key', described(0x74, map([uint(1), string('x')]))],
  ['annotations with a string as key', described(0x72, map([string('a'), string('x')]))],
  ['a body cut in half', payload.subarray(0, payload.length - 1)],
  ['a map with a key and no value', described(0x74, map([string('a')]))],
  ['an array of four billion trues', described(0x77, array(bytes(0x41), [], 0xffffffff))],
  ['ten thousand values', described(0x76, list(Array<Buffer>(10_000).fill(NULL)))],
];

test.each(FIRST)('at the start %s ends the connection', async (_name, said, condition) => {
  const bench = openAmqpBench();
  const peer = bench.connect();
  await peer.say(...said);
  expect([peer.isEnded, bench.service.connectionCount, peer.closeCondition()]).toEqual([true, 0, condition]);
  passed += 1;
});

test.each(LATER)('in a session %s is closed with its condition', async (_name, said, condition) => {
  const bench = openAmqpBench();
  const peer = await authorized(bench);
  expect(peer.isEnded).toBe(false);
  await peer.say(...said);
  expect([peer.isEnded, bench.service.connectionCount, peer.closeCondition()]).toEqual([true, 0, condition]);
  passed += 1;
});

test.each(MESSAGES)('a message that is %s ends the connection and reaches nobody', async (_name, body) => {
  const bench = openAmqpBench();
  const peer = await authorized(bench);
  await peer.say(transfer({ handle: 2, id: 1 }, body));
  expect([peer.isEnded, peer.closeCondition(), bench.messages.count({ deviceId: 'dev1' })]).toEqual([true, 'amqp:decode-error', 0]);
  passed += 1;
});

test('the client of these tests is one that the hub serves: its message arrives', async () => {
  const bench = openAmqpBench();
  const peer = await authorized(bench);
  await peer.say(transfer({ handle: 2, id: 1 }, payload));
  expect([peer.isEnded, bench.messages.lock({ deviceId: 'dev1' })?.payload.toString()]).toEqual([false, 'hi']);
  await peer.say(close());
  await turns();
  expect([peer.isEnded, peer.closeCondition(), bench.seen.at(-1)]).toEqual([true, undefined, { event: 'amqpClosed', connection: 1, reason: 'client-closed' }]);
});

test('the same bytes in pieces of every size do the same', async () => {
  const bench = openAmqpBench();
  const said = Buffer.concat([AMQP, open(), begin(), attachSender(0, '$cbs'), attachReceiver(1, '$cbs'), flow(1, 10), transfer({ handle: 0, id: 0 }, putToken(HUB, bench.token())), attachSender(2, C2D), transfer({ handle: 2, id: 1 }, payload)]);
  for (const size of [1, 2, 3, 7, 11, 64, 500]) {
    const peer = bench.connect();
    await peer.say(...Array.from({ length: Math.ceil(said.length / size) }, (_, n) => said.subarray(n * size, (n + 1) * size)));
    expect([size, bench.messages.purge({ deviceId: 'dev1' })]).toEqual([size, 1]);
    peer.stream.destroy();
  }
});

