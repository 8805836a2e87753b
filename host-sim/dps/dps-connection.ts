import type { Duplex } from 'node:stream';
import type { IConnectPacket, IPublishPacket, ISubscribePacket } from 'mqtt-packet';
import { digestToken } from '../hub/access/sas.ts';
import { keepAliveWaitMs, type HubLimits } from '../hub/limits.ts';
import { Framer } from '../hub/mqtt/framer.ts';
import { PacketReader, type ClientPacket } from '../hub/mqtt/packet-reader.ts';
import { PacketWriter } from '../hub/mqtt/packet-writer.ts';
import type { Clock } from '../time/clock.ts';
import { CODE_UNAUTHORIZED, type DpsConnect } from './dps-access.ts';
import type { DpsEvent } from './dps-events.ts';
import { parseDpsTopic, readRegistration, RESPONSES_FILTER, responseTopic, type DpsRequest } from './dps-requests.ts';
import type { OperationStatus, Registrations } from './registrations.ts';

/** DPS: "the maximum size of a message is 96 KB", with its topic and header. */
const MAX_PACKET_BYTES = 97 * 1024;
const SUBSCRIPTION_REFUSED = 128;

export interface DpsConnectionHost {
  readonly clock: Clock;
  readonly limits: HubLimits;
  readonly registrations: Registrations;
  /** What a device is told to wait before it asks again. */
  readonly retryAfterSeconds: number;
  decide(packet: IConnectPacket): DpsConnect;
  emit(event: DpsEvent): void;
  released(connection: DpsConnection): void;
}

/** One device's connection to the service: registers, and asks what became of it. */
export class DpsConnection {
  readonly #stream: Duplex;
  readonly #host: DpsConnectionHost;
  readonly #framer = new Framer();
  readonly #reader = new PacketReader();
  readonly #writer = new PacketWriter();
  #who: Extract<DpsConnect, { accepted: true }> | undefined;
  #token = '';
  #qos: 0 | 1 | undefined;
  #packetId = 0;
  #isClosed = false;
  #waitMs: number;
  #cancelWatch: () => void = () => {};

  constructor(stream: Duplex, host: DpsConnectionHost) {
    this.#stream = stream;
    this.#host = host;
    this.#waitMs = host.limits.connectTimeoutMs;
    this.#watch();
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    for (const event of ['end', 'error', 'close'] as const) stream.on(event, () => this.close());
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelWatch();
    this.#host.released(this);
    if (this.#stream.destroyed) return;
    this.#flush();
    this.#stream.end();
    this.#stream.resume();
    this.#cancelWatch = this.#host.clock.setTimer(this.#host.limits.lingerMs, () => this.#stream.destroy());
    this.#stream.on('close', () => this.#cancelWatch());
  }

  /** Nobody who is silent keeps a connection. */
  #watch(): void {
    this.#cancelWatch();
    this.#cancelWatch = this.#host.clock.setTimer(this.#waitMs, () => this.close());
  }

