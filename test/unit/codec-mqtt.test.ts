import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { generate, parser as createParser } from 'mqtt-packet';
import type { Packet as WirePacket } from 'mqtt-packet';

import type { InboundPacket, OutboundPacket, Publish } from '../../firmware/agent/mqtt/packets.ts';
import { recordEvidence } from '../evidence.ts';
import { fromHex, hex, loadCodecs, REALMS, thrown, type Codecs } from './codec-realms.ts';
import { INBOUND, LONG_OUTBOUND, MALFORMED, OUTBOUND } from './codec-vectors.ts';

/** A packet with its arrays as hexadecimal text, so that arrays of another realm compare. */
function plain(packet: InboundPacket): object {
  return packet.type === 'publish' ? { ...packet, payload: hex(packet.payload) } : { ...packet };
}

/** What mqtt-packet, run plainly on Node, reads. */
function parsedByMqttPacket(bytes: Uint8Array): WirePacket {
  let found: WirePacket | undefined;
  const parser = createParser({ protocolVersion: 4 });
  parser.on('packet', (packet) => (found = packet));
  parser.on('error', (error) => {
    throw error;
  });
  if (parser.parse(Buffer.from(bytes)) !== 0 || found === undefined) throw new Error('not one packet');
  return found;
}

/** The packet as mqtt-packet on Node writes it. */
function generatedByMqttPacket(packet: OutboundPacket): string {
  switch (packet.type) {
    case 'connect': {
      const { type: cmd, keepAliveSeconds: keepalive, will, password, ...rest } = packet;
      const wireWill = will && { ...will, payload: Buffer.from(will.payload) };
      return hex(
        generate({
          cmd,
          keepalive,
          protocolId: 'MQTT',
          protocolVersion: 4,
          ...rest,
          ...(wireWill && { will: wireWill }),
          ...(password !== undefined && { password: Buffer.from(password) }),
        }),
      );
    }
    case 'publish': {
      const { type: cmd, packetId, payload, ...rest } = packet;
      return hex(generate({ cmd, payload: Buffer.from(payload), ...rest, ...(packetId !== undefined && { messageId: packetId }) }));
    }
    case 'puback':
      return hex(generate({ cmd: 'puback', messageId: packet.packetId }));
    case 'subscribe':
      return hex(generate({ cmd: 'subscribe', messageId: packet.packetId, subscriptions: [...packet.subscriptions] }));
    case 'unsubscribe':
      return hex(generate({ cmd: 'unsubscribe', messageId: packet.packetId, unsubscriptions: [...packet.topics] }));
    default:
      return hex(generate({ cmd: packet.type }));
  }
}

const PUBLISH: Publish = { type: 'publish', topic: 'a', payload: new Uint8Array(0), qos: 1, dup: false, retain: false, packetId: 1 };
const CONNECT = { type: 'connect', clientId: 'd', username: 'u', clean: true, keepAliveSeconds: 60 } as const;

let vectors = 0;
let refusals = 0;
afterAll(() => {
  recordEvidence('mqtt-packet-vectors', vectors);
  recordEvidence('mqtt-malformed-packets', refusals);
});

