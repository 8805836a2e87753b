/** Bytes of MQTT 3.1.1 for tables: hexadecimal digits with blanks, `{id}` where the answered packet's id comes. */

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Text with its length before it [MQTT-1.5.3]. */
export function text(value: string): string {
  const bytes = Buffer.from(value, 'utf8');
  return `${bytes.length.toString(16).padStart(4, '0')} ${hex(bytes)}`;
}

/** A packet out of its first byte and the parts behind the remaining length. */
export function packet(firstByte: number, ...parts: readonly string[]): string {
  const body = parts.join('');
  let remaining = body.replaceAll('{id}', '0000').replaceAll(' ', '').length / 2;
  const length: number[] = [];
  do {
    length.push((remaining & 0x7f) | (remaining > 0x7f ? 0x80 : 0));
    remaining >>= 7;
  } while (remaining > 0);
  return `${hex(Uint8Array.of(firstByte, ...length))} ${body}`;
}

/** A PUBLISH of the cloud; QoS 1 when it has an id. `payloadBytes` of zeros. */
export function cloudMessage(payloadBytes: number, packetId?: number): string {
  const id = packetId === undefined ? '' : packetId.toString(16).padStart(4, '0');
  return packet(packetId === undefined ? 0x30 : 0x32, text(CLOUD_TOPIC), id, '00'.repeat(payloadBytes));
}

export const CLOUD_TOPIC = 'devices/board-1/messages/devicebound/';
/** Topic with its length. */
export const CLOUD_TOPIC_BYTES = 2 + CLOUD_TOPIC.length;