  #receive(chunk: Buffer): void {
    if (this.#isClosed) return;
    const maxBytes = (): number => (this.#who === undefined ? this.#host.limits.connectBytes : MAX_PACKET_BYTES);
    try {
      const fault = this.#framer.push(chunk, maxBytes, (bytes) => {
        const packet = this.#reader.read(bytes);
        if (packet.cmd === 'malformed') this.close();
        else this.#take(packet);
        return !this.#isClosed;
      });
      if (fault !== undefined) this.close();
      this.#flush();
    } catch {
      // A fault of ours ends this one connection, not the service.
      this.#stream.destroy();
    }
  }

  #take(packet: ClientPacket): void {
    if ((packet.cmd === 'connect') === (this.#who !== undefined)) return this.close();
    if (this.#who !== undefined) this.#watch();
    switch (packet.cmd) {
      case 'connect':
        return this.#connect(packet);
      case 'subscribe':
        return this.#subscribe(packet);
      case 'unsubscribe':
        this.#qos = undefined;
        return this.#writer.add({ cmd: 'unsuback', messageId: packet.messageId ?? 0, granted: [] });
      case 'publish':
        return this.#publish(packet);
      case 'pingreq':
        return this.#writer.add({ cmd: 'pingresp' });
      case 'puback':
        return;
      case 'disconnect':
        return this.close();
    }
  }

  #connect(packet: IConnectPacket): void {
    const decision = this.#host.decide(packet);
    this.#writer.add({ cmd: 'connack', returnCode: decision.accepted ? 0 : decision.returnCode, sessionPresent: false });
    if (!decision.accepted) {
      this.#host.emit({ event: 'dpsRefused', registrationId: packet.clientId, code: CODE_UNAUTHORIZED, detail: decision.detail });
      return this.close();
    }
    this.#who = decision;
    this.#token = packet.password === undefined ? '' : digestToken(packet.password);
    this.#waitMs = keepAliveWaitMs(packet.keepalive ?? 0);
    this.#watch();
  }

  #subscribe({ subscriptions, messageId = 0 }: ISubscribePacket): void {
    const granted = subscriptions.map(({ topic, qos }) => {
      if (topic !== RESPONSES_FILTER) return SUBSCRIPTION_REFUSED;
      return (this.#qos = qos === 0 ? 0 : 1);
    });
    this.#writer.add({ cmd: 'suback', messageId, granted });
  }

  #publish({ topic, payload, qos, messageId = 0 }: IPublishPacket): void {
    const request = parseDpsTopic(topic);
    if (qos === 2 || request === undefined || this.#who === undefined) return this.close();
    if (qos === 1) this.#writer.add({ cmd: 'puback', messageId });
    if (request.kind === 'register') this.#register(request, Buffer.from(payload));
    else this.#tellStatus(request);
  }

  #register({ rid }: DpsRequest, payload: Buffer): void {
    const { registrationId, enrolment, expirySeconds, detail } = this.#who!;
    const body = readRegistration(payload);
    if (body === undefined || body.registrationId !== registrationId) return this.#refuse(rid, 400, 400_004, 'the body does not name the registration of the connection');
    // It may have ended on this connection.
    const isOver = enrolment !== undefined && expirySeconds * 1000 <= this.#host.clock.now();
    if (enrolment === undefined || isOver) return this.#refuse(rid, 401, CODE_UNAUTHORIZED, isOver ? 'the token has ended' : detail);
    this.#host.emit({ event: 'dpsRegistering', registrationId, enrolment: enrolment.id, token: this.#token, ...(body.modelId !== undefined && { modelId: body.modelId }) });
    this.#tell(rid, this.#host.registrations.begin(registrationId, enrolment));
  }

  #tellStatus({ rid, operationId }: Extract<DpsRequest, { kind: 'status' }>): void {
    const { registrationId, enrolment, detail } = this.#who!;
    if (enrolment === undefined) return this.#refuse(rid, 401, CODE_UNAUTHORIZED, detail);
    const status = this.#host.registrations.find(registrationId, operationId);
    if (status === undefined) this.#refuse(rid, 404, 404_203, 'Operation not found.');
    else this.#tell(rid, status);
  }

  #tell(rid: string, status: OperationStatus): void {
    if (status.status === 'assigning') this.#answer(responseTopic(202, rid, this.#host.retryAfterSeconds), status);
    else this.#answer(responseTopic(200, rid), status);
  }

  /** The device hears no more than DPS says. */
  #refuse(rid: string, status: number, code: number, detail: string): void {
    this.#host.emit({ event: 'dpsRefused', registrationId: this.#who!.registrationId, code, detail });
    const message = status === 401 ? 'Unauthorized' : detail;
    this.#answer(responseTopic(status, rid), { errorCode: code, trackingId: crypto.randomUUID(), message, timestampUtc: new Date(this.#host.clock.now()).toISOString() });
  }

  #answer(topic: string, body: object): void {
    if (this.#qos === undefined) return;
    this.#packetId = (this.#packetId % 0xffff) + 1;
    this.#writer.add({ cmd: 'publish', topic, payload: JSON.stringify(body), qos: this.#qos, dup: false, retain: false, ...(this.#qos === 1 && { messageId: this.#packetId }) });
  }

  #flush(): void {
    const bytes = this.#writer.take();
    if (bytes === undefined) return;
    if (this.#stream.writableLength > this.#host.limits.waitingBytes) this.#stream.destroy();
    else if (this.#stream.writable) this.#stream.write(bytes);
  }
}
