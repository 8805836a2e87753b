import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { Framer, MIN_MAX_INBOUND, type Frame, type FramerOptions } from '../../firmware/agent/mqtt/framer.ts';
import { MAX_KEPT_TOPIC_BYTES } from '../../firmware/agent/mqtt/large-publish.ts';
import { decodeUtf8 } from '../../firmware/codecs/utf8.ts';
import { fromHex, hex, thrown } from './codec-realms.ts';
import { INBOUND, MALFORMED } from './codec-vectors.ts';

const SEED = 20_250_512;

function framerOf(options: Partial<FramerOptions> = {}): Framer {
  return new Framer({ decodeUtf8: (bytes) => decodeUtf8(bytes), ...options });
}

/** Frames as plain values: arrays as hexadecimal text, the pieces of one payload joined. */
type PlainFrame = { kind: string; bytes?: string; publish?: object };

function plain(frames: Iterable<Frame>): PlainFrame[] {
  const out: PlainFrame[] = [];
  for (const frame of frames) {
    const last = out.at(-1);
    if (frame.kind === 'large-piece' && last?.kind === 'large-piece') last.bytes += hex(frame.bytes);
    else if (frame.kind === 'packet' || frame.kind === 'large-piece') out.push({ kind: frame.kind, bytes: hex(frame.bytes) });
    else out.push(frame);
  }
  return out;
}

function* framesOf(framer: Framer, chunks: Iterable<Uint8Array>): Generator<Frame> {
  for (const chunk of chunks) {
    framer.feed(chunk);
    for (let frame = framer.next(); frame !== undefined; frame = framer.next()) yield frame;
  }
}

/** `bytes` in pieces that end at `ends`. Each is an array of its own, as from a socket. */
function cut(bytes: Uint8Array, ends: readonly number[]): Uint8Array[] {
  const all = [...ends, bytes.length];
  return all.map((end, index) => bytes.slice(all[index - 1] ?? 0, end));
}

function publishOf(topic: string, payloadLength: number, packetId?: number): Uint8Array {
  const topicBytes = Buffer.from(topic);
  const remaining = 2 + topicBytes.length + (packetId === undefined ? 0 : 2) + payloadLength;
  const length: number[] = [];
  for (let left = remaining; ; left >>= 7) {
    length.push(left > 127 ? (left & 127) | 128 : left);
    if (left <= 127) break;
  }
  const id = packetId === undefined ? [] : [packetId >> 8, packetId & 255];
  const head = Buffer.from([packetId === undefined ? 0x30 : 0x32, ...length, topicBytes.length >> 8, topicBytes.length & 255]);
  const payload = Uint8Array.from({ length: payloadLength }, (_, index) => index % 251);
  return Buffer.concat([head, topicBytes, Buffer.from(id), payload]);
}

/** Every inbound packet of the vectors, and a large PUBLISH of each QoS between them. */
const LIMIT = 300;
const LARGE_0 = publishOf('devices/d/messages/devicebound/%24.mid=é', 400);
const LARGE_1 = publishOf('$iothub/methods/POST/m/?$rid=1', 280, 0x1234);
const SMALL = INBOUND.map(([, , text]) => fromHex(text));
const STREAM = Buffer.concat([...SMALL.slice(0, 4), LARGE_0, ...SMALL.slice(4, 7), LARGE_1, LARGE_1, ...SMALL.slice(7)]);

const OVERSIZE_0 = {
  kind: 'oversize',
  publish: {
    topic: 'devices/d/messages/devicebound/%24.mid=é',
    topicCut: false,
    qos: 0,
    dup: false,
    retain: false,
    byteCount: LARGE_0.length,
    payloadByteCount: 400,
  },
};
const OVERSIZE_1 = {
  kind: 'oversize',
  publish: {
    topic: '$iothub/methods/POST/m/?$rid=1',
    topicCut: false,
    qos: 1,
    dup: false,
    retain: false,
    packetId: 0x1234,
    byteCount: LARGE_1.length,
    payloadByteCount: 280,
  },
};
const packets = (list: readonly Uint8Array[]): PlainFrame[] => list.map((bytes) => ({ kind: 'packet', bytes: hex(bytes) }));
const EXPECTED = [...packets(SMALL.slice(0, 4)), OVERSIZE_0, ...packets(SMALL.slice(4, 7)), OVERSIZE_1, OVERSIZE_1, ...packets(SMALL.slice(7))];

