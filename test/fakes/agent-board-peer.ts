import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { createServer, type Server, type TLSSocket } from 'node:tls';

import mqtt, { type IConnectPacket, type IPublishPacket, type ISubscribePacket, type Packet } from 'mqtt-packet';

import type { DevelopmentPki } from '../../certs/development-pki.ts';
import type { Clock } from '../../host-sim/time/clock.ts';

/** What a peer does where it is not to do the usual; each replaces the usual answer. */
export interface PeerScript {
  /** The TCP connection is open; without it TLS follows. */
  readonly onTcp?: (socket: Duplex, peer: MqttPeer) => void;
  /** TLS is up. */
  readonly onSecure?: (connection: PeerConnection) => void;
  readonly onConnect?: (connection: PeerConnection, packet: IConnectPacket) => void;
  readonly onSubscribe?: (connection: PeerConnection, packet: ISubscribePacket) => void;
  /** Twin requests and answers to methods; those of QoS 1 have been acknowledged. Without it nothing answers. */
  readonly onService?: (connection: PeerConnection, packet: IPublishPacket) => void;
  readonly onPublish?: (connection: PeerConnection, packet: IPublishPacket) => void;
  readonly onPing?: (connection: PeerConnection) => void;
}

/** A PUBLISH that reached the peer. */
export interface ReceivedPublish {
  readonly connection: number;
  readonly packetId: number;
  readonly dup: boolean;
  /** The number in the application's message. */
  readonly n: number;
  readonly atMs: number;
}

/** A small MQTT server that does as it is told; `script` may change at any time and holds from the next packet on. */
export class MqttPeer {
  script: PeerScript = {};
  readonly clock: Clock;
  readonly received: ReceivedPublish[] = [];
  /** Of the messages that were received. */
  readonly numbers = new Set<number>();
  /** The numbers of the messages that a PUBACK left for. */
  readonly acknowledged = new Set<number>();
  /** Packet ids that the device acknowledged. */
  readonly pubacks: number[] = [];
  readonly connects: IConnectPacket[] = [];
  /** Whether a device's session is kept, as the usual CONNACK says. */
  hasSession = false;
  readonly connections: PeerConnection[] = [];
  readonly #server: Server;

  constructor(pki: DevelopmentPki, clock: Clock) {
    this.clock = clock;
    this.#server = createServer({
      cert: pki.serverChainPem,
      key: pki.server.privateKeyPem,
      minVersion: 'TLSv1.2',
      // Random ones change when Node likes: a resumed session must be the test's doing.
      ticketKeys: randomBytes(48),
    });
    this.#server.on('secureConnection', (socket) => {
      const connection = new PeerConnection(this, socket, this.connections.length + 1);
      this.connections.push(connection);
      this.script.onSecure?.(connection);
    });
    this.#server.on('tlsClientError', () => {});
  }

  /** Takes a connection, of a virtual network or a real one. */
  readonly accept = (socket: Duplex): void => {
    socket.on('error', () => {});
    if (this.script.onTcp !== undefined) this.script.onTcp(socket, this);
    else this.secure(socket);
  };

  secure(socket: Duplex): void {
    this.#server.emit('connection', socket);
  }

  /** Between two messages that were received. */
  get longestGapMs(): number {
    return this.received.reduce((longest, { atMs }, index) => Math.max(longest, atMs - (this.received[index - 1]?.atMs ?? atMs)), 0);
  }

  dropConnections(): void {
    for (const connection of this.connections) if (connection.isOpen) connection.socket.destroy();
  }
}

/** One connection, plaintext. */
export class PeerConnection {
  readonly number: number;
  readonly peer: MqttPeer;
  readonly socket: TLSSocket;
  isOpen = true;
  #held: Uint8Array[] | undefined;

