import type { Connect, OutboundPacket, PacketId, Publish, Qos } from '../agent/mqtt/packets.ts';
import { MAX_REMAINING_LENGTH, MAX_STRING_BYTES, MAX_SUBSCRIPTIONS } from '../agent/mqtt/packets.ts';
import { isTopicFilter, isTopicName } from '../agent/mqtt/topic-name.ts';
import { asBuffer } from './as-buffer.mjs';
import { encodeUtf8 } from './utf8.ts';

/** Numbers and lengths above 16 bits are refused here: they would be cut. */

/** `packet` as mqtt-packet wants it. @throws RangeError, TypeError for a packet that MQTT cannot express. */
export function toWire(packet: OutboundPacket): object {
  switch (packet.type) {
    case 'publish':
      return publishToWire(packet);
    case 'puback':
      return { cmd: 'puback', messageId: checkPacketId(packet.packetId) };
    case 'connect':
      return connectToWire(packet);
    case 'subscribe':
      checkCount(packet.subscriptions.length);
      return {
        cmd: 'subscribe',
        messageId: checkPacketId(packet.packetId),
        subscriptions: packet.subscriptions.map(({ topic, qos }) => ({ topic: checkFilter(topic), qos: checkQos(qos) })),
      };
    case 'unsubscribe':
      checkCount(packet.topics.length);
      return { cmd: 'unsubscribe', messageId: checkPacketId(packet.packetId), unsubscriptions: packet.topics.map(checkFilter) };
    case 'pingreq':
    case 'disconnect':
      return { cmd: packet.type };
  }
}

function publishToWire({ topic, payload, qos, dup, retain, packetId }: Publish): object {
  checkQos(qos);
  if (qos === 0 && dup) throw new RangeError('dup: expected false with QoS 0 [MQTT-3.3.1-2]');
  if (!isTopicName(topic)) throw new RangeError('topic: expected a name without wildcard and NUL [MQTT-3.3.2-2]');
  const topicBytes = checkSize('topic', encodeUtf8(topic));
  if (topicBytes.length + payload.length + 4 > MAX_REMAINING_LENGTH) {
    throw new RangeError(`payload: expected a packet of at most ${MAX_REMAINING_LENGTH} bytes, got ${payload.length} for the payload`);
  }
  const messageId = qos === 0 ? undefined : checkPacketId(packetId);
  return { cmd: 'publish', topic: asBuffer(topicBytes), payload: asBuffer(payload), qos, dup, retain, messageId };
}

function connectToWire({ clientId, username, password, clean, keepAliveSeconds, will }: Connect): object {
  // [MQTT-3.1.3-8]
  if (clientId === '' && !clean) throw new RangeError('clientId: expected text where the session is not clean');
  return {
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clientId: asBuffer(checkString('clientId', clientId)),
    username: asBuffer(checkString('username', username)),
    password: password === undefined ? undefined : asBuffer(checkString('password', password)),
    clean,
    keepalive: keepAliveSeconds,
    will: will && {
      topic: checkTopic(will.topic),
      payload: asBuffer(checkSize('will payload', will.payload)),
      qos: checkQos(will.qos),
      retain: will.retain,
    },
  };
}

/** The text is never repeated: it may be a token. */
function checkString(label: string, text: string): Uint8Array {
  // [MQTT-1.5.3-2]
  if (text.includes('\0')) throw new RangeError(`${label}: expected text without NUL`);
  return checkSize(label, encodeUtf8(text));
}

function checkSize(label: string, bytes: Uint8Array): Uint8Array {
  if (bytes.length > MAX_STRING_BYTES) {
    throw new RangeError(`${label}: expected at most ${MAX_STRING_BYTES} bytes, got ${bytes.length}`);
  }
  return bytes;
}

function checkTopic(topic: string): string {
  if (!isTopicName(topic)) throw new RangeError('will topic: expected a name without wildcard and NUL [MQTT-3.3.2-2]');
  checkSize('will topic', encodeUtf8(topic));
  return topic;
}

function checkFilter(filter: string): string {
  if (!isTopicFilter(filter)) throw new RangeError('topic filter: expected "+" as a level, "#" as the last level, no NUL [MQTT-4.7.1-2]');
  checkSize('topic filter', encodeUtf8(filter));
  return filter;
}

function checkPacketId(packetId: PacketId | undefined): PacketId {
  // [MQTT-2.3.1-1]
  if (packetId === undefined || !Number.isInteger(packetId) || packetId < 1 || packetId > 0xffff) {
    throw new RangeError(`packetId: expected an integer from 1 to 65535, got ${packetId}`);
  }
  return packetId;
}

function checkQos(qos: Qos): Qos {
  if (qos !== 0 && qos !== 1) throw new RangeError(`qos: expected 0 or 1, got ${String(qos)}`);
  return qos;
}

function checkCount(count: number): void {
  if (count < 1 || count > MAX_SUBSCRIPTIONS) throw new RangeError(`subscriptions: expected 1 to ${MAX_SUBSCRIPTIONS}, got ${count}`);
}
