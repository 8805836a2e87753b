import type { IPublishPacket } from 'mqtt-packet';

import type { MqttPeer, PeerConnection } from './agent-board-peer.ts';

/** An answer of the device to a method. */
export interface MethodAnswer {
  readonly requestId: string;
  readonly status: number;
  readonly payload: string;
}

const ANSWER = /^\$iothub\/methods\/res\/(\d+)\/\?\$rid=(.*)$/;
const REQUEST_ID = /\$rid=(.*)$/;
const DEVICE_TOPIC = 'devices/board-1/messages/devicebound/%24.to=%2Fdevices%2Fboard-1';

/** The cloud's side of twin, methods and messages at a peer that a test owns. */
export class CloudPeer {
  /** What a GET is answered with. */
  twin = '{"desired":{"$version":1},"reported":{"$version":1}}';
  gets = 0;
  readonly reports: Record<string, unknown>[] = [];
  readonly answers: MethodAnswer[] = [];
  #connection: PeerConnection | undefined;
  #messageId = 0;

  constructor(peer: MqttPeer) {
    peer.script = { ...peer.script, onService: (connection, packet) => this.#serve(connection, packet) };
  }

  /** The device has answered everything up to here over this connection. */
  get connection(): PeerConnection {
    if (this.#connection === undefined) throw new Error('no twin request has come');
    return this.#connection;
  }

  patch(version: number, properties: Readonly<Record<string, unknown>>): void {
    this.connection.publish(`$iothub/twin/PATCH/properties/desired/?$version=${version}`, JSON.stringify({ ...properties, $version: version }));
  }

  call(name: string, requestId: string, payload: string | Buffer = ''): void {
    this.connection.publish(`$iothub/methods/POST/${name}/?$rid=${requestId}`, payload);
  }

  message(payload: string | Buffer, properties = ''): void {
    this.connection.publish(DEVICE_TOPIC + properties, payload, ++this.#messageId);
  }

  #serve(connection: PeerConnection, { topic, payload }: IPublishPacket): void {
    this.#connection = connection;
    const [, status, answered] = ANSWER.exec(topic) ?? [];
    if (answered !== undefined) return void this.answers.push({ requestId: answered, status: Number(status), payload: payload.toString() });
    const requestId = REQUEST_ID.exec(topic)?.[1];
    if (topic.startsWith('$iothub/twin/GET/')) {
      this.gets += 1;
      return connection.publish(`$iothub/twin/res/200/?$rid=${requestId}`, this.twin);
    }
    if (!topic.startsWith('$iothub/twin/PATCH/properties/reported/')) throw new Error(`the device published to ${topic}`);
    this.reports.push(JSON.parse(payload.toString()) as Record<string, unknown>);
    connection.publish(`$iothub/twin/res/204/?$rid=${requestId}&$version=${this.reports.length + 1}`, '');
  }
}
