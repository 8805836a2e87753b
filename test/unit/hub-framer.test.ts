import { expect, test } from '@jest/globals';
import { generate } from 'mqtt-packet';
import { Framer } from '../../host-sim/hub/mqtt/framer.ts';

const MAX_BYTES = 4_096;
const PACKETS = [
  generate({ cmd: 'pingreq' }),
  generate({ cmd: 'publish', topic: 'a', payload: Buffer.alloc(300, 1), qos: 1, messageId: 1, dup: false, retain: false }),
  generate({ cmd: 'disconnect' }),
  // A remaining length in more bytes than it needs is legal.
  Buffer.from('e0800000', 'hex').subarray(0, 3),
];
const STREAM = Buffer.concat(PACKETS);

const HEX = PACKETS.map((packet) => packet.toString('hex'));

function cut(chunks: readonly Buffer[]): { packets: string[]; fault: string | undefined; held: number } {
  const framer = new Framer();
  const packets: string[] = [];
  for (const chunk of chunks) {
    const fault = framer.push(chunk, () => MAX_BYTES, (packet) => packets.push(packet.toString('hex')) > 0);
    if (fault !== undefined) return { packets, fault, held: framer.heldBytes };
  }
  return { packets, fault: undefined, held: framer.heldBytes };
}

test('cuts the same packets out of every split of a stream in two', () => {
  for (let at = 0; at <= STREAM.length; at++) {
    expect(cut([STREAM.subarray(0, at), STREAM.subarray(at)])).toEqual({ packets: HEX, fault: undefined, held: 0 });
  }
});

test('cuts the same packets out of chunks of every size', () => {
  for (let size = 1; size <= STREAM.length; size++) {
    const chunks = [];
    for (let at = 0; at < STREAM.length; at += size) chunks.push(STREAM.subarray(at, at + size));
    expect(cut(chunks)).toEqual({ packets: HEX, fault: undefined, held: 0 });
  }
});

test('holds every truncation of a stream without a packet that is not complete', () => {
  const ends = PACKETS.map((_, index) => Buffer.concat(PACKETS.slice(0, index + 1)).length);
  for (let length = 0; length < STREAM.length; length++) {
    const complete = ends.filter((end) => end <= length).length;
    const { packets, held } = cut([STREAM.subarray(0, length)]);
    expect(packets).toEqual(HEX.slice(0, complete));
    expect(held).toBe(length - (ends[complete - 1] ?? 0));
  }
});

test.each<[what: string, bytes: string, fault: string]>([
  ['[MQTT-2.2.3] a remaining length of five bytes', '30ffffffff01', 'remaining-length-malformed'],
  ['the same when four bytes of it say that more follow', '30ffffffff', 'remaining-length-malformed'],
  ['an announced length one above the limit', '30fe1f', 'packet-too-large'],
  ['the longest length that MQTT has', '30ffffff7f', 'packet-too-large'],
])('refuses %s before it holds any of the body, in one chunk or byte by byte', (_, bytes, fault) => {
  const all = Buffer.from(bytes, 'hex');
  expect(cut([all])).toMatchObject({ fault });
  const slow = cut([...all].map((byte) => Buffer.of(byte)));
  expect(slow).toMatchObject({ fault, packets: [] });
  expect(slow.held).toBeLessThanOrEqual(all.length);
});

test('takes a packet of exactly the limit', () => {
  const bytes = Buffer.concat([Buffer.from('30fd1f', 'hex'), Buffer.alloc(MAX_BYTES - 3)]);
  expect(cut([bytes]).packets).toEqual([bytes.toString('hex')]);
});

test('the limit is asked for at each packet, after the one before was handled', () => {
  const framer = new Framer();
  let limit = 10;
  const packets: number[] = [];
  const small = Buffer.from('c000', 'hex');
  const large = Buffer.concat([Buffer.from('3064', 'hex'), Buffer.alloc(100)]);
  const fault = framer.push(Buffer.concat([small, large]), () => limit, (packet) => {
    packets.push(packet.length);
    limit = 1_000;
    return true;
  });
  expect({ fault, packets }).toEqual({ fault: undefined, packets: [2, 102] });
});

test('drops what is left of a chunk when told to stop', () => {
  const framer = new Framer();
  const seen: number[] = [];
  framer.push(STREAM, () => MAX_BYTES, (packet) => {
    seen.push(packet.length);
    return false;
  });
  expect(seen).toEqual([2]);
  expect(framer.heldBytes).toBe(0);
});

test('a payload may be kept: the next packet in pieces does not write over it', () => {
  const framer = new Framer();
  const kept: Buffer[] = [];
  const packet = (fill: number): Buffer => Buffer.concat([Buffer.from('3004', 'hex'), Buffer.alloc(4, fill)]);
  for (const fill of [1, 2]) {
    for (const byte of packet(fill)) framer.push(Buffer.of(byte), () => MAX_BYTES, (bytes) => kept.push(bytes) > 0);
  }
  expect(kept).toEqual([packet(1), packet(2)]);
});
