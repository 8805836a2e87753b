import { LatchkeyError } from '../errors.ts';
import { MAX_MESSAGE_BYTES } from '../limits.ts';
import { MAX_STRING_BYTES } from '../mqtt/packets.ts';
import { formatProperties, type MessageProperties } from '../properties.ts';
import type { TextCodec } from '../text-codec.ts';

/**
 * The topic of a message.
 * @throws ERR_PROPERTY
 */
export function topicOf(prefix: string, properties: MessageProperties | undefined): string {
  return properties === undefined ? prefix : prefix + formatProperties(properties);
}

/**
 * The payload as bytes, checked: what cannot be encoded must not come into the queue, it would fail again on every connection.
 * @throws ERR_MESSAGE_SIZE, TypeError
 */
export function encodeMessage(text: TextCodec, payload: Uint8Array | string, topic: string): Uint8Array {
  const bytes = typeof payload === 'string' ? text.encodeUtf8(payload) : payload;
  if (!(bytes instanceof Uint8Array)) throw new TypeError('send: expected a Uint8Array or text');
  if (bytes.length + topic.length > MAX_MESSAGE_BYTES) {
    throw new LatchkeyError('ERR_MESSAGE_SIZE', `message: expected at most ${MAX_MESSAGE_BYTES} bytes with its properties, got ${bytes.length + topic.length}`);
  }
  if (topic.length > MAX_STRING_BYTES) {
    throw new LatchkeyError('ERR_MESSAGE_SIZE', `properties: expected at most ${MAX_STRING_BYTES} bytes with the topic, got ${topic.length}`);
  }
  return bytes;
}
