import { once } from 'node:events';
import { createHmac } from 'node:crypto';
import { connect, type TLSSocket } from 'node:tls';

import { generate, parser as createParser } from 'mqtt-packet';

import { PAYLOAD_BYTES } from './client.ts';

export interface LoadTarget {
  readonly hubName: string;
  readonly port: number;
  readonly ca: string;
  readonly deviceId: string;
  readonly keyBase64: string;
}

const TOKEN_LIFE_SECONDS = 3600;
const KEEP_ALIVE_SECONDS = 240;
/** MQTT 3.1.1, 3.4: a fixed header of two bytes, and the id. */
const PUBACK = 0x40;
const PUBACK_BYTES = 4;

/** A client that costs little itself: on a TLS socket, no session, and after CONNACK it counts PUBACKs and nothing else. */
export class LoadClient {
  readonly #socket: TLSSocket;
  readonly #topic: string;
  readonly #parser = createParser({ protocolVersion: 4 });
  #isConnected = false;
  /** Bytes of the packet that has begun. */
  #begunBytes = 0;
  #acknowledged = 0;
  #onPuback: () => void = () => {};

  /** @returns once the hub has accepted. @throws Error when it has not */
  static async connect(target: LoadTarget): Promise<LoadClient> {
    const { hubName, port, ca, deviceId, keyBase64 } = target;
    const socket = connect({ host: '127.0.0.1', port, ca, servername: hubName });
    await once(socket, 'secureConnect');
    socket.setNoDelay(true);
    const client = new LoadClient(socket, deviceId);
    const accepted = client.#nextConnack();
    socket.write(
      generate({
        cmd: 'connect',
        protocolId: 'MQTT',
        protocolVersion: 4,
        clean: true,
        clientId: deviceId,
        keepalive: KEEP_ALIVE_SECONDS,
        username: `${hubName}/${deviceId}/?api-version=2021-04-12`,
        password: Buffer.from(makeToken(`${hubName}/devices/${deviceId}`, keyBase64)),
      }),
    );
    await accepted;
    return client;
  }

  private constructor(socket: TLSSocket, deviceId: string) {
    this.#socket = socket;
    this.#topic = `devices/${deviceId}/messages/events/`;
    socket.on('data', (bytes: Buffer) => this.#receive(bytes));
    socket.on('error', () => {});
  }

  /** Publishes `count` messages with at most `window` unacknowledged ones; settles when all are acknowledged. */
  publish(count: number, window: number): Promise<void> {
    const packet = this.#makePublish();
    const first = this.#acknowledged;
    let sent = 0;
    return new Promise((resolve, reject) => {
      this.#socket.once('close', () => reject(new Error('the hub closed the connection')));
      this.#onPuback = () => {
        const done = this.#acknowledged - first;
        if (done === count) return resolve();
        const due = Math.min(count, done + window) - sent;
        // Half a window at a time: what is measured is the broker, and writing is most of a client's work.
        if (due === 0 || due < Math.min(window / 2, count - sent)) return;
        const bytes = Buffer.alloc(due * packet.length);
        for (let index = 0; index < due; index++, sent++) {
          packet.copy(bytes, index * packet.length);
          bytes.writeUInt16BE(1 + (sent % 0xffff), index * packet.length + this.#idOffset);
        }
        this.#socket.write(bytes);
      };
      this.#onPuback();
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(bytes: Buffer): void {
    if (!this.#isConnected) {
      this.#isConnected = true;
      this.#parser.parse(bytes);
      return;
    }
    for (let index = (PUBACK_BYTES - this.#begunBytes) % PUBACK_BYTES; index < bytes.length; index += PUBACK_BYTES) {
      if (bytes[index] !== PUBACK) throw new Error(`the broker sent a packet of type 0x${bytes[index]!.toString(16)} instead of PUBACK`);
    }
    this.#begunBytes += bytes.length;
    this.#acknowledged += Math.floor(this.#begunBytes / PUBACK_BYTES);
    this.#begunBytes %= PUBACK_BYTES;
    this.#onPuback();
  }

  /** One PUBLISH, whose id is to be set. */
  #makePublish(): Buffer {
    const payload = Buffer.alloc(PAYLOAD_BYTES, 0x20);
    return generate({ cmd: 'publish', topic: this.#topic, payload, qos: 1, dup: false, retain: false, messageId: 1 });
  }

  /** Behind the fixed header of two or three bytes, and the topic. */
  get #idOffset(): number {
    const bodyBytes = 2 + this.#topic.length + 2 + PAYLOAD_BYTES;
    return 1 + (bodyBytes < 128 ? 1 : 2) + 2 + this.#topic.length;
  }

  #nextConnack(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.once('close', () => reject(new Error('the hub closed the connection before CONNACK')));
      this.#parser.once('packet', (packet) => {
        if (packet.cmd === 'connack' && packet.returnCode === 0) resolve();
        else reject(new Error(`the hub answered ${packet.cmd} ${'returnCode' in packet ? String(packet.returnCode) : ''}`));
      });
    });
  }
}

function makeToken(resource: string, keyBase64: string): string {
  const encoded = encodeURIComponent(resource);
  const expirySeconds = Math.ceil(Date.now() / 1000) + TOKEN_LIFE_SECONDS;
  const signature = createHmac('sha256', Buffer.from(keyBase64, 'base64')).update(`${encoded}\n${expirySeconds}`).digest('base64');
  return `SharedAccessSignature sr=${encoded}&sig=${encodeURIComponent(signature)}&se=${expirySeconds}`;
}
