import { LatchkeyError } from '../errors.ts';
import { MAX_SUBSCRIPTIONS, type Qos } from './packets.ts';

/** The packet types that a server sends to a client that uses QoS 0 and 1. @see MQTT 3.1.1, table 2.1 */
export const CONNACK = 2;
export const PUBLISH = 3;
export const PUBACK = 4;
export const SUBACK = 9;
export const UNSUBACK = 11;
export const PINGRESP = 13;

const RETAIN_FLAG = 0x01;
const DUP_FLAG = 0x08;

/** One byte of type and flags, and the remaining length: 7 bits a byte, 4 bytes at most. */
export const MAX_FIXED_HEADER_BYTES = 5;
const CONTINUES = 0x80;

/** Collects the fixed header of a packet out of any chunks, and refuses one that a server never sends. */
export class FixedHeader {
  readonly bytes = new Uint8Array(MAX_FIXED_HEADER_BYTES);
  /** Of `bytes`. */
  length = 0;
  complete = false;
  /** Bytes of the packet after this header, once complete. */
  remaining = 0;

  get type(): number {
    return this.bytes[0]! >> 4;
  }

  get qos(): Qos {
    return qosOf(this.bytes[0]!) as Qos;
  }

  get dup(): boolean {
    return (this.bytes[0]! & DUP_FLAG) !== 0;
  }

  get retain(): boolean {
    return (this.bytes[0]! & RETAIN_FLAG) !== 0;
  }

  reset(): void {
    this.length = 0;
    this.remaining = 0;
    this.complete = false;
  }

  /**
   * Reads on at `at`; returns where it stopped.
   * @throws ERR_PROTOCOL
   */
  read(chunk: Uint8Array, at: number): number {
    while (at < chunk.length && !this.complete) {
      const byte = chunk[at++]!;
      const index = this.length++;
      this.bytes[index] = byte;
      if (index === 0) {
        checkFirstByte(byte);
        continue;
      }
      this.remaining |= (byte & ~CONTINUES) << (7 * (index - 1));
      this.complete = (byte & CONTINUES) === 0;
      if (!this.complete && this.length === MAX_FIXED_HEADER_BYTES) {
        throw new LatchkeyError('ERR_PROTOCOL', 'the remaining length of a packet has more than 4 bytes');
      }
    }
    if (this.complete) checkRemainingLength(this.type, this.remaining);
    return at;
  }
}

/** @throws ERR_PROTOCOL for a type or flags that a server does not send. */
export function checkFirstByte(byte: number): void {
  const type = byte >> 4;
  switch (type) {
    case PUBLISH: {
      // QoS 3 [MQTT-3.3.1-4]; QoS 2 was never asked for [MQTT-3.8.4-6].
      const qos = qosOf(byte);
      if (qos > 1) throw new LatchkeyError('ERR_PROTOCOL', `a PUBLISH has QoS ${qos}`);
      // [MQTT-3.3.1-2]
      if (qos === 0 && (byte & DUP_FLAG) !== 0) throw new LatchkeyError('ERR_PROTOCOL', 'a PUBLISH of QoS 0 has the DUP flag');
      return;
    }
    case CONNACK:
    case PUBACK:
    case SUBACK:
    case UNSUBACK:
    case PINGRESP:
      // [MQTT-2.2.2-2]
      if ((byte & 0x0f) !== 0) throw new LatchkeyError('ERR_PROTOCOL', `a packet of type ${type} has flags ${byte & 0x0f}, not 0`);
      return;
    default:
      throw new LatchkeyError('ERR_PROTOCOL', `packet type ${type} is never sent to this client`);
  }
}

/** @throws ERR_PROTOCOL for a length that no packet of `type` has. */
export function checkRemainingLength(type: number, remaining: number): void {
  if (type === PUBLISH) return;
  const fits = type === SUBACK ? remaining > 2 && remaining <= 2 + MAX_SUBSCRIPTIONS : remaining === (type === PINGRESP ? 0 : 2);
  if (!fits) throw new LatchkeyError('ERR_PROTOCOL', `a packet of type ${type} has a remaining length of ${remaining}`);
}

function qosOf(firstByte: number): number {
  return (firstByte >> 1) & 3;
}
