import { createECDH, createHash, createPrivateKey, randomBytes, sign } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

import type { Fault } from './faults.ts';
import type { TlsServer } from './openssl-server.ts';
import type { Certificate } from './pki.ts';
import { CONTENT, HANDSHAKE, RecordCipher, RecordReader, handshakeMessage, prf, record, sha256, vector } from './tls12-records.ts';

const SUITE_ECDSA = 0xc02b; // ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
const SUITE_RSA = 0xc02f;
const SUITE_NOT_OFFERED = 0x009c; // RSA_WITH_AES_128_GCM_SHA256
const SUITE_UNKNOWN = 0xfafa;
const GROUP_P256 = 23;
const GROUP_P521 = 25;
const MAX_RECORD_BYTES = 16384;
const ENDLESS_BATCH = 100;
/** A byte of the server's random: header, version, then it. */
const SERVER_RANDOM_AT = 10;
const WARNING_NO_RENEGOTIATION = Buffer.from([1, 100]);
const WARNING_USER_CANCELED = Buffer.from([1, 90]);

export interface RawServerOptions {
  readonly fault?: Fault;
  /** Writes one byte at a time. */
  readonly drip?: boolean;
  /** All messages of the first flight in one record. */
  readonly coalesce?: boolean;
  /** Flips a bit of the n-th byte of the first flight (after its record headers are taken off). */
  readonly flipByte?: number;
}

