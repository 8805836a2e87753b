import { LatchkeyError } from '../errors.ts';
import type { FixedHeader } from './fixed-header.ts';
import type { PacketId, Qos } from './packets.ts';
import { isTopicName } from './topic-name.ts';

/** The bytes of a topic that are kept of a PUBLISH too large to hold; IoT Hub's topics with a request id are shorter. */
export const MAX_KEPT_TOPIC_BYTES = 512;

/** What a PUBLISH too large to hold says of itself. */
export interface LargePublish {
  /** At most `MAX_KEPT_TOPIC_BYTES` of it, cut between two characters. */
  readonly topic: string;
  readonly topicCut: boolean;
  readonly qos: Qos;
  readonly dup: boolean;
  readonly retain: boolean;
  /** Present exactly with QoS above 0. */
  readonly packetId?: PacketId | undefined;
  /** Of the whole packet. */
  readonly byteCount: number;
  readonly payloadByteCount: number;
}

const TOPIC_LENGTH = 0;
const TOPIC = 1;
const PACKET_ID = 2;
const PAYLOAD = 3;

/** Reads one PUBLISH as it passes by, holding no more of it than its topic. */
export class LargePublishReader {
  /** Known once the variable header has passed. */
  publish: LargePublish | undefined;
  /** Bytes of the packet still to come. */
  remaining: number;

  readonly #header: FixedHeader;
  readonly #decodeUtf8: (bytes: Uint8Array) => string;
  #state = TOPIC_LENGTH;
  #number = 0;
  #numberLength = 0;
  #topicLength = 0;
  #topicRead = 0;
  #topic: Uint8Array | undefined;
  #packetId: PacketId | undefined;

  /** `header` must not change before `publish` is known. */
  constructor(header: FixedHeader, decodeUtf8: (bytes: Uint8Array) => string) {
    this.#header = header;
    this.#decodeUtf8 = decodeUtf8;
    this.remaining = header.remaining;
  }

  /**
   * Reads topic and packet id from `at` on; returns where it stopped.
   * @throws ERR_PROTOCOL
   */
  readHeader(chunk: Uint8Array, at: number): number {
    const start = at;
    while (at < chunk.length && this.#state !== PAYLOAD) {
      at = this.#state === TOPIC ? this.#readTopic(chunk, at) : this.#readNumber(chunk[at]!, at);
    }
    this.remaining -= at - start;
    if (this.#state === PAYLOAD) this.publish = this.#describe();
    return at;
  }

  /** The payload that lies in `chunk` from `at` on, as a view. */
  readPiece(chunk: Uint8Array, at: number): Uint8Array {
    const piece = chunk.subarray(at, at + this.remaining);
    this.remaining -= piece.length;
    return piece;
  }

  #readNumber(byte: number, at: number): number {
    this.#number = (this.#number << 8) | byte;
    if (++this.#numberLength === 2) {
      if (this.#state === TOPIC_LENGTH) this.#beginTopic(this.#number);
      else this.#setPacketId(this.#number);
      this.#number = 0;
      this.#numberLength = 0;
    }
    return at + 1;
  }

  #beginTopic(length: number): void {
    // [MQTT-4.7.3-1]
    if (length === 0) throw new LatchkeyError('ERR_PROTOCOL', 'a PUBLISH has an empty topic');
    if (2 + length + (this.#header.qos > 0 ? 2 : 0) > this.#header.remaining) {
      throw new LatchkeyError('ERR_PROTOCOL', 'the topic of a PUBLISH is longer than the packet');
    }
    this.#topicLength = length;
    this.#topic = new Uint8Array(Math.min(length, MAX_KEPT_TOPIC_BYTES));
    this.#state = TOPIC;
  }

  #readTopic(chunk: Uint8Array, at: number): number {
    const topic = this.#topic!;
    const end = Math.min(chunk.length, at + this.#topicLength - this.#topicRead);
    const kept = Math.min(end - at, topic.length - this.#topicRead);
    if (kept > 0) topic.set(chunk.subarray(at, at + kept), this.#topicRead);
    this.#topicRead += end - at;
    if (this.#topicRead === this.#topicLength) this.#state = this.#header.qos > 0 ? PACKET_ID : PAYLOAD;
    return end;
  }

  #setPacketId(packetId: number): void {
    // [MQTT-2.3.1-1]
    if (packetId === 0) throw new LatchkeyError('ERR_PROTOCOL', 'a PUBLISH has packet id 0');
    this.#packetId = packetId;
    this.#state = PAYLOAD;
  }

  #describe(): LargePublish {
    const header = this.#header;
    const topicCut = this.#topicLength > MAX_KEPT_TOPIC_BYTES;
    const topic = this.#decodeUtf8(topicCut ? withoutCutCharacter(this.#topic!) : this.#topic!);
    if (!isTopicName(topic)) throw new LatchkeyError('ERR_PROTOCOL', 'the topic of a PUBLISH has a wildcard or a NUL');
    this.#topic = undefined;
    return {
      topic,
      topicCut,
      qos: header.qos,
      dup: header.dup,
      retain: header.retain,
      packetId: this.#packetId,
      byteCount: header.length + header.remaining,
      payloadByteCount: this.remaining,
    };
  }
}

/** `utf8` without a character at its end of which bytes are missing (RFC 3629, section 3). */
function withoutCutCharacter(utf8: Uint8Array): Uint8Array {
  let lead = utf8.length - 1;
  const first = Math.max(0, utf8.length - 4);
  while (lead > first && (utf8[lead]! & 0xc0) === 0x80) lead--;
  const byte = utf8[lead]!;
  const size = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
  return lead + size > utf8.length ? utf8.subarray(0, lead) : utf8;
}
