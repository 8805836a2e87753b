/** Why bytes cannot be MQTT packets of this hub. */
export type FrameFault = 'remaining-length-malformed' | 'packet-too-large';

/** [MQTT-2.2.3]: the remaining length has at most four bytes. */
const MAX_LENGTH_BYTES = 4;

/** What the first piece of a packet gets; it doubles up to the packet's own length. */
const FIRST_CAPACITY_BYTES = 256;

/**
 * Cuts a byte stream into MQTT packets by their fixed headers. A packet that arrives whole is a view of the chunk; one that
 * comes in pieces is copied into a buffer that grows with what has come, not with what was announced.
 */
export class Framer {
  #held = Buffer.alloc(0);
  #heldBytes = 0;
  /** Length of the held packet with its fixed header; 0 while that is not known. */
  #packetBytes = 0;

  /** Bytes of an incomplete packet that are held. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /**
   * @param maxPacketBytes asked for each packet, as soon as its length is known: it changes when a CONNECT was accepted
   * @param onPacket one whole packet; `false` ends the cutting and drops what is left
   */
  push(chunk: Buffer, maxPacketBytes: () => number, onPacket: (packet: Buffer) => boolean): FrameFault | undefined {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#heldBytes > 0) {
        const missingBytes = this.#packetBytes === 0 ? 1 : this.#packetBytes - this.#heldBytes;
        this.#hold(rest.subarray(0, missingBytes));
        rest = rest.subarray(missingBytes);
      }
      const isHeld = this.#heldBytes > 0;
      const source = isHeld ? this.#held.subarray(0, this.#heldBytes) : rest;
      if (this.#packetBytes === 0) {
        const packetBytes = readPacketBytes(source);
        if (packetBytes === undefined) return 'remaining-length-malformed';
        if (packetBytes > maxPacketBytes()) return 'packet-too-large';
        this.#packetBytes = packetBytes;
      }
      const packetBytes = this.#packetBytes;
      if (packetBytes === 0 || source.length < packetBytes) {
        if (isHeld) continue;
        this.#hold(rest);
        return undefined;
      }
      this.#packetBytes = 0;
      if (isHeld) this.#release();
      else rest = rest.subarray(packetBytes);
      if (!onPacket(source.length === packetBytes ? source : source.subarray(0, packetBytes))) return undefined;
    }
    return undefined;
  }

  #hold(bytes: Buffer): void {
    const neededBytes = this.#heldBytes + bytes.length;
    if (neededBytes > this.#held.length) {
      const grown = Buffer.allocUnsafe(Math.max(neededBytes, this.#held.length * 2, FIRST_CAPACITY_BYTES));
      this.#held.copy(grown, 0, 0, this.#heldBytes);
      this.#held = grown;
    }
    bytes.copy(this.#held, this.#heldBytes);
    this.#heldBytes = neededBytes;
  }

  /** The buffer is the packet's now: its payload may be kept by whoever gets it. */
  #release(): void {
    this.#held = Buffer.alloc(0);
    this.#heldBytes = 0;
  }
}

/** Length of the packet with its fixed header; 0 when that needs more bytes, `undefined` when it is malformed. */
function readPacketBytes(bytes: Buffer): number | undefined {
  let length = 0;
  for (let index = 0; index < MAX_LENGTH_BYTES; index++) {
    const byte = bytes[index + 1];
    if (byte === undefined) return 0;
    length += (byte & 0x7f) * 128 ** index;
    if (byte < 0x80) return length + index + 2;
  }
  return undefined;
}