/** A TLS 1.2 server in plain sight, written here so that it can do each thing wrong and nothing else. `sent`: leaf first. */
export async function startRawServer(sent: readonly Certificate[], options: RawServerOptions = {}): Promise<TlsServer & { flightBytes(): number }> {
  const sockets = new Set<Socket>();
  let flightBytes = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    const connection = new RawConnection(socket, sent, options);
    connection.onFlight = (bytes) => void (flightBytes = bytes);
    socket.on('data', (bytes) => {
      try {
        connection.receive(bytes);
      } catch {
        socket.destroy();
      }
    });
    connection.start();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    flightBytes: () => flightBytes,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

class RawConnection {
  onFlight: (bytes: number) => void = () => {};
  readonly #socket: Socket;
  readonly #sent: readonly Certificate[];
  readonly #options: RawServerOptions;
  readonly #fault: Fault;
  readonly #reader = new RecordReader();
  readonly #transcript: Buffer[] = [];
  readonly #random = randomBytes(32);
  readonly #ecdh = createECDH('prime256v1');
  #clientRandom: Buffer = Buffer.alloc(32);
  #extendedMasterSecret = false;
  #master: Buffer = Buffer.alloc(0);
  #reads: RecordCipher | undefined;
  #writes: RecordCipher | undefined;
  #clientChangedCipher = false;
  #up = false;
  #output: Promise<void> = Promise.resolve();

  constructor(socket: Socket, sent: readonly Certificate[], options: RawServerOptions) {
    this.#socket = socket;
    this.#sent = sent;
    this.#options = options;
    this.#fault = options.fault ?? 'none';
  }

  start(): void {
    switch (this.#fault) {
      case 'http': return this.#write(Buffer.from('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'));
      case 'ssh': return this.#write(Buffer.from('SSH-2.0-OpenSSH_9.2p1\r\n'));
      case 'zeros': return this.#write(Buffer.alloc(4096));
      case 'noise': return this.#write(createHash('sha512').update('noise').digest());
      case 'endless-noise': return this.#endlessly(() => randomBytes(1024));
    }
  }

  receive(bytes: Buffer): void {
    if (['http', 'ssh', 'zeros', 'noise', 'endless-noise', 'silent-at-start'].includes(this.#fault)) return;
    for (const { type, body } of this.#reader.push(bytes)) {
      if (type === CONTENT.changeCipherSpec) this.#clientChangedCipher = true;
      else this.#handle(type, this.#open(type, body));
    }
  }

  #open(type: number, body: Buffer): Buffer {
    if (!this.#clientChangedCipher || this.#reads === undefined) return body;
    try {
      return this.#reads.open(type, body);
    } catch (error) {
      // The keys differ; it goes on, so that the client is the one to find out.
      if (this.#fault === 'changed-client-hello') return handshakeMessage(HANDSHAKE.finished, Buffer.alloc(12));
      throw error;
    }
  }

  #handle(type: number, body: Buffer): void {
    if (type === CONTENT.applicationData && this.#up) return this.#answer(body);
    if (type !== CONTENT.handshake) return;
    switch (body[0]) {
      case HANDSHAKE.clientHello: return this.#answerHello(body);
      case HANDSHAKE.clientKeyExchange: return this.#deriveKeys(body);
      case HANDSHAKE.finished: return this.#finish(body);
    }
  }

  #answerHello(message: Buffer): void {
    this.#clientRandom = message.subarray(6, 38);
    this.#extendedMasterSecret = message.includes(Buffer.from([0, 23, 0, 0]));
    const seen = Buffer.from(message);
    if (this.#fault === 'changed-client-hello') seen[10]! ^= 1;
    this.#transcript.push(seen);
    if (this.#fault === 'endless-warnings-in-handshake') return this.#endlessly(() => record(CONTENT.alert, WARNING_USER_CANCELED));
    if (this.#fault === 'fatal-alert') return this.#write(record(CONTENT.alert, Buffer.from([2, 80])));
    if (this.#fault === 'unknown-record-type') return this.#write(record(99, Buffer.alloc(10)));
    if (this.#fault === 'message-too-long') {
      this.#write(record(CONTENT.handshake, Buffer.from([HANDSHAKE.serverHello, 0xff, 0xff, 0xff])));
      return this.#endlessly(() => record(CONTENT.handshake, Buffer.alloc(1000)));
    }
    const flight: readonly [Buffer, Fault, Fault | undefined][] = [
      [this.#hello(), 'changed-server-hello', 'silent-after-hello'],
      [this.#certificate(), 'changed-certificate', 'silent-after-certificate'],
      [this.#keyExchange(), 'changed-key-exchange', 'silent-after-key-exchange'],
      [handshakeMessage(HANDSHAKE.serverHelloDone, Buffer.alloc(0)), 'changed-hello-done', undefined],
    ];
    if (this.#fault === 'hello-done-first') return this.#sendMessages([flight[0]![0], flight[3]![0]]);
    if (this.#fault === 'certificate-twice') return this.#sendMessages([flight[0]![0], flight[1]![0], flight[1]![0]]);
    const onWire: Buffer[] = [];
    for (const [bytes, changed, silent] of flight) {
      this.#transcript.push(bytes);
      const copy = Buffer.from(bytes);
      if (this.#fault === changed) copy[changed === 'changed-server-hello' ? SERVER_RANDOM_AT : changed === 'changed-hello-done' ? 0 : copy.length - 1]! ^= 1;
      onWire.push(copy);
      if (this.#fault === silent) break;
    }
    this.#sendMessages(onWire);
  }

  #hello(): Buffer {
    const isRsa = this.#sent[0]!.spec.key.startsWith('rsa');
    const suite = Buffer.alloc(2);
    suite.writeUInt16BE(this.#fault === 'suite-not-offered' ? SUITE_NOT_OFFERED : this.#fault === 'suite-unknown' ? SUITE_UNKNOWN : isRsa ? SUITE_RSA : SUITE_ECDSA);
    const extension = (type: number, body: number[]): Buffer => Buffer.concat([Buffer.from([type >> 8, type & 255]), vector(2, Buffer.from(body))]);
    const extensions = [
      ...(this.#fault === 'no-renegotiation-info' ? [] : [extension(0xff01, [0])]),
      ...(this.#extendedMasterSecret ? [extension(23, [])] : []),
      extension(11, [1, 0]),
    ];
    return handshakeMessage(HANDSHAKE.serverHello, Buffer.concat([
      Buffer.from([3, this.#fault === 'version-1.1' ? 2 : 3]), this.#random, vector(1, Buffer.alloc(0)), suite,
      Buffer.from([this.#fault === 'compression' ? 1 : 0]), vector(2, Buffer.concat(extensions)),
    ]));
  }

  #certificate(): Buffer {
    const list = this.#fault === 'no-certificate' ? [] : this.#sent.map(({ der }) => vector(3, der));
    return handshakeMessage(HANDSHAKE.certificate, vector(3, Buffer.concat(list)));
  }

  #keyExchange(): Buffer {
    const point = this.#ecdh.generateKeys();
    if (this.#fault === 'point-not-on-curve') point[point.length - 1]! ^= 1;
    const group = this.#fault === 'group-not-offered' ? GROUP_P521 : GROUP_P256;
    const publicPoint = this.#fault === 'group-not-offered' ? createECDH('secp521r1').generateKeys() : point;
    const parameters = Buffer.concat([Buffer.from([3, 0, group]), vector(1, publicPoint)]);
    const signer = this.#fault === 'key-exchange-of-another-key' ? this.#sent[1]! : this.#sent[0]!;
    const weak = this.#fault === 'sha1-key-exchange';
    const key = createPrivateKey(signer.privateKeyPem);
    const signature = sign(weak ? 'sha1' : 'sha256', Buffer.concat([this.#clientRandom, this.#random, parameters]), key);
    const algorithm = Buffer.from([weak ? 2 : 4, signer.spec.key.startsWith('rsa') ? 1 : 3]);
    return handshakeMessage(HANDSHAKE.serverKeyExchange, Buffer.concat([parameters, algorithm, vector(2, signature)]));
  }

  #deriveKeys(message: Buffer): void {
    this.#transcript.push(message);
    const shared = this.#ecdh.computeSecret(message.subarray(5));
    const randoms = Buffer.concat([this.#clientRandom, this.#random]);
    this.#master = this.#extendedMasterSecret
      ? prf(shared, 'extended master secret', sha256(...this.#transcript), 48)
      : prf(shared, 'master secret', randoms, 48);
    const keys = prf(this.#master, 'key expansion', Buffer.concat([this.#random, this.#clientRandom]), 40);
    this.#reads = new RecordCipher(keys.subarray(0, 16), keys.subarray(32, 36));
    this.#writes = new RecordCipher(keys.subarray(16, 32), keys.subarray(36, 40));
  }

  #finish(message: Buffer): void {
    this.#transcript.push(message);
    if (this.#fault === 'silent-after-hello-done') return;
    const finished = handshakeMessage(HANDSHAKE.finished, prf(this.#master, 'server finished', sha256(...this.#transcript), 12));
    if (this.#fault === 'wrong-finished' || this.#fault === 'changed-finished') finished[finished.length - 1]! ^= 1;
    if (this.#fault === 'finished-in-clear') return this.#write(record(CONTENT.handshake, finished));
    if (this.#fault !== 'no-change-cipher-spec') this.#write(record(CONTENT.changeCipherSpec, Buffer.from([1])));
    if (this.#fault === 'silent-before-finished') return;
    const sealed = this.#writes!.seal(CONTENT.handshake, finished);
    if (this.#fault === 'silent-in-a-record') return this.#write(sealed.subarray(0, -1));
    this.#write(sealed);
    this.#up = true;
  }

  /** Sends the line back, or does what the fault says when the session is up. */
  #answer(line: Buffer): void {
    const seal = (type: number, plain: Buffer): Buffer => this.#writes!.seal(type, plain);
    switch (this.#fault) {
      case 'silent-when-up': return;
      case 'record-too-long': return this.#write(seal(CONTENT.applicationData, Buffer.alloc(MAX_RECORD_BYTES + 1)));
      case 'largest-record': return this.#write(seal(CONTENT.applicationData, Buffer.alloc(MAX_RECORD_BYTES)));
      case 'plain-data-when-up': return this.#write(record(CONTENT.applicationData, line));
      case 'endless-empty-records': return this.#endlessly(() => seal(CONTENT.applicationData, Buffer.alloc(0)));
      case 'endless-warnings': return this.#endlessly(() => seal(CONTENT.alert, WARNING_NO_RENEGOTIATION));
      case 'endless-hello-requests': return this.#endlessly(() => seal(CONTENT.handshake, handshakeMessage(HANDSHAKE.helloRequest, Buffer.alloc(0))));
      case 'a-hello-request': this.#write(seal(CONTENT.handshake, handshakeMessage(HANDSHAKE.helloRequest, Buffer.alloc(0)))); break;
      case 'a-few-empty-records': for (let i = 0; i < 2; i++) this.#write(seal(CONTENT.applicationData, Buffer.alloc(0))); break;
      case 'close-notify': return this.#write(seal(CONTENT.alert, Buffer.from([1, 0])));
    }
    const sealed = seal(CONTENT.applicationData, line);
    if (this.#fault === 'wrong-tag') sealed[sealed.length - 1]! ^= 1;
    this.#write(this.#fault === 'replayed-record' ? Buffer.concat([sealed, sealed]) : sealed);
  }

  #sendMessages(messages: Buffer[]): void {
    const all = Buffer.concat(messages);
    this.onFlight(all.length);
    const { flipByte } = this.#options;
    if (flipByte !== undefined) {
      let at = flipByte;
      const hit = messages.findIndex((message) => (at < message.length ? true : ((at -= message.length), false)));
      if (hit >= 0) messages[hit]![at]! ^= 0x10;
    }
    for (const bytes of this.#options.coalesce === true ? [Buffer.concat(messages)] : messages) this.#write(record(CONTENT.handshake, bytes));
  }

  #write(bytes: Buffer): void {
    if (this.#options.drip !== true) {
      this.#socket.write(bytes);
      return;
    }
    this.#output = this.#output.then(async () => {
      for (const byte of bytes) {
        this.#socket.write(Buffer.from([byte]));
        await new Promise(setImmediate);
      }
    });
  }

  /** As fast as the client takes it, until the client goes. */
  #endlessly(make: () => Buffer): void {
    const batch = (): void => {
      if (this.#socket.destroyed) return;
      const more = this.#socket.write(Buffer.concat(Array.from({ length: ENDLESS_BATCH }, make)));
      if (more) setImmediate(batch);
      else this.#socket.once('drain', batch);
    };
    batch();
  }
}
