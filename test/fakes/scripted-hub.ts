import mqtt, { type IConnectPacket, type IPublishPacket, type ISubscribePacket, type Packet } from 'mqtt-packet';

import type { FakeNetwork } from './fake-network.ts';
import type { FakeTime } from './fake-time.ts';
import { FakeTlsServer } from './fake-tls.ts';

/** One line of what the hub saw. */
export interface HubLogEntry {
  readonly atMs: number;
  /** Counts connections from 1. */
  readonly session: number;
  /** The command of a packet, `open`, `evicted`, or `closed` by the agent. */
  readonly what: string;
  /** Packet id of a PUBLISH or PUBACK, with `!` for DUP; topic of a `service` one. */
  readonly detail: string;
}

/** One MQTT connection as the hub sees it; every packet is made and read by mqtt-packet itself. */
export class HubSession {
  readonly number: number;
  readonly tls: FakeTlsServer;
  connect: IConnectPacket | undefined;
  isAccepted = false;
  isClosed = false;
  /** The agent said DISCONNECT. */
  hasDisconnect = false;

  constructor(number: number, tls: FakeTlsServer) {
    this.number = number;
    this.tls = tls;
  }

  send(packet: Packet): void {
    this.tls.write(mqtt.generate(packet));
  }

  accept(sessionPresent = false): void {
    this.isAccepted = true;
    this.send({ cmd: 'connack', returnCode: 0, sessionPresent });
  }

  refuse(returnCode: number): void {
    this.send({ cmd: 'connack', returnCode, sessionPresent: false });
    this.drop();
  }

  /** Ends the connection from the hub's side. */
  drop(): void {
    this.isClosed = true;
    this.tls.drop();
  }
}

/** A hub of the test's own: accepts, acknowledges and evicts as IoT Hub does unless a script says otherwise. */
export class ScriptedHub {
  readonly sessions: HubSession[] = [];
  readonly log: HubLogEntry[] = [];
  /** Text of every PUBLISH that was processed, in order; a repeated one stands twice. */
  readonly received: string[] = [];
  /** `undefined`: the handshake succeeds; text: it fails with that code; `null`: silence. */
  tlsAlert: string | null | undefined;
  /** TLS is up at the hub. */
  onOpen: (session: HubSession) => void = () => {};
  onConnect: (session: HubSession, packet: IConnectPacket) => void = (session) => this.admit(session);
  /** Whether answers to methods are acknowledged. */
  acknowledgesService = true;
  /** Twin requests and answers to methods; those of QoS 1 have been acknowledged. */
  onService: (session: HubSession, packet: IPublishPacket) => void = () => {};
  onPublish: (session: HubSession, packet: IPublishPacket) => void = (session, packet) => this.process(session, packet);
  onSubscribe: (session: HubSession, packet: ISubscribePacket) => void = (session, packet) => {
    session.send({ cmd: 'suback', messageId: packet.messageId ?? 0, granted: packet.subscriptions.map(() => 1) });
  };
  onPuback: (session: HubSession, packetId: number) => void = () => {};
  onPing: (session: HubSession) => void = (session) => session.send({ cmd: 'pingresp' });
  readonly #time: FakeTime;
  #current: HubSession | undefined;

  constructor(time: FakeTime, network: FakeNetwork, address: string, port: number) {
    this.#time = time;
    network.listen(address, port, (socket) => this.#opened(new FakeTlsServer(socket, this.tlsAlert)));
  }

  /** The connection that was accepted last, if it is open. */
  get current(): HubSession | undefined {
    return this.#current;
  }

  /** Sessions that are open, whatever their state. */
  get openCount(): number {
    return this.sessions.filter(({ isClosed }) => !isClosed).length;
  }

  get connectTimesMs(): number[] {
    return this.log.filter(({ what }) => what === 'connect').map(({ atMs }) => atMs);
  }

  /** CONNACK 0; the older connection is evicted, as IoT Hub does once the new token is verified. */
  admit(session: HubSession): void {
    const older = this.#current;
    this.#current = session;
    session.accept(false);
    if (older === undefined || older.isClosed) return;
    this.#note(older, 'evicted');
    older.drop();
  }

  /** Takes a message in and acknowledges it; what comes before CONNACK 0 or over an evicted connection counts for nothing. */
  process(session: HubSession, packet: IPublishPacket): void {
    if (!session.isAccepted) return;
    this.received.push(packet.payload.toString());
    if (packet.qos === 1) session.send({ cmd: 'puback', messageId: packet.messageId ?? 0 });
  }

  /** The log as text, one `session what detail` a line. */
  lines(...commands: string[]): string[] {
    return this.log
      .filter(({ what }) => commands.length === 0 || commands.includes(what))
      .map(({ session, what, detail }) => `${session} ${what}${detail === '' ? '' : ` ${detail}`}`);
  }

  #opened(tls: FakeTlsServer): void {
    const session = new HubSession(this.sessions.length + 1, tls);
    this.sessions.push(session);
    this.#note(session, 'open');
    // A CONNECT tells its own version; the strict parser throws on what MQTT forbids, and so fails the test.
    const parser = mqtt.parser({ protocolVersion: 4 });
    parser.on('packet', (packet: Packet) => this.#packet(session, packet));
    parser.on('error', (error: Error) => {
      throw error;
    });
    tls.onPlaintext = (bytes) => {
      if (!session.isClosed) parser.parse(Buffer.from(bytes));
    };
    tls.onOpen = () => this.onOpen(session);
    tls.onClose = () => {
      session.isClosed = true;
      this.#note(session, 'closed');
      if (this.#current === session) this.#current = undefined;
    };
  }

  #packet(session: HubSession, packet: Packet): void {
    switch (packet.cmd) {
      case 'connect':
        if (session.connect !== undefined) throw new Error('[MQTT-3.1.0-2] a second CONNECT');
        session.connect = packet;
        this.#note(session, 'connect');
        return this.onConnect(session, packet);
      case 'publish':
        if (packet.topic.startsWith('$iothub/')) return this.#service(session, packet);
        this.#note(session, 'publish', `${packet.messageId ?? 0}${packet.dup ? '!' : ''}`);
        return this.onPublish(session, packet);
      case 'subscribe':
        this.#note(session, 'subscribe');
        return this.onSubscribe(session, packet);
      case 'pingreq':
        this.#note(session, 'pingreq');
        return this.onPing(session);
      case 'puback':
        this.#note(session, 'puback', String(packet.messageId));
        return this.onPuback(session, packet.messageId ?? 0);
      case 'disconnect':
        session.hasDisconnect = true;
        return this.#note(session, 'disconnect');
      default:
        throw new Error(`the agent never sends ${packet.cmd}`);
    }
  }

  #service(session: HubSession, packet: IPublishPacket): void {
    this.#note(session, 'service', packet.topic);
    if (!session.isAccepted) throw new Error(`${packet.topic} before CONNACK`);
    if (packet.qos === 1 && this.acknowledgesService) session.send({ cmd: 'puback', messageId: packet.messageId ?? 0 });
    this.onService(session, packet);
  }

  #note(session: HubSession, what: string, detail = ''): void {
    this.log.push({ atMs: this.#time.nowMs, session: session.number, what, detail });
  }
}
