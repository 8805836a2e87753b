import { createCipheriv, createDecipheriv, createHash, createHmac } from 'node:crypto';

/** RFC 5246 6.2.1 and 7.4. */
export const CONTENT = { changeCipherSpec: 20, alert: 21, handshake: 22, applicationData: 23 } as const;
export const HANDSHAKE = {
  helloRequest: 0, clientHello: 1, serverHello: 2, certificate: 11, serverKeyExchange: 12, serverHelloDone: 14, clientKeyExchange: 16, finished: 20,
} as const;

const GCM_TAG_BYTES = 16;
const EXPLICIT_NONCE_BYTES = 8;
const RECORD_HEADER_BYTES = 5;

/** RFC 5246 5: P_SHA256. */
export function prf(secret: Buffer, label: string, seed: Buffer, length: number): Buffer {
  const labelled = Buffer.concat([Buffer.from(label, 'ascii'), seed]);
  let a = labelled;
  let out = Buffer.alloc(0);
  while (out.length < length) {
    a = createHmac('sha256', secret).update(a).digest();
    out = Buffer.concat([out, createHmac('sha256', secret).update(a).update(labelled).digest()]);
  }
  return out.subarray(0, length);
}

export const sha256 = (...parts: readonly Buffer[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();

export function vector(lengthBytes: 1 | 2 | 3, body: Buffer): Buffer {
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(body.length, 0, lengthBytes);
  return Buffer.concat([length, body]);
}

export const handshakeMessage = (type: number, body: Buffer): Buffer => Buffer.concat([Buffer.from([type]), vector(3, body)]);

export function record(type: number, body: Buffer, minor = 3): Buffer {
  return Buffer.concat([Buffer.from([type, 3, minor]), vector(2, body)]);
}

/** AES-128-GCM of one direction, RFC 5288 3. */
export class RecordCipher {
  readonly #key: Buffer;
  readonly #salt: Buffer;
  #sequence = 0n;

  constructor(key: Buffer, salt: Buffer) {
    this.#key = key;
    this.#salt = salt;
  }

  seal(type: number, plain: Buffer): Buffer {
    const explicit = Buffer.alloc(EXPLICIT_NONCE_BYTES);
    explicit.writeBigUInt64BE(this.#sequence);
    const cipher = createCipheriv('aes-128-gcm', this.#key, Buffer.concat([this.#salt, explicit]));
    cipher.setAAD(this.#additionalData(type, plain.length));
    const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
    return record(type, Buffer.concat([explicit, sealed, cipher.getAuthTag()]));
  }

  open(type: number, body: Buffer): Buffer {
    const sealed = body.subarray(EXPLICIT_NONCE_BYTES, -GCM_TAG_BYTES);
    const nonce = Buffer.concat([this.#salt, body.subarray(0, EXPLICIT_NONCE_BYTES)]);
    const decipher = createDecipheriv('aes-128-gcm', this.#key, nonce);
    decipher.setAAD(this.#additionalData(type, sealed.length));
    decipher.setAuthTag(body.subarray(-GCM_TAG_BYTES));
    return Buffer.concat([decipher.update(sealed), decipher.final()]);
  }

  #additionalData(type: number, length: number): Buffer {
    const data = Buffer.alloc(13);
    data.writeBigUInt64BE(this.#sequence++);
    data.writeUInt8(type, 8);
    data.writeUInt16BE(0x0303, 9);
    data.writeUInt16BE(length, 11);
    return data;
  }
}

/** Cuts a stream of bytes into records. */
export class RecordReader {
  #waiting = Buffer.alloc(0);

  push(bytes: Buffer): { readonly type: number; readonly body: Buffer }[] {
    this.#waiting = Buffer.concat([this.#waiting, bytes]);
    const records: { readonly type: number; readonly body: Buffer }[] = [];
    while (this.#waiting.length >= RECORD_HEADER_BYTES) {
      const end = RECORD_HEADER_BYTES + this.#waiting.readUInt16BE(3);
      if (this.#waiting.length < end) break;
      records.push({ type: this.#waiting.readUInt8(0), body: this.#waiting.subarray(RECORD_HEADER_BYTES, end) });
      this.#waiting = this.#waiting.subarray(end);
    }
    return records;
  }
}
