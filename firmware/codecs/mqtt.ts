/// <reference path="./mqtt-packet.d.ts" />
import Parser, { type ParsedPacket } from 'mqtt-packet/parser.js';
import writeToStream from 'mqtt-packet/writeToStream.js';

import { LatchkeyError } from '../agent/errors.ts';
import { checkFirstByte, checkRemainingLength, MAX_FIXED_HEADER_BYTES } from '../agent/mqtt/fixed-header.ts';
import type { InboundPacket, MqttCodec, OutboundPacket, Qos } from '../agent/mqtt/packets.ts';
import { isTopicName } from '../agent/mqtt/topic-name.ts';
import { toWire } from './mqtt-encode.ts';
import { MqttSink } from './mqtt-sink.ts';
import { encodeUtf8 } from './utf8.ts';

// Here and not later: preload makes the module's variables constants, and the cache is 65536 arrays.
writeToStream.cacheNumbers = false;

/** MQTT 3.1.1 by mqtt-packet. */
export class MqttPacketCodec implements MqttCodec {
  #parser = new PacketParser();

  encode(packet: OutboundPacket): Uint8Array {
    const sink = new MqttSink();
    writeToStream(toWire(packet), sink);
    return sink.take();
  }

  decode(bytes: Uint8Array): InboundPacket {
    checkWhole(bytes);
    return toPacket(this.#parse(bytes), bytes);
  }

  #parse(bytes: Uint8Array): ParsedPacket {
    const parser = this.#parser;
    try {
      parser.parse(bytes);
      const packet = parser.take();
      if (packet !== undefined) return packet;
      throw malformed();
    } catch (cause) {
      // After an error it would read the next packet from the wrong place.
      this.#parser = new PacketParser();
      throw cause instanceof LatchkeyError ? cause : malformed(cause);
    }
  }
}

/** mqtt-packet's parser, which calls its own `emit` with what it found. */
class PacketParser extends Parser {
  #packet: ParsedPacket | undefined;

  constructor() {
    super();
    this.parser({ protocolVersion: 4 });
  }

  override emit(event: 'packet' | 'error', value: ParsedPacket | Error): boolean {
    if (event === 'error') throw value;
    this.#packet = value as ParsedPacket;
    return true;
  }

  take(): ParsedPacket | undefined {
    const packet = this.#packet;
    this.#packet = undefined;
    return packet;
  }
}

/** The parser keeps what is missing or left over for its next call, so it is given one whole packet or nothing. @throws ERR_PROTOCOL */
function checkWhole(bytes: Uint8Array): void {
  const firstByte = bytes[0];
  if (firstByte === undefined) throw notWhole(bytes);
  checkFirstByte(firstByte);
  let remaining = 0;
  let at = 1;
  let byte: number | undefined;
  do {
    byte = bytes[at];
    if (byte === undefined || at === MAX_FIXED_HEADER_BYTES) throw notWhole(bytes);
    remaining |= (byte & 0x7f) << (7 * (at - 1));
    at++;
  } while (byte > 0x7f);
  if (at + remaining !== bytes.length) throw notWhole(bytes);
  checkRemainingLength(firstByte >> 4, remaining);
}

function notWhole(bytes: Uint8Array): LatchkeyError {
  return new LatchkeyError('ERR_PROTOCOL', `${bytes.length} bytes are not one whole packet`);
}

/** What the parser leaves unchecked is checked here. @throws ERR_PROTOCOL */
function toPacket(packet: ParsedPacket, bytes: Uint8Array): InboundPacket {
  switch (packet.cmd) {
    case 'publish': {
      const { topic, payload, dup, retain } = packet;
      checkTopic(topic, bytes, payload.length + (packet.qos > 0 ? 2 : 0));
      const published = { type: 'publish', topic, payload, qos: packet.qos as Qos, dup, retain } as const;
      return packet.qos === 0 ? published : { ...published, packetId: checkPacketId(packet) };
    }
    case 'puback':
      return { type: 'puback', packetId: checkPacketId(packet) };
    case 'connack':
      return { type: 'connack', sessionPresent: packet.sessionPresent, returnCode: packet.returnCode };
    case 'suback':
      return { type: 'suback', packetId: checkPacketId(packet), granted: packet.granted };
    case 'unsuback':
      return { type: 'unsuback', packetId: checkPacketId(packet) };
    case 'pingresp':
      return { type: 'pingresp' };
    default:
      throw malformed();
  }
}

/** @throws ERR_PROTOCOL for id 0 [MQTT-2.3.1-1], and -1, which is the parser's for an id that is not there. */
function checkPacketId({ messageId, cmd }: ParsedPacket): number {
  if (messageId === undefined || messageId < 1) throw new LatchkeyError('ERR_PROTOCOL', `a ${cmd} has no packet id above 0`);
  return messageId;
}

/**
 * @throws ERR_PROTOCOL for a topic with wildcards [MQTT-3.3.2-2], and for U+FFFD that no byte said: on Node, where the
 * shims are not in place, that is what ill-formed UTF-8 becomes.
 */
function checkTopic(topic: string, bytes: Uint8Array, byteCountAfter: number): void {
  if (!isTopicName(topic)) throw new LatchkeyError('ERR_PROTOCOL', 'the topic of a PUBLISH is empty, or has a wildcard or a NUL');
  if (!topic.includes('\ufffd')) return;
  const expected = encodeUtf8(topic);
  const start = bytes.length - byteCountAfter - expected.length;
  if (!expected.every((byte, index) => byte === bytes[start + index])) {
    throw new LatchkeyError('ERR_PROTOCOL', 'the topic of a PUBLISH is not well-formed UTF-8');
  }
}

function malformed(cause?: unknown): LatchkeyError {
  return new LatchkeyError('ERR_PROTOCOL', 'an MQTT packet is malformed', { cause });
}
