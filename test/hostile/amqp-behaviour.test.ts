import { afterAll, afterEach, expect, test } from '@jest/globals';
import type { AmqpEvent } from '../../host-sim/hub/amqp/amqp-events.ts';
import { recordEvidence } from '../evidence.ts';
import { closeBenches, HUB_NAME, openAmqpBench, turns, type AmqpBench, type Peer } from './amqp/amqp-bench.ts';
import { AMQP, attachReceiver, attachSender, begin, binary, bytes, described, detach, disposition, flow, list, map, message, NULL, open, putToken, SASL, saslInit, string, symbol, transfer, TRUE, uint, frame } from './amqp/frame-bytes.ts';

const C2D = '/messages/devicebound';
const FEEDBACK = '/messages/serviceBound/feedback';
const EVENTS = 'iothub-ehub-hostile-hub/ConsumerGroups/$Default/Partitions/0';
const dev1 = { deviceId: 'dev1' };
let passed = 0;

afterEach(closeBenches);

afterAll(() => recordEvidence('amqp-hostile-behaviour', passed));

/** Counts a case once its last expectation held. */
function hostile(name: string, run: () => Promise<void>): void {
  test(name, async () => {
    await run();
    passed += 1;
  });
}

async function opened(bench: AmqpBench): Promise<Peer> {
  const peer = bench.connect();
  await peer.say(AMQP, open(), begin(), attachSender(0, '$cbs'), attachReceiver(1, '$cbs'), flow(1, 100));
  return peer;
}

async function claim(peer: Peer, token: string, id = 0, audience = HUB_NAME): Promise<void> {
  await peer.say(transfer({ handle: 0, id }, putToken(audience, token, `claim ${id}`)));
}

const refusals = (bench: AmqpBench): string[] => bench.seen.flatMap((event: AmqpEvent) => (event.event === 'amqpRefused' ? [`${event.reason} ${event.code}`] : []));
const closes = (bench: AmqpBench): string[] => bench.seen.flatMap((event: AmqpEvent) => (event.event === 'amqpClosed' ? [event.reason] : []));
/** Conditions of the hub's detaches. */
const detaches = (peer: Peer): string[] =>
  peer.frames().flatMap(({ code, items }) => {
    const error = code === 0x16 ? items[2] : undefined;
    const condition = error?.kind === 'described' && error.value.kind === 'list' ? error.value.items[0] : undefined;
    return condition?.kind === 'symbol' ? [condition.value] : [];
  });
const transfers = (peer: Peer): number => peer.frames().filter(({ code }) => code === 0x14).length;

hostile('a peer that says nothing, half a frame or no token is cut after 30 seconds, not before', async () => {
  const bench = openAmqpBench();
  const silent = bench.connect();
  const half = bench.connect();
  await half.say(SASL, saslInit('ANONYMOUS'), AMQP, open().subarray(0, 10));
  const untold = await opened(bench);
  await bench.advance(29_999);
  expect([silent.isEnded, half.isEnded, untold.isEnded]).toEqual([false, false, false]);
  await bench.advance(1);
  expect([silent.isEnded, half.isEnded, untold.isEnded, untold.closeCondition()]).toEqual([true, true, true, 'amqp:unauthorized-access']);
  expect(closes(bench)).toEqual(Array(3).fill('authenticate-timeout'));
});

hostile('every address is closed to a connection without a token, and unknown ones look the same', async () => {
  const bench = openAmqpBench();
  const peer = await opened(bench);
  const addresses = [C2D, '/nothing/here', '/messages/events', `iothub-ehub-hostile-hub/$management`];
  await peer.say(...addresses.map((address, index) => attachSender(10 + index, address)));
  await peer.say(...[FEEDBACK, EVENTS, '/nothing/here', '/messages/events'].map((address, index) => attachReceiver(20 + index, address)));
  expect(detaches(peer)).toEqual(Array(8).fill('amqp:unauthorized-access'));
  expect(peer.isEnded).toBe(false);
});

hostile('a transfer on a link that was refused reaches nobody', async () => {
  const bench = openAmqpBench();
  const peer = await opened(bench);
  await peer.say(attachSender(2, C2D), transfer({ handle: 2, id: 0 }, message('/devices/dev1/messages/devicebound', Buffer.from('x'))));
  expect(bench.messages.count(dev1)).toBe(0);
});

