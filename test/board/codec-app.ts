/// <reference path="../../firmware/ports/types/latchkey.d.ts" />
import board from 'latchkey/board';

import { Framer } from '../../firmware/agent/mqtt/framer.ts';
import type { InboundPacket, Publish } from '../../firmware/agent/mqtt/packets.ts';
import { MqttPacketCodec } from '../../firmware/codecs/mqtt.ts';
import { textCodec } from '../../firmware/codecs/text.ts';
import { INBOUND, MALFORMED, OUTBOUND } from '../unit/codec-vectors.ts';

/** What codec.test.ts runs on the board: the vectors, then operations whose compute units are counted, then many of them. */

const codec = new MqttPacketCodec();
const framer = new Framer({ decodeUtf8: textCodec.decodeUtf8 });

const TOPIC = 'devices/device-0001/messages/events/%24.mid=12345678&%24.ct=application%2Fjson';
const PUBLISH: Publish = { type: 'publish', topic: TOPIC, payload: new Uint8Array(100), qos: 1, dup: false, retain: false, packetId: 1 };
const JSON_TEXT = '{"temperature":21.5,"humidity":40.25,"counter":12345678,"status":"ok","name":"sensor-0001","xy":12}';

const DIGITS = '0123456789abcdef';

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => DIGITS.charAt(byte >> 4) + DIGITS.charAt(byte & 15)).join('');
}

function fromHex(text: string): Uint8Array {
  const digits = text.replaceAll(' ', '');
  return Uint8Array.from({ length: digits.length / 2 }, (_, index) => Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16));
}

function plain(packet: InboundPacket): object {
  return packet.type === 'publish' ? { ...packet, payload: hex(packet.payload) } : packet;
}

function print(line: object): void {
  board.print(JSON.stringify(line));
}

function problemOf(action: () => unknown): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    return (error as { code?: unknown }).code ?? String(error);
  }
}

/** Compute units of `action` the second time, without those of counting. */
function count(name: string, action: () => void): void {
  const unitsOf = (counted: () => void): number => {
    const before = board.computeUnits;
    counted();
    return (board.computeUnits - before) | 0;
  };
  action();
  print({ event: 'counted', name, units: unitsOf(action) - unitsOf(() => {}) });
}

function frame(chunk: Uint8Array): void {
  framer.feed(chunk);
  while (framer.next() !== undefined);
}

function runMany(): void {
  const message = codec.encode(PUBLISH);
  for (let length = 0; length < 1000; length++) {
    codec.encode({ ...PUBLISH, payload: new Uint8Array(length) });
    codec.decode(message);
    frame(message);
    problemOf(() => codec.decode(message.subarray(1)));
  }
}

OUTBOUND.forEach(([, , packet], index) => print({ event: 'encoded', index, bytes: hex(codec.encode(packet)) }));
INBOUND.forEach(([, , bytes], index) => print({ event: 'decoded', index, packet: plain(codec.decode(fromHex(bytes))) }));
MALFORMED.forEach(([, , bytes], index) => print({ event: 'refused', index, code: problemOf(() => codec.decode(fromHex(bytes))) }));
print({ event: 'base64', text: textCodec.encodeBase64(textCodec.encodeUtf8('é€😀'.repeat(20))) });
print({ event: 'half-pair', problem: problemOf(() => textCodec.encodeUtf8('\ud83d')) });

const message = codec.encode(PUBLISH);
const puback = Uint8Array.of(0x40, 2, 0, 1);
count('PUBLISH out', () => codec.encode(PUBLISH));
count('PUBLISH in', () => codec.decode(message));
count('PUBACK in', () => codec.decode(puback));
count('PUBACK out', () => codec.encode({ type: 'puback', packetId: 1 }));
count('PUBLISH framed', () => frame(message));
count('PUBACK framed', () => frame(puback));
count('100 characters to UTF-8', () => textCodec.encodeUtf8(JSON_TEXT));

runMany();
board.onStop = () => {
  for (let round = 0; round < 10; round++) runMany();
  board.exit(0);
};
print({ event: 'ready' });