  constructor(peer: MqttPeer, socket: TLSSocket, number: number) {
    this.number = number;
    this.peer = peer;
    this.socket = socket;
    const parser = mqtt.parser({ protocolVersion: 4 });
    parser.on('packet', (packet) => this.#take(packet));
    parser.on('error', (error) => this.socket.destroy(error));
    socket.on('data', (bytes: Buffer) => void parser.parse(bytes));
    socket.on('error', () => {});
    socket.on('close', () => void (this.isOpen = false));
  }

  write(bytes: Uint8Array): void {
    if (this.#held !== undefined) return void this.#held.push(bytes);
    // Node's TLS never finishes a write of no bytes.
    if (bytes.length > 0 && this.socket.writable) this.socket.write(bytes);
  }

  /** Holds everything that is written from now on; without `delayMs` for ever. */
  hold(delayMs?: number): void {
    this.#held = [];
    if (delayMs === undefined) return;
    this.after(delayMs, () => {
      const held = this.#held ?? [];
      this.#held = undefined;
      for (const bytes of held) this.write(bytes);
    });
  }

  /** Hexadecimal digits, with or without blanks. */
  writeHex(digits: string): void {
    this.write(Buffer.from(digits.replaceAll(' ', ''), 'hex'));
  }

  send(packet: Packet): void {
    this.write(mqtt.generate(packet));
  }

  after(delayMs: number, action: () => void): void {
    this.peer.clock.setTimer(delayMs, () => {
      if (this.isOpen) action();
    });
  }

  /** CONNACK as a server with a memory answers; an older connection of the device is closed. */
  accept(): void {
    for (const other of this.peer.connections) if (other !== this && other.isOpen) other.socket.end();
    this.send({ cmd: 'connack', returnCode: 0, sessionPresent: this.peer.hasSession });
    this.peer.hasSession = true;
  }

  /** A message to the device. */
  publish(topic: string, payload: string | Buffer, messageId?: number): void {
    this.send({ cmd: 'publish', topic, payload, qos: messageId === undefined ? 0 : 1, dup: false, retain: false, ...(messageId !== undefined && { messageId }) });
  }

  acknowledge(packet: IPublishPacket): void {
    if (packet.qos === 0) return;
    this.peer.acknowledged.add(numberOf(packet));
    this.send({ cmd: 'puback', messageId: packet.messageId ?? 0 });
  }

  grant(packet: ISubscribePacket): void {
    this.send({ cmd: 'suback', messageId: packet.messageId ?? 0, granted: packet.subscriptions.map(() => 1) });
  }

  #take(packet: Packet): void {
    const { script } = this.peer;
    switch (packet.cmd) {
      case 'connect':
        this.peer.connects.push(packet);
        return script.onConnect === undefined ? this.accept() : script.onConnect(this, packet);
      case 'publish':
        if (packet.topic.startsWith('$iothub/')) {
          if (packet.qos === 1) this.send({ cmd: 'puback', messageId: packet.messageId ?? 0 });
          return script.onService?.(this, packet);
        }
        this.peer.numbers.add(numberOf(packet));
        this.peer.received.push({ connection: this.number, packetId: packet.messageId ?? 0, dup: packet.dup, n: numberOf(packet), atMs: this.peer.clock.monotonicMs() });
        return script.onPublish === undefined ? this.acknowledge(packet) : script.onPublish(this, packet);
      case 'subscribe':
        return script.onSubscribe === undefined ? this.grant(packet) : script.onSubscribe(this, packet);
      case 'pingreq':
        return script.onPing === undefined ? this.send({ cmd: 'pingresp' }) : script.onPing(this);
      case 'puback':
        this.peer.pubacks.push(packet.messageId ?? 0);
        return;
      case 'disconnect':
        this.socket.end();
        return;
      default:
        throw new Error(`the device sent a ${packet.cmd}`);
    }
  }
}

/** What firmware/app/samples/telemetry.ts puts into a message. */
function numberOf({ payload }: IPublishPacket): number {
  return (JSON.parse(payload.toString()) as { n: number }).n;
}