hostile('the tenth refused token ends the connection', async () => {
  const bench = openAmqpBench();
  const peer = await opened(bench);
  for (let id = 0; id < 9; id++) await claim(peer, bench.token('device'), id);
  expect(peer.isEnded).toBe(false);
  await claim(peer, 'SharedAccessSignature sr=x', 9);
  expect([peer.isEnded, peer.closeCondition(), refusals(bench).length]).toEqual([true, 'amqp:unauthorized-access', 10]);
});

hostile('a connection holds 64 tokens and no more', async () => {
  const bench = openAmqpBench({ refusedClaims: 2 });
  const peer = await opened(bench);
  for (let id = 0; id < 64; id++) {
    await claim(peer, bench.token(), id, `${HUB_NAME}/${id}`);
    await peer.say(disposition(id, id));
  }
  expect(refusals(bench)).toEqual([]);
  await claim(peer, bench.token(), 64, `${HUB_NAME}/64`);
  await claim(peer, bench.token(), 65, `${HUB_NAME}/0`);
  expect(refusals(bench)).toEqual(['claims-exceeded 403000']);
});

hostile('a token for a device, an expired one and one for another hub open nothing', async () => {
  const bench = openAmqpBench();
  const peer = await opened(bench);
  for (const [index, token] of [bench.token('device'), bench.token('service', -1), bench.token('service', 60, 'other.azure-devices.net'), bench.token('service', 60, `${HUB_NAME}/devices`)].entries()) await claim(peer, token, index);
  expect(refusals(bench)).toEqual(['permission-missing 401002', 'token-expired 401003', 'resource-not-covered 401003', 'resource-not-covered 401003']);
  await peer.say(attachSender(2, C2D));
  expect(detaches(peer)).toEqual(['amqp:unauthorized-access']);
});

hostile('a token for one endpoint opens that and no other', async () => {
  const bench = openAmqpBench();
  const peer = await opened(bench);
  await claim(peer, bench.token('service', 60, `${HUB_NAME}/messages/devicebound`), 0, `${HUB_NAME}/messages/devicebound`);
  await peer.say(attachSender(2, C2D), attachReceiver(3, FEEDBACK));
  expect(detaches(peer)).toEqual(['amqp:unauthorized-access']);
  await peer.say(transfer({ handle: 2, id: 1 }, message('/devices/dev1/messages/devicebound', Buffer.from('x'))));
  expect(bench.messages.count(dev1)).toBe(1);
});

hostile('a connection ends with its last token and the grace time, unless a new one came', async () => {
  const bench = openAmqpBench({}, 5_000);
  const first = await opened(bench);
  await claim(first, bench.token('service', 60));
  const second = await opened(bench);
  await claim(second, bench.token('service', 60));
  await bench.advance(50_000);
  await claim(second, bench.token('service', 120), 1);
  await bench.advance(14_999);
  expect([first.isEnded, second.isEnded]).toEqual([false, false]);
  await bench.advance(1);
  expect([first.isEnded, first.closeCondition(), second.isEnded]).toEqual([true, 'amqp:unauthorized-access', false]);
  await bench.advance(60_000);
  expect([second.isEnded, closes(bench)]).toEqual([true, ['token-expired', 'token-expired']]);
});

hostile('a link ends with the last token that opens it, although the connection has another one', async () => {
  const bench = openAmqpBench({}, 5_000);
  const peer = await opened(bench);
  await claim(peer, bench.token('service', 60, `${HUB_NAME}/messages/devicebound`), 0, `${HUB_NAME}/messages/devicebound`);
  await claim(peer, bench.token('service', 120, `${HUB_NAME}/messages/servicebound`), 1, `${HUB_NAME}/messages/servicebound`);
  await peer.say(attachSender(2, C2D), attachReceiver(3, FEEDBACK));
  await bench.advance(64_999);
  await peer.say(transfer({ handle: 2, id: 2 }, message('/devices/dev1/messages/devicebound', Buffer.from('x'))));
  expect([bench.messages.count(dev1), detaches(peer)]).toEqual([1, []]);
  await bench.advance(1);
  expect([peer.isEnded, detaches(peer)]).toEqual([false, ['amqp:unauthorized-access']]);
  await bench.advance(60_000);
  expect([peer.isEnded, closes(bench)]).toEqual([true, ['token-expired']]);
});

