import { isUtf8 } from 'node:buffer';
import type { IPublishPacket } from 'mqtt-packet';
import { formatError } from '../rest/error-answer.ts';
import type { Identity } from '../identity.ts';
import { ServiceError } from '../service-error.ts';
import type { Throttles } from '../throttles/throttles.ts';
import { formatDeviceTwin, withVersion } from '../twins/twin-format.ts';
import type { TwinEvent } from '../twins/twin-events.ts';
import type { TwinChange, TwinStore } from '../twins/twin-store.ts';
import type { TwinRequest } from './publish-rules.ts';
import { DESIRED_CHANGES, TWIN_ANSWERS, type Session } from './session.ts';

export interface TwinRequestHost {
  readonly twins: TwinStore;
  readonly throttles: Throttles | undefined;
  /** The hub's clock, milliseconds since 1970. */
  now(): number;
  send(packet: IPublishPacket): void;
  emit(event: TwinEvent): void;
}

/** The twin of a connected device: its requests, and what it is told. Everything goes with QoS 0, as IoT Hub sends it. */
export class TwinRequests {
  readonly #of: { readonly connection: number } & Identity;
  readonly #session: Session;
  readonly #host: TwinRequestHost;

  constructor(connection: number, identity: Identity, session: Session, host: TwinRequestHost) {
    this.#of = { connection, ...identity };
    this.#session = session;
    this.#host = host;
  }

  handle(request: TwinRequest): void {
    try {
      if (request.requestId === '') throw new ServiceError(400, 400_004, 'ArgumentInvalid', 'The topic has no request id: expected ?$rid=….');
      if (request.kind === 'twin-get') this.#get(request.requestId);
      else this.#report(request.requestId, request.payload);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      const { status, code, message: detail } = error;
      this.#host.emit({ event: 'twinRefused', ...this.#of, request: request.kind, status, code, detail });
      this.#answer(`${status}/?$rid=${request.requestId}`, formatError(error, this.#host.now(), 'flat').body);
    }
  }

  /** Tells of a change; a device that is not here gets nothing later: it reads its twin when it comes. */
  tellDesired(change: TwinChange): void {
    if (!this.#session.subscriptions.has(DESIRED_CHANGES)) return;
    const topic = `$iothub/twin/PATCH/properties/desired/?$version=${change.version}`;
    this.#send(topic, JSON.stringify(withVersion(change.patch, change.version)));
    this.#host.emit({ event: 'desiredSent', ...this.#of, version: change.version });
  }

  #get(requestId: string): void {
    this.#host.throttles?.take('twin-read');
    const twin = this.#host.twins.read(this.#of);
    this.#host.emit({ event: 'twinRead', ...this.#of });
    this.#answer(`200/?$rid=${requestId}`, JSON.stringify(formatDeviceTwin(twin)));
  }

  #report(requestId: string, payload: Buffer): void {
    this.#host.throttles?.take('twin-update');
    const version = this.#host.twins.report(this.#of, parsePatch(payload));
    this.#answer(`204/?$rid=${requestId}&$version=${version}`, '');
  }

  /** Only who has subscribed to answers gets them; a patch is taken all the same. */
  #answer(rest: string, body: string): void {
    if (this.#session.subscriptions.has(TWIN_ANSWERS)) this.#send(`$iothub/twin/res/${rest}`, body);
  }

  #send(topic: string, payload: string): void {
    this.#host.send({ cmd: 'publish', topic, payload, qos: 0, dup: false, retain: false });
  }
}

function parsePatch(payload: Buffer): unknown {
  if (!isUtf8(payload)) throw malformed();
  try {
    return JSON.parse(payload.toString()) as unknown;
  } catch {
    throw malformed();
  }
}

/** The parser's own words quote what the device sent. */
function malformed(): ServiceError {
  return new ServiceError(400, 400_004, 'ArgumentInvalid', 'The body is no JSON.');
}