describe.each(REALMS)('the MQTT codec %s', (realm) => {
  let codecs: Codecs;
  let codec: InstanceType<Codecs['MqttPacketCodec']>;
  beforeAll(async () => {
    codecs = await loadCodecs(realm);
    codec = new codecs.MqttPacketCodec();
  });

  test.each([...OUTBOUND, ...LONG_OUTBOUND()])('[MQTT-%s] encodes %s to the bytes of the specification and of mqtt-packet on Node', (_section, _name, packet, bytes) => {
    const encoded = codec.encode(packet);
    expect(hex(encoded)).toBe(bytes.replaceAll(' ', ''));
    expect(hex(encoded)).toBe(generatedByMqttPacket(packet));
    expect(encoded.buffer.byteLength).toBe(encoded.length);
    vectors++;
  });

  test.each(INBOUND)('[MQTT-%s] decodes %s', (_section, _name, bytes, packet) => {
    expect(plain(codec.decode(fromHex(bytes)))).toEqual(plain(packet));
    vectors++;
  });

  test.each(MALFORMED)('[%s] refuses %s with ERR_PROTOCOL', (_rule, _name, bytes) => {
    expect(thrown(() => codec.decode(fromHex(bytes)))).toMatchObject({ name: 'LatchkeyError', code: 'ERR_PROTOCOL' });
    expect(codec.decode(fromHex('d0 00'))).toMatchObject({ type: 'pingresp' });
    refusals++;
  });

  test.each(INBOUND)('[MQTT-%s] refuses every truncation and every extension of %s, and is as good as new after it', (_section, _name, text, packet) => {
    const bytes = fromHex(text);
    const bad = [...bytes.keys()].map((length) => bytes.subarray(0, length));
    bad.push(Uint8Array.of(...bytes, 0), Uint8Array.of(...bytes, ...bytes));
    for (const piece of bad) {
      expect(thrown(() => codec.decode(piece))).toMatchObject({ name: 'LatchkeyError', code: 'ERR_PROTOCOL' });
    }
    expect(plain(codec.decode(bytes))).toEqual(plain(packet));
  });

  test('gives the payload as a view of the packet', () => {
    const bytes = fromHex('30 06 0003 612f62 7b');
    const { payload } = codec.decode(bytes) as Publish;
    expect(payload.buffer).toBe(bytes.buffer);
    bytes[7] = 0x7d;
    expect(payload[0]).toBe(0x7d);
  });

  test('copies the payload into a new array when it encodes', () => {
    const payload = Uint8Array.of(1, 2, 3);
    const encoded = codec.encode({ ...PUBLISH, payload: payload.subarray(1) });
    payload.fill(9);
    expect(hex(encoded)).toBe('320700016100010203');
    codec.encode({ type: 'pingreq' }).fill(0);
    expect(hex(codec.encode({ type: 'pingreq' }))).toBe('c000');
  });

  test.each([1, 2, 255, 256, 65534, 65535])('carries packet id %i both ways', (packetId) => {
    expect(codec.decode(codec.encode({ type: 'puback', packetId }))).toMatchObject({ packetId });
    expect(codec.decode(codec.encode({ ...PUBLISH, packetId }))).toMatchObject({ packetId });
  });

  test.each<[string, OutboundPacket]>([
    ['packetId: expected an integer from 1 to 65535, got 0', { type: 'puback', packetId: 0 }],
    ['packetId: expected an integer from 1 to 65535, got 65536', { ...PUBLISH, packetId: 65536 }],
    ['packetId: expected an integer from 1 to 65535, got 1.5', { ...PUBLISH, packetId: 1.5 }],
    ['packetId: expected an integer from 1 to 65535, got undefined', { ...PUBLISH, packetId: undefined }],
    ['dup: expected false with QoS 0 [MQTT-3.3.1-2]', { ...PUBLISH, qos: 0, dup: true }],
    ['qos: expected 0 or 1, got 2', { ...PUBLISH, qos: 2 as 1 }],
    ['topic: expected a name without wildcard and NUL [MQTT-3.3.2-2]', { ...PUBLISH, topic: 'a/#' }],
    ['topic: expected a name without wildcard and NUL [MQTT-3.3.2-2]', { ...PUBLISH, topic: '' }],
    ['topic: expected a name without wildcard and NUL [MQTT-3.3.2-2]', { ...PUBLISH, topic: 'a\0' }],
    ['topic: expected at most 65535 bytes, got 65536', { ...PUBLISH, topic: 'é'.repeat(32768) }],
    ['text: half of a surrogate pair has no UTF-8', { ...PUBLISH, topic: 'a\ud83d' }],
    ['clientId: expected text where the session is not clean', { ...CONNECT, clientId: '', clean: false }],
    ['password: expected text without NUL', { ...CONNECT, password: 'secret\0' }],
    ['password: expected at most 65535 bytes, got 65536', { ...CONNECT, password: 's'.repeat(65536) }],
    ['will topic: expected a name without wildcard and NUL [MQTT-3.3.2-2]', { ...CONNECT, will: { ...PUBLISH, topic: '+' } }],
    ['will payload: expected at most 65535 bytes, got 65536', { ...CONNECT, will: { ...PUBLISH, payload: new Uint8Array(65536) } }],
    ['subscriptions: expected 1 to 32, got 0', { type: 'subscribe', packetId: 1, subscriptions: [] }],
    ['subscriptions: expected 1 to 32, got 33', { type: 'unsubscribe', packetId: 1, topics: Array<string>(33).fill('a') }],
    [
      'topic filter: expected "+" as a level, "#" as the last level, no NUL [MQTT-4.7.1-2]',
      { type: 'subscribe', packetId: 1, subscriptions: [{ topic: 'devices/a#b/#', qos: 1 }] },
    ],
  ])('refuses to encode what it cannot: %s', (message, packet) => {
    expect(thrown(() => codec.encode(packet))).toEqual({ name: 'RangeError', code: undefined, message });
  });

  test.each<[string, OutboundPacket]>([
    ['packet: Invalid keepalive', { ...CONNECT, keepAliveSeconds: 65536 }],
    ['packet: Invalid keepalive', { ...CONNECT, keepAliveSeconds: -1 }],
  ])('passes on what mqtt-packet refuses: %s', (message, packet) => {
    expect(thrown(() => codec.encode(packet))).toEqual({ name: 'TypeError', code: undefined, message });
  });

  test('reads every PUBLISH that mqtt-packet on Node writes, and the other way round, over lengths around every boundary', () => {
    for (const topicLength of [1, 2, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 257, 300, 1000]) {
      for (const payloadLength of [0, 1, 90, 127, 128, 4000, 16384]) {
        const topic = 'é/$€😀'.repeat(topicLength).slice(0, topicLength).replace(/[\ud800-\udbff]$/, 'x');
        const payload = Uint8Array.from({ length: payloadLength }, (_, index) => index * 7);
        const packet: Publish = { ...PUBLISH, topic, payload, dup: topicLength % 2 === 1, packetId: topicLength };
        const bytes = codec.encode(packet);
        expect(hex(bytes)).toBe(generatedByMqttPacket(packet));
        const parsed = parsedByMqttPacket(bytes);
        expect(parsed).toMatchObject({ cmd: 'publish', topic, messageId: topicLength });
        expect(plain(codec.decode(bytes))).toEqual(plain(packet));
      }
    }
  });

  test('answers any byte changed in any packet with a packet or ERR_PROTOCOL', () => {
    let refused = 0;
    let read = 0;
    for (const [, , text] of INBOUND) {
      const bytes = fromHex(text);
      for (let index = 0; index < bytes.length; index++) {
        for (const value of realm === 'on Node' ? Array(256).keys() : [0, 1, 2, 3, 0x23, 0x2b, 0x31, 0x40, 0x7f, 0x80, 0x81, 0xc0, 0xed, 0xf4, 0xff]) {
          const changed = Uint8Array.from(bytes);
          changed[index] = value;
          const problem = thrown(() => codec.decode(changed));
          if (problem === undefined) read++;
          else {
            refused++;
            expect(problem).toMatchObject({ name: 'LatchkeyError', code: 'ERR_PROTOCOL' });
          }
        }
      }
    }
    expect(refused).toBeGreaterThan(read);
    expect(read).toBeGreaterThan(100);
  });
});