hostile('a connection has 64 sessions and 128 links', async () => {
  const bench = openAmqpBench();
  const many = await opened(bench);
  await many.say(...Array.from({ length: 63 }, (_, index) => begin(index + 1)));
  expect(many.isEnded).toBe(false);
  for (let index = 0; index < 126; index++) await many.say(attachReceiver(Math.floor(index / 63) + 2, '$cbs', `l${index}`, (index % 63) + 1));
  expect(many.isEnded).toBe(false);
  await many.say(attachReceiver(9, '$cbs', 'one more', 5));
  expect([many.isEnded, many.closeCondition()]).toEqual([true, 'amqp:resource-limit-exceeded']);
});

hostile('links that come and go a thousand times leave nothing behind', async () => {
  const bench = openAmqpBench();
  const peer = await opened(bench);
  await claim(peer, bench.token());
  for (let round = 0; round < 1_000; round++) await peer.say(attachReceiver(5, FEEDBACK, `round ${round}`), detach(5));
  expect(peer.isEnded).toBe(false);
  await peer.say(attachReceiver(5, FEEDBACK, 'last'), flow(5, 1));
  bench.messages.enqueue(dev1, { messageId: 'm', ack: 'full', properties: {}, payload: Buffer.alloc(0) });
  const before = transfers(peer);
  bench.messages.purge(dev1);
  await turns();
  expect(transfers(peer) - before).toBe(1);
});

hostile('a client that takes no answers of $cbs is told so many and no more', async () => {
  const bench = openAmqpBench({ refusedClaims: 1_000 });
  const peer = await opened(bench);
  for (let id = 0; id < 200; id++) await claim(peer, 'SharedAccessSignature sr=x', id);
  expect([transfers(peer), peer.isEnded]).toEqual([16, false]);
});

hostile('events go out by credit, and a reader that settles nothing holds 2 MB of them at most', async () => {
  const bench = openAmqpBench();
  const payload = Buffer.alloc(100_000);
  for (let n = 0; n < 60; n++) {
    for (const deviceId of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) {
      bench.events.observe({ event: 'messageReceived', at: 0, monotonicMs: 0, connection: 1, deviceId, qos: 1, dup: false, will: false, bytes: payload.length, properties: {}, systemProperties: {}, payload });
    }
  }
  const peer = await opened(bench);
  await claim(peer, bench.token());
  await peer.say(attachReceiver(2, EVENTS), flow(2, 3));
  const ofEvents = (): number => new Set(peer.frames().flatMap(({ code, items }) => (code === 0x14 && items[1]?.kind === 'unsigned' && items[1].value > 0 ? [items[1].value] : []))).size;
  expect(ofEvents()).toBe(3);
  await peer.say(flow(2, 1_000));
  expect(ofEvents()).toBe(Math.floor((2 * 1024 * 1024) / 100_512));
  const held = ofEvents();
  await peer.say(disposition(1, held));
  expect(ofEvents()).toBeGreaterThan(held);
});

hostile('a client that drains its credit is told at once that nothing is left of it', async () => {
  const bench = openAmqpBench();
  const peer = await opened(bench);
  await claim(peer, bench.token());
  await peer.say(attachReceiver(2, FEEDBACK), flow(2, 50_000, TRUE));
  const last = peer.frames().filter(({ code }) => code === 0x13).at(-1);
  expect(last?.items.slice(5, 9)).toEqual([{ kind: 'unsigned', bits: 32, value: 50_000 }, { kind: 'unsigned', bits: 32, value: 0 }, { kind: 'null' }, { kind: 'boolean', value: true }]);
});

hostile('credit that a made-up delivery count adds to is not drained', async () => {
  const bench = openAmqpBench();
  const peer = await opened(bench);
  await claim(peer, bench.token());
  await peer.say(attachReceiver(2, FEEDBACK), flow(2, 1, TRUE, 0xffffffff));
  expect([detaches(peer), peer.isEnded]).toEqual([['amqp:not-allowed'], false]);
  await peer.say(attachReceiver(3, FEEDBACK), flow(3, 0, TRUE, 0x80000000), flow(3, 5));
  expect(detaches(peer)).toEqual(['amqp:not-allowed', 'amqp:not-allowed']);
});

