import { parser as createParser } from 'mqtt-packet';
import type { Packet as WirePacket } from 'mqtt-packet';

import { Framer, type Frame } from '../../firmware/agent/mqtt/framer.ts';
import { MAX_KEPT_TOPIC_BYTES, type LargePublish } from '../../firmware/agent/mqtt/large-publish.ts';
import type { InboundPacket } from '../../firmware/agent/mqtt/packets.ts';
import { MqttPacketCodec } from '../../firmware/codecs/mqtt.ts';
import { textCodec } from '../../firmware/codecs/text.ts';

export const MAX_INBOUND_BYTES = 256;

/** What came of the bytes of a connection: comparable, and independent of how they were cut. */
export interface Outcome {
  readonly frames: readonly string[];
  /** Codes and messages; `undefined` when the bytes ended first. */
  readonly failure: string | undefined;
}

/** Runs framer and codec over `chunks`. @throws Error for what must never happen, whatever the bytes are. */
export function runFramerAndCodec(chunks: readonly Uint8Array[], seen: Map<string, number>): Outcome {
  const framer = new Framer({
    maxInboundBytes: MAX_INBOUND_BYTES,
    decodeUtf8: textCodec.decodeUtf8,
    claims: ({ topic }) => topic.startsWith('$iothub/twin/'),
  });
  const codec = new MqttPacketCodec();
  const frames: string[] = [];
  let pieces: string[] | undefined;
  const add = (kind: string, value: string): void => {
    seen.set(kind, (seen.get(kind) ?? 0) + 1);
    frames.push(`${kind} ${value}`);
  };
  try {
    for (const chunk of chunks) {
      framer.feed(chunk);
      for (let frame = framer.next(); frame !== undefined; frame = framer.next()) {
        if (frame.kind === 'large-begun') pieces = [];
        if (frame.kind === 'large-piece') pieces!.push(Buffer.from(frame.bytes).toString('hex'));
        else add(frame.kind, describe(frame, codec, pieces, seen));
      }
    }
  } catch (error) {
    return { frames, failure: protocolFailure(error, seen) };
  }
  return { frames, failure: undefined };
}

function describe(frame: Exclude<Frame, { kind: 'large-piece' }>, codec: MqttPacketCodec, pieces: readonly string[] | undefined, seen: Map<string, number>): string {
  switch (frame.kind) {
    case 'packet': {
      if (frame.bytes.length > MAX_INBOUND_BYTES) throw new Error('a packet above the limit was held');
      const packet = decode(frame.bytes, codec, seen);
      if (packet !== undefined) {
        compareWithMqttPacket(packet, frame.bytes);
        checkRoundTrip(packet, codec);
        if (decode(frame.bytes.subarray(0, -1), codec, seen) !== undefined) throw new Error('a packet without its last byte was read');
      }
      return `${Buffer.from(frame.bytes).toString('hex')} ${packet?.type}`;
    }
    case 'large-ended':
      return `${describeLarge(frame.publish)} ${checkedPayload(frame.publish, pieces!)}`;
    default:
      return describeLarge(frame.publish);
  }
}

function decode(bytes: Uint8Array, codec: MqttPacketCodec, seen: Map<string, number>): InboundPacket | undefined {
  try {
    const packet = codec.decode(bytes);
    seen.set(packet.type, (seen.get(packet.type) ?? 0) + 1);
    return packet;
  } catch (error) {
    protocolFailure(error, seen);
    return undefined;
  }
}

/** @throws Error unless mqtt-packet, run plainly on Node, reads the same. */
function compareWithMqttPacket(packet: InboundPacket, bytes: Uint8Array): void {
  const found: WirePacket[] = [];
  const parser = createParser({ protocolVersion: 4 });
  parser.on('packet', (wire) => found.push(wire));
  parser.on('error', (error) => {
    throw new Error('mqtt-packet refuses what the codec reads', { cause: error });
  });
  parser.parse(Buffer.from(bytes));
  const [wire] = found;
  const same =
    found.length === 1 &&
    wire?.cmd === packet.type &&
    (!('packetId' in packet) || wire.messageId === packet.packetId) &&
    (packet.type !== 'publish' || wire.cmd !== 'publish' || (wire.topic === packet.topic && Buffer.compare(wire.payload as Buffer, packet.payload) === 0));
  if (!same) throw new Error('mqtt-packet reads something else than the codec');
}

/** What goes both ways comes back the same. */
function checkRoundTrip(packet: InboundPacket, codec: MqttPacketCodec): void {
  if (packet.type !== 'publish' && packet.type !== 'puback') return;
  const again = codec.decode(codec.encode(packet));
  if (JSON.stringify(again) !== JSON.stringify(packet)) throw new Error('a packet changed as it was encoded and decoded');
}

function describeLarge(publish: LargePublish): string {
  if (publish.byteCount <= MAX_INBOUND_BYTES) throw new Error('a packet that fits was not held');
  if (Buffer.byteLength(publish.topic) > MAX_KEPT_TOPIC_BYTES) throw new Error('a topic above the limit was held');
  return JSON.stringify(publish);
}

function checkedPayload(publish: LargePublish, pieces: readonly string[]): string {
  const payload = pieces.join('');
  if (payload.length !== 2 * publish.payloadByteCount) throw new Error('a payload came short');
  return payload;
}

/** @throws the error unless it is ERR_PROTOCOL */
function protocolFailure(error: unknown, seen: Map<string, number>): string {
  const { name, code, message } = error as { name?: string; code?: string; message?: string };
  if (name !== 'LatchkeyError' || code !== 'ERR_PROTOCOL') throw error;
  const kind = `refused: ${message!.replace(/\d+/g, 'N')}`;
  seen.set(kind, (seen.get(kind) ?? 0) + 1);
  return `${code} ${message}`;
}