describe('a stream of every packet and of large ones gives the same frames', () => {
  test('in one chunk', () => {
    expect(plain(framesOf(framerOf({ maxInboundBytes: LIMIT }), [STREAM]))).toEqual(EXPECTED);
  });

  test('byte by byte', () => {
    const bytes = cut(STREAM, [...STREAM.keys()].slice(1));
    expect(plain(framesOf(framerOf({ maxInboundBytes: LIMIT }), bytes))).toEqual(EXPECTED);
  });

  test('in two chunks, cut at every byte', () => {
    for (let end = 0; end <= STREAM.length; end++) {
      expect(plain(framesOf(framerOf({ maxInboundBytes: LIMIT }), cut(STREAM, [end])))).toEqual(EXPECTED);
    }
  });

  test('in three chunks, with every short one in the middle of the headers', () => {
    for (let start = 0; start < STREAM.length; start++) {
      for (let length = 1; length <= 4; length++) {
        const chunks = cut(STREAM, [start, Math.min(start + length, STREAM.length)]);
        expect(plain(framesOf(framerOf({ maxInboundBytes: LIMIT }), chunks))).toEqual(EXPECTED);
      }
    }
  });

  test('in any chunks', () => {
    const ends = fc.array(fc.nat(STREAM.length), { maxLength: 40 }).map((list) => list.sort((a, b) => a - b));
    fc.assert(
      fc.property(ends, (list) => {
        expect(plain(framesOf(framerOf({ maxInboundBytes: LIMIT }), cut(STREAM, list)))).toEqual(EXPECTED);
      }),
      { seed: SEED, numRuns: 200 },
    );
  });
});

test('gives a packet that lies in a chunk as a view of it, and collects any other in an array of its size', () => {
  const framer = framerOf();
  const packet = publishOf('a/b', 300, 1);
  const chunk = Buffer.concat([packet, packet.subarray(0, 10)]);
  framer.feed(chunk);
  const whole = framer.next() as { bytes: Uint8Array };
  expect(whole.bytes.buffer).toBe(chunk.buffer);
  expect(framer.next()).toBeUndefined();
  framer.feed(packet.subarray(10));
  const collected = framer.next() as { bytes: Uint8Array };
  expect(hex(collected.bytes)).toBe(hex(packet));
  expect(collected.bytes.buffer.byteLength).toBe(packet.length);
});

test.each(INBOUND)('[MQTT-%s] waits for the rest of %s at every truncation', (_section, _name, text) => {
  const bytes = fromHex(text);
  for (let length = 0; length < bytes.length; length++) {
    const framer = framerOf();
    expect(plain(framesOf(framer, [bytes.slice(0, length)]))).toEqual([]);
    expect(plain(framesOf(framer, [bytes.slice(length)]))).toEqual(packets([bytes]));
  }
});

/** Those that show in the fixed header. */
const BAD_HEADERS = MALFORMED.filter(([rule]) => /^MQTT-(2\.2\.2|3\.1\.0|3\.8\.1|3\.10\.1|3\.12|3\.14|3\.[567]$|3\.3\.1|3\.8\.4|3\.2\.1|3\.4\.1|3\.11|3\.13|3\.9\.3-1)/.test(rule));

test.each(BAD_HEADERS)('[%s] refuses %s at its fixed header, in one chunk and byte by byte', (_rule, _name, text) => {
  const bytes = fromHex(text);
  for (const chunks of [[bytes], cut(bytes, [...bytes.keys()].slice(1)), [bytes.subarray(0, 2)]]) {
    const framer = framerOf();
    const problem = thrown(() => [...framesOf(framer, chunks)]);
    expect(problem).toMatchObject({ name: 'LatchkeyError', code: 'ERR_PROTOCOL' });
  }
});

test('has every header of the malformed vectors in the test above', () => {
  expect(BAD_HEADERS.length).toBe(25);
});

test.each(['30 80 80 80 80', '30 ff ff ff ff 7f', '90 80 80 80 80 01'])('[MQTT-2.2.3] refuses a remaining length of five bytes: %s', (text) => {
  for (const chunks of [[fromHex(text)], cut(fromHex(text), [1, 2, 3, 4])]) {
    expect(thrown(() => [...framesOf(framerOf(), chunks)])).toEqual({
      name: 'LatchkeyError',
      code: 'ERR_PROTOCOL',
      message: 'the remaining length of a packet has more than 4 bytes',
    });
  }
});