hostile('a client that is silent for eight minutes is gone, one that sends empty frames stays', async () => {
  const bench = openAmqpBench();
  const [silent, alive] = [await opened(bench), await opened(bench)];
  for (const peer of [silent, alive]) await claim(peer, bench.token());
  await bench.advance(300_000);
  await alive.say(frame(Buffer.alloc(0)));
  await bench.advance(179_999);
  expect([silent.isEnded, alive.isEnded]).toEqual([false, false]);
  await bench.advance(1);
  expect([silent.isEnded, alive.isEnded, silent.closeCondition(), closes(bench)]).toEqual([true, false, 'amqp:resource-limit-exceeded', ['idle']]);
  await bench.advance(300_000);
  expect([alive.isEnded, closes(bench)]).toEqual([true, ['idle', 'idle']]);
});

hostile('long addresses and audiences stay out of the events', async () => {
  const bench = openAmqpBench();
  const peer = await opened(bench);
  const long = 'x'.repeat(10_000);
  await peer.say(attachSender(2, long), attachReceiver(3, `/messages/events/${long}`), transfer({ handle: 0, id: 0 }, putToken(`${HUB_NAME}/${long}`, bench.token())));
  expect(detaches(peer)).toEqual(['amqp:unauthorized-access', 'amqp:unauthorized-access']);
  expect(JSON.stringify(bench.seen).length).toBeLessThan(2_000);
});

hostile('the sixth reader of a partition that shares is refused', async () => {
  const bench = openAmqpBench();
  const peer = await opened(bench);
  await claim(peer, bench.token());
  await peer.say(...[2, 3, 4, 5, 6, 7].map((handle) => attachReceiver(handle, EVENTS)));
  expect(detaches(peer)).toEqual(['amqp:resource-limit-exceeded']);
  await peer.say(detach(2), attachReceiver(8, EVENTS));
  expect(detaches(peer)).toEqual(['amqp:resource-limit-exceeded']);
});

hostile('a client that reads nothing is not written to without end', async () => {
  const bench = openAmqpBench();
  const payload = Buffer.alloc(1_000);
  for (let n = 0; n < 8_000; n++) bench.events.observe({ event: 'messageReceived', at: 0, monotonicMs: 0, connection: 1, deviceId: 'a', qos: 1, dup: false, will: false, bytes: payload.length, properties: {}, systemProperties: {}, payload });
  const peers = await Promise.all([0, 1, 2, 3].map(async (partition) => {
    const peer = await opened(bench);
    await claim(peer, bench.token());
    peer.reads = false;
    await peer.say(attachReceiver(2, EVENTS.replace(/0$/, String(partition))), flow(2, 100_000));
    for (let n = 0; n < 200; n++) await peer.say(flow(2, 100_000 + n));
    return peer;
  }));
  for (const peer of peers) expect(peer.stream.writableLength).toBeLessThan(4 * 1024 * 1024);
});

hostile('a client that asks and never reads the answers is cut', async () => {
  const bench = openAmqpBench({ waitingBytes: 20_000, openReplies: 1_000_000, refusedClaims: 1_000_000 });
  const peer = await opened(bench);
  peer.reads = false;
  for (let id = 0; id < 2_000 && !peer.isEnded; id++) await claim(peer, 'SharedAccessSignature sr=x', id);
  expect([peer.isEnded, closes(bench)]).toEqual([true, ['client-does-not-read']]);
});

hostile('the 201st connection is not taken', async () => {
  const bench = openAmqpBench();
  const peers = Array.from({ length: 201 }, () => bench.connect());
  expect([bench.service.connectionCount, peers.at(-1)?.isEnded, peers.at(0)?.isEnded]).toEqual([200, true, false]);
  bench.service.close();
  await turns();
  expect([bench.service.connectionCount, peers.every(({ isEnded }) => isEnded)]).toEqual([0, true]);
});

const TO = '/devices/dev1/messages/devicebound';
const BODY = described(0x75, binary(Buffer.from('x')));
const withFields = (...fields: readonly Buffer[]): Buffer => bytes(described(0x73, list(fields)), BODY);

