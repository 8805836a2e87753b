import type { IPublishPacket } from 'mqtt-packet';

import type { HubSession, ScriptedHub } from './scripted-hub.ts';

type Json = Record<string, unknown>;

/** What the twin answers a request with: a status, or `undefined` for silence. */
export type Verdict = (request: 'get' | 'report', count: number) => number | undefined;

/** The twin of the device at a scripted hub, as IoT Hub keeps it. */
export class ScriptedTwin {
  readonly desired: Json = {};
  version = 1;
  readonly reports: Json[] = [];
  reportedVersion = 1;
  /** Requests so far. */
  gets = 0;
  /** 200 and 204 are what a request is answered with that is allowed. */
  verdict: Verdict = () => 200;
  /** Answers leave so much later. */
  delayMs = 0;
  readonly #hub: ScriptedHub;
  readonly #after: (delayMs: number, run: () => void) => void;

  constructor(hub: ScriptedHub, after: (delayMs: number, run: () => void) => void) {
    this.#hub = hub;
    this.#after = after;
    hub.onService = (session, packet) => this.#serve(session, packet);
  }

  /** Changes desired properties and tells the device, unless it `isLost`. */
  patch(patch: Json, isLost = false): void {
    for (const [name, value] of Object.entries(patch)) {
      if (value === null) delete this.desired[name];
      else this.desired[name] = value;
    }
    this.version += 1;
    if (!isLost) this.announce(patch, this.version);
  }

  announce(patch: Json, version: number, session = this.#hub.current): void {
    publish(session, `$iothub/twin/PATCH/properties/desired/?$version=${version}`, JSON.stringify({ ...patch, $version: version }));
  }

  get document(): string {
    const reported = Object.assign({}, ...this.reports) as Json;
    return JSON.stringify({ desired: { ...this.desired, $version: this.version }, reported: { ...reported, $version: this.reportedVersion } });
  }

  #serve(session: HubSession, packet: IPublishPacket): void {
    const isGet = packet.topic.startsWith('$iothub/twin/GET/?$rid=');
    const isReport = packet.topic.startsWith('$iothub/twin/PATCH/properties/reported/?$rid=');
    if (!isGet && !isReport) return;
    const requestId = packet.topic.slice(packet.topic.indexOf('=') + 1);
    this.gets += Number(isGet);
    const status = isGet ? this.verdict('get', this.gets) : this.verdict('report', this.reports.length + 1);
    if (status === undefined) return;
    const answer = this.#judge(isGet, status, requestId, packet);
    this.#after(this.delayMs, () => publish(session, ...answer));
  }

  #judge(isGet: boolean, status: number, requestId: string, packet: IPublishPacket): [topic: string, payload: string] {
    if (status >= 300) return [`$iothub/twin/res/${status}/?$rid=${requestId}`, '{"errorCode":400004,"message":"no"}'];
    if (isGet) return [`$iothub/twin/res/200/?$rid=${requestId}`, this.document];
    this.reports.push(JSON.parse(packet.payload.toString()) as Json);
    this.reportedVersion += 1;
    return [`$iothub/twin/res/204/?$rid=${requestId}&$version=${this.reportedVersion}`, ''];
  }
}

export function publish(session: HubSession | undefined, topic: string, payload: string | Buffer): void {
  if (session !== undefined && !session.isClosed) session.send({ cmd: 'publish', topic, payload, qos: 0, dup: false, retain: false });
}