test('[MQTT-2.2.3] takes the longest remaining length, and refuses it for any packet but PUBLISH', () => {
  const claimed: number[] = [];
  const claims = ({ byteCount }: { byteCount: number }) => claimed.push(byteCount) > 0;
  expect([...framesOf(framerOf({ claims }), [fromHex('30 ffffff7f 0001 61')])]).toMatchObject([{ kind: 'large-begun' }]);
  expect(claimed).toEqual([268_435_455 + 5]);
  expect(thrown(() => [...framesOf(framerOf(), [fromHex('90 ffffff7f')])])?.message).toBe(
    'a packet of type 9 has a remaining length of 268435455',
  );
});

test('holds a PUBLISH of exactly the limit, and lets one byte more pass by', () => {
  const fits = publishOf('t', LIMIT - 6);
  expect(fits.length).toBe(LIMIT);
  const framer = framerOf({ maxInboundBytes: LIMIT });
  expect(plain(framesOf(framer, [fits.slice(0, 7), fits.slice(7)]))).toEqual(packets([fits]));
  const passes = publishOf('t', LIMIT - 5);
  expect(plain(framesOf(framer, [passes]))).toMatchObject([{ kind: 'oversize', publish: { topic: 't', byteCount: LIMIT + 1 } }]);
});

test('lets a PUBLISH of 256 KB pass by in pieces of 1 KB without an array above the limit', () => {
  const sizes: number[] = [];
  const RealArray = Uint8Array;
  const big = publishOf('devices/d/messages/devicebound/', 256 * 1024, 7);
  const chunks = cut(big, Array.from({ length: 256 }, (_, index) => (index + 1) * 1024));
  const framer = framerOf();
  try {
    globalThis.Uint8Array = class extends RealArray {
      constructor(...parameters: ConstructorParameters<Uint8ArrayConstructor>) {
        super(...parameters);
        const [first] = parameters as unknown[];
        if (typeof first === 'number') sizes.push(first);
      }
    } as unknown as Uint8ArrayConstructor;
    const frames = plain(framesOf(framer, chunks));
    expect(frames).toMatchObject([{ kind: 'oversize', publish: { packetId: 7, payloadByteCount: 256 * 1024, byteCount: big.length } }]);
  } finally {
    globalThis.Uint8Array = RealArray;
  }
  expect(sizes).toEqual([31]);
  expect(plain(framesOf(framer, [fromHex('d000')]))).toEqual([{ kind: 'packet', bytes: 'd000' }]);
});

describe('a claimed PUBLISH', () => {
  const big = publishOf('$iothub/twin/res/200/?$rid=1', 20_000, 9);
  const publish = { topic: '$iothub/twin/res/200/?$rid=1', topicCut: false, qos: 1, dup: false, retain: false, packetId: 9, byteCount: big.length, payloadByteCount: 20_000 };
  const payload = hex(big.subarray(big.length - 20_000));

  test.each([1, 2, 3, 100, 1024, 100_000])('is handed on in pieces, fed in chunks of %i', (size) => {
    const ends = Array.from({ length: Math.ceil(big.length / size) - 1 }, (_, index) => (index + 1) * size);
    const framer = framerOf({ claims: ({ topic }) => topic.startsWith('$iothub/twin/') });
    const chunks = [...cut(big, ends), LARGE_1, publishOf('t', 9000), fromHex('d000')];
    expect(plain(framesOf(framer, chunks))).toEqual([
      { kind: 'large-begun', publish },
      { kind: 'large-piece', bytes: payload },
      { kind: 'large-ended', publish },
      { kind: 'packet', bytes: hex(LARGE_1) },
      expect.objectContaining({ kind: 'oversize' }),
      { kind: 'packet', bytes: 'd000' },
    ]);
  });

  test('without a payload begins and ends', () => {
    const topic = 'a'.repeat(9000);
    const frames = [...framesOf(framerOf({ claims: () => true }), [publishOf(topic, 0)])];
    expect(frames.map(({ kind }) => kind)).toEqual(['large-begun', 'large-ended']);
  });

  test('whose consumer throws fails the framer with that error, now and later', () => {
    const framer = framerOf({
      claims: () => {
        throw new RangeError('from the consumer');
      },
    });
    framer.feed(big);
    expect(() => framer.next()).toThrow('from the consumer');
    expect(() => framer.next()).toThrow('from the consumer');
  });
});

