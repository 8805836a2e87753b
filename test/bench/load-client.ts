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

/** A client that costs little itself: mqtt-packet on a TLS socket, no session. */
export class LoadClient {
  readonly #socket: TLSSocket;
  readonly #topic: string;
  readonly #parser = createParser({ protocolVersion: 4 });
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
    socket.on('data', (bytes) => this.#parser.parse(bytes));
    socket.on('error', () => {});
    this.#parser.on('packet', ({ cmd }) => {
      if (cmd !== 'puback') return;
      this.#acknowledged++;
      this.#onPuback();
    });
  }

  /** Publishes `count` messages with at most `window` unacknowledged ones; settles when all are acknowledged. */
  publish(count: number, window: number): Promise<void> {
    const payload = Buffer.alloc(PAYLOAD_BYTES, 0x20);
    const first = this.#acknowledged;
    let sent = 0;
    return new Promise((resolve, reject) => {
      this.#socket.once('close', () => reject(new Error('the hub closed the connection')));
      this.#onPuback = () => {
        const done = this.#acknowledged - first;
        if (done === count) return resolve();
        for (; sent < count && sent - done < window; sent++) {
          this.#socket.write(generate({ cmd: 'publish', topic: this.#topic, payload, qos: 1, dup: false, retain: false, messageId: 1 + (sent % 0xffff) }));
        }
      };
      this.#onPuback();
    });
  }

  close(): void {
    this.#socket.destroy();
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