/** Messages that are well-formed and wrong: each with the condition of its rejection. */
const WRONG: readonly (readonly [name: string, payload: Buffer, condition: string])[] = [
  ['no "to"', BODY, 'com.microsoft:argument-error'],
  ['a "to" that is a number', withFields(NULL, NULL, uint(5)), 'com.microsoft:argument-error'],
  ['a "to" of a module', message('/devices/dev1/modules/m/messages/devicebound', Buffer.from('x')), 'com.microsoft:argument-error'],
  ['a "to" elsewhere', message('/devices/dev1/messages/events', Buffer.from('x')), 'com.microsoft:argument-error'],
  ['a device id that cannot be decoded', message('/devices/%ff/messages/devicebound', Buffer.from('x')), 'com.microsoft:argument-error'],
  ['an id that is none', message('/devices/a%20b/messages/devicebound', Buffer.from('x')), 'com.microsoft:argument-error'],
  ['an unknown device', message('/devices/dev2/messages/devicebound', Buffer.from('x')), 'amqp:not-found'],
  ['a body of values', bytes(described(0x73, list([NULL, NULL, string(TO)])), described(0x77, list([uint(1)]))), 'com.microsoft:argument-error'],
  ['a body of a sequence', bytes(described(0x73, list([NULL, NULL, string(TO)])), described(0x76, list([uint(1)]))), 'com.microsoft:argument-error'],
  ['a property that is a list', bytes(described(0x73, list([NULL, NULL, string(TO)])), described(0x74, map([string('p'), list([TRUE])])), BODY), 'com.microsoft:argument-error'],
  ['an unknown iothub-ack', message(TO, Buffer.from('x'), { application: { 'iothub-ack': 'perhaps' } }), 'com.microsoft:argument-error'],
  ['a message id of 129 characters', message(TO, Buffer.from('x'), { messageId: 'm'.repeat(129) }), 'com.microsoft:argument-error'],
  ['more than 64 KB', message(TO, Buffer.alloc(65_536)), 'amqp:link:message-size-exceeded'],
  ['more than 64 KB of properties', message(TO, Buffer.alloc(0), { application: Object.fromEntries(Array.from({ length: 70 }, (_, n) => [`p${n}`, 'v'.repeat(1_000)])) }), 'amqp:link:message-size-exceeded'],
  ['a thousand and one properties', message(TO, Buffer.alloc(0), { application: Object.fromEntries(Array.from({ length: 1_001 }, (_, n) => [`p${n}`, ''])) }), 'com.microsoft:argument-error'],
];

test.each(WRONG)('a message with %s is rejected, and the link stays', async (_name, payload, condition) => {
  const bench = openAmqpBench();
  const peer = await opened(bench);
  await claim(peer, bench.token());
  await peer.say(attachSender(2, C2D));
  const pieces = Array.from({ length: Math.ceil(payload.length / 60_000) }, (_, n) => payload.subarray(n * 60_000, (n + 1) * 60_000));
  await peer.say(...pieces.map((piece, n) => transfer({ handle: 2, ...(n === 0 ? { id: 1 } : {}), more: n < pieces.length - 1 }, piece)));
  const states = peer.frames().flatMap(({ code, items }) => (code === 0x15 && items[4]?.kind === 'described' ? [items[4]] : []));
  const rejected = states.at(-1);
  const error = rejected?.kind === 'described' && rejected.value.kind === 'list' ? rejected.value.items[0] : undefined;
  expect(error?.kind === 'described' && error.value.kind === 'list' ? error.value.items[0] : undefined).toEqual({ kind: 'symbol', value: condition });
  await peer.say(transfer({ handle: 2, id: 2 }, message(TO, Buffer.from('good'))));
  expect([peer.isEnded, bench.messages.lock(dev1)?.payload.toString()]).toEqual([false, 'good']);
  passed += 1;
});

hostile('a reader may start at a position only', async () => {
  const bench = openAmqpBench();
  const peer = await opened(bench);
  await claim(peer, bench.token());
  const filtered = (handle: number, selector: Buffer): Buffer => {
    const filter = map([symbol('apache.org:selector-filter:string'), bytes(0x00, symbol('apache.org:selector-filter:string'), selector)]);
    const from = described(0x28, list([string(EVENTS), NULL, NULL, NULL, NULL, NULL, NULL, filter]));
    return frame(described(0x12, list([string(`f${handle}`), uint(handle), TRUE, NULL, NULL, from, described(0x29, list([]))])));
  };
  const wrong = ["amqp.annotation.x-opt-offset > '1' OR 1=1", "x-opt-offset > '1'", `amqp.annotation.x-opt-offset > '${'9'.repeat(500)}'`, "amqp.annotation.x-opt-enqueued-time > '@latest'", ''];
  await peer.say(...wrong.map((selector, index) => filtered(10 + index, string(selector))));
  expect(detaches(peer)).toEqual(Array(wrong.length).fill('amqp:invalid-field'));
  await peer.say(filtered(20, string("amqp.annotation.x-opt-sequence-number >= '0'")));
  expect([detaches(peer).length, peer.isEnded]).toEqual([wrong.length, false]);
});