test.each([511, 512, 513, 600, 65_535])('keeps at most 512 bytes of a topic of %i bytes, cut between two characters', (length) => {
  for (const [tail, size] of [['a', 1], ['é', 2], ['€', 3], ['😀', 4]] as const) {
    for (let shift = 0; shift < size; shift++) {
      const topic = 'x'.repeat(shift) + tail.repeat(Math.floor((length - shift) / size));
      const bytes = Buffer.byteLength(topic);
      const packet = publishOf(topic, 70_000, 1);
      for (const chunks of [[packet], cut(packet, [3, 5, 200, 514, 516, 518])]) {
        const [frame] = plain(framesOf(framerOf(), chunks)) as unknown as [{ publish: { topic: string; topicCut: boolean } }];
        expect(topic.startsWith(frame.publish.topic)).toBe(true);
        expect(frame.publish.topicCut).toBe(bytes > MAX_KEPT_TOPIC_BYTES);
        const kept = Buffer.byteLength(frame.publish.topic);
        expect(kept).toBeLessThanOrEqual(MAX_KEPT_TOPIC_BYTES);
        expect(kept).toBeGreaterThan(Math.min(bytes, MAX_KEPT_TOPIC_BYTES) - size);
      }
    }
  }
});

test.each([
  ['MQTT-4.7.3-1', 'an empty topic', '32 ffff01 0000 0001', 'a PUBLISH has an empty topic'],
  ['MQTT-2.3.1-1', 'packet id 0', '32 ffff01 0001 61 0000', 'a PUBLISH has packet id 0'],
  ['MQTT-3.3.2', 'a topic longer than the packet', '30 ffff01 ffff', 'the topic of a PUBLISH is longer than the packet'],
  ['MQTT-3.3.2', 'a topic that leaves one byte for the packet id', '32 808001 3ffd', 'the topic of a PUBLISH is longer than the packet'],
  ['MQTT-3.3.2-2', 'a wildcard', '30 ffff01 0001 23', 'the topic of a PUBLISH has a wildcard or a NUL'],
  ['MQTT-1.5.3-2', 'a NUL', '30 ffff01 0001 00', 'the topic of a PUBLISH has a wildcard or a NUL'],
  ['MQTT-1.5.3-1', 'ill-formed UTF-8', '30 ffff01 0001 80', 'text is not well-formed UTF-8'],
])('[%s] refuses a large PUBLISH with %s, in one chunk and byte by byte', (_rule, _name, text, message) => {
  const bytes = fromHex(text);
  for (const chunks of [[bytes], cut(bytes, [...bytes.keys()].slice(1))]) {
    const framer = framerOf();
    const problem = { name: 'LatchkeyError', code: 'ERR_PROTOCOL', message };
    expect(thrown(() => [...framesOf(framer, chunks)])).toEqual(problem);
    expect(thrown(() => framer.next())).toEqual(problem);
  }
});

test('refuses a chunk while the one before is in use, and a limit that is too small', () => {
  const framer = framerOf();
  framer.feed(fromHex('d000 d000'));
  expect(framer.next()).toBeDefined();
  expect(() => framer.feed(fromHex('d000'))).toThrow(TypeError);
  expect(framer.next()).toBeDefined();
  expect(framer.next()).toBeUndefined();
  framer.feed(fromHex('d000'));
  expect(() => framerOf({ maxInboundBytes: MIN_MAX_INBOUND - 1 })).toThrow(
    new RangeError('maxInboundBytes: expected an integer of at least 256, got 255'),
  );
});

test('ends any bytes whatever with frames or ERR_PROTOCOL, in any chunks alike', () => {
  const byte = fc.oneof(fc.constantFrom(0x20, 0x30, 0x32, 0x40, 0x90, 0xb0, 0xd0, 0, 1, 2, 3, 0x61, 0x80, 0x81), fc.nat(255));
  const outcome = (chunks: Uint8Array[]) => {
    const seen: PlainFrame[] = [];
    const framer = framerOf({ maxInboundBytes: 256, claims: ({ topic }) => topic.startsWith('a') });
    const frames: Frame[] = [];
    const problem = thrown(() => {
      for (const frame of framesOf(framer, chunks)) frames.push(frame);
    });
    seen.push(...plain(frames));
    return { seen, problem };
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(byte, { maxLength: 40 }), fc.array(fc.nat(340), { maxLength: 10 }), (filler, head, cuts) => {
      const bytes = Uint8Array.of(...head, ...filler);
      const whole = outcome([bytes]);
      if (whole.problem !== undefined) expect(whole.problem.code).toBe('ERR_PROTOCOL');
      const ends = cuts.filter((end) => end <= bytes.length).sort((a, b) => a - b);
      expect(outcome(cut(bytes, ends))).toEqual(whole);
      expect(outcome(cut(bytes, [...bytes.keys()].slice(1)))).toEqual(whole);
    }),
    { seed: SEED, numRuns: 600 },
  );
});
