import type { Application } from '../application.ts';
import { LatchkeyError } from '../errors.ts';
import type { HubConnection } from '../hub-connection.ts';
import type { NameBudget } from '../json/name-budget.ts';
import { parseBounded } from '../json/parse-bounded.ts';
import { MAX_EVENT_TEXT, MAX_METHOD_ANSWER_BYTES, MAX_OPEN_METHODS, METHOD_TIMEOUT_MS } from '../limits.ts';
import type { Subscription } from '../mqtt/packets.ts';
import type { TextCodec } from '../text-codec.ts';
import { METHODS_FILTER, type InboundTopic } from '../topics.ts';
import { Answers, type AnswersOwner } from './answers.ts';

export interface MethodServerOwner extends AnswersOwner {
  nowMs(): number;
  readonly text: TextCodec;
  readonly names: NameBudget;
  /** An answer can leave, or `wakeAtMs` is earlier than it was. */
  methodsPlanned(): void;
  /** A request has ended; possibly none is left. */
  methodEnded(): void;
}

type MethodTopic = Extract<InboundTopic, { readonly kind: 'method' }>;

/** What the agent says of itself, as Microsoft's .NET SDK does where it answers for the application. */
const BAD_REQUEST = 400;
const TOO_LARGE = 413;
const TOO_MANY = 429;
const HANDLER_FAILED = 500;
const NOT_IMPLEMENTED = 501;

/** A status is a 32-bit number at the service. */
const MAX_STATUS = 2 ** 31 - 1;
const NO_BYTES = new Uint8Array(0);

/** A request that the application has. */
interface OpenRequest {
  readonly requestId: string;
  readonly name: string;
  /** Counts connections. */
  readonly connection: number;
  readonly endsAtMs: number;
}

/**
 * Direct methods. A request is answered once, over the connection that is current then: IoT Hub knows it by its id alone. When a newer
 * connection brings another request under the same id, the older one is forgotten, for its answer would be taken for the other's.
 */
export class MethodServer {
  readonly #application: Application;
  readonly #owner: MethodServerOwner;
  readonly #answers = new Answers();
  #open: OpenRequest[] = [];
  #connection = 0;

  constructor(application: Application, owner: MethodServerOwner) {
    this.#application = application;
    this.#owner = owner;
  }

  /** QoS 0: a request that waited for a device to come back would be nobody's any more. */
  get subscriptions(): readonly Subscription[] {
    return this.#application.wantsMethods ? [{ topic: METHODS_FILTER, qos: 0 }] : [];
  }

  /** Every request is answered, every answer acknowledged. */
  get isIdle(): boolean {
    return this.#open.length === 0 && this.#answers.isEmpty;
  }

  /** An answer is not acknowledged. */
  get hasAnswers(): boolean {
    return !this.#answers.isEmpty;
  }

  get hasUnsent(): boolean {
    return this.#answers.hasUnsent;
  }

  get oldestSentAtMs(): number {
    return this.#answers.oldestSentAtMs;
  }

  /** When the oldest request is given up. */
  get wakeAtMs(): number {
    return this.#open[0]?.endsAtMs ?? Infinity;
  }

  connected(): void {
    this.#connection += 1;
    this.#answers.requeue();
  }

  woke(nowMs: number): void {
    for (let first = this.#open[0]; first !== undefined && nowMs >= first.endsAtMs; first = this.#open[0]) {
      this.#open.shift();
      this.#application.report({ type: 'method-dropped', name: shown(first.name), reason: 'unanswered' });
      this.#owner.methodEnded();
    }
  }

  pump(connection: HubConnection): void {
    this.#answers.pump(connection, this.#owner.nowMs(), this.#owner);
  }

  /** False for a packet id that is no answer's. */
  acknowledge(packetId: number): boolean {
    return this.#answers.acknowledge(packetId);
  }

  /** Whether an answer that is not acknowledged has this packet id. */
  holds(packetId: number): boolean {
    return this.#answers.holds(packetId);
  }

  receive({ name: encodedName, requestId }: MethodTopic, payload: Uint8Array): void {
    const name = decodeName(encodedName);
    const earlier = this.#open.find((request) => request.requestId === requestId);
    // The same request again: its answer is on its way.
    if (earlier?.connection === this.#connection) return;
    this.#forget(requestId);
    // The hub takes no answers: what would be answered now would only fill the memory.
    if (this.#answers.isFull) return this.#application.report({ type: 'method-dropped', name: shown(name), reason: 'flood' });
    const handler = this.#application.methodHandler(name);
    if (handler === undefined) return this.#refuse(requestId, name, NOT_IMPLEMENTED, 'this device has no such method');
    if (this.#open.length >= MAX_OPEN_METHODS) return this.#refuse(requestId, name, TOO_MANY, `${MAX_OPEN_METHODS} methods are not answered yet`);
    let value: unknown;
    if (payload.length > 0) {
      const { text, names } = this.#owner;
      const parsed = parseBounded(payload, { text, names });
      if (!parsed.ok) return this.#refuse(requestId, name, BAD_REQUEST, parsed.code);
      value = parsed.value;
    }
    const request: OpenRequest = { requestId, name, connection: this.#connection, endsAtMs: this.#owner.nowMs() + METHOD_TIMEOUT_MS };
    this.#open.push(request);
    this.#owner.methodsPlanned();
    const respond = (status: number, answer?: unknown): boolean => this.#respond(request, status, answer);
    if (!this.#application.call(handler, { name, payload: value, respond })) this.#handlerFailed(request);
  }

  /** A request above MAX_INBOUND has passed by. */
  tooLarge({ name, requestId }: MethodTopic, byteCount: number): void {
    this.#forget(requestId);
    this.#refuse(requestId, decodeName(name), TOO_LARGE, `${byteCount} bytes are more than this device takes`);
  }

  #respond(request: OpenRequest, status: number, answer: unknown): boolean {
    if (!this.#open.includes(request)) return false;
    if (!Number.isInteger(status) || status < 0 || status > MAX_STATUS) throw new RangeError(`respond: expected a whole number from 0 to ${MAX_STATUS} for the status, got ${String(status)}`);
    const payload = this.#encode(answer);
    this.#open = this.#open.filter((one) => one !== request);
    this.#answers.push(request.requestId, status, payload);
    this.#owner.methodsPlanned();
    return true;
  }

  #encode(answer: unknown): Uint8Array {
    if (answer === undefined) return NO_BYTES;
    const json: string | undefined = JSON.stringify(answer);
    if (json === undefined) throw new TypeError(`respond: expected JSON for the payload, got ${typeof answer}`);
    const bytes = json.length > MAX_METHOD_ANSWER_BYTES ? undefined : this.#owner.text.encodeUtf8(json);
    if (bytes !== undefined && bytes.length <= MAX_METHOD_ANSWER_BYTES) return bytes;
    throw new LatchkeyError('ERR_MESSAGE_SIZE', `answer to a method: expected at most ${MAX_METHOD_ANSWER_BYTES} bytes of JSON, got ${bytes?.length ?? json.length}`);
  }

  #handlerFailed(request: OpenRequest): void {
    // It may have answered before it threw.
    if (!this.#open.includes(request)) return;
    this.#open = this.#open.filter((one) => one !== request);
    this.#refuse(request.requestId, request.name, HANDLER_FAILED, 'the method failed on the device');
  }

  #refuse(requestId: string, name: string, status: number, message: string): void {
    if (this.#answers.isFull) {
      this.#application.report({ type: 'method-dropped', name: shown(name), reason: 'flood' });
      return;
    }
    this.#answers.push(requestId, status, this.#owner.text.encodeUtf8(JSON.stringify({ message })));
    this.#application.report({ type: 'method-refused', name: shown(name), status });
    this.#owner.methodsPlanned();
  }

  #forget(requestId: string): void {
    this.#open = this.#open.filter((request) => request.requestId !== requestId);
    this.#answers.forget(requestId);
  }
}

/** What is not well percent-encoded is a name as it stands. */
function decodeName(encoded: string): string {
  if (!encoded.includes('%')) return encoded;
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}

function shown(name: string): string {
  return name.slice(0, MAX_EVENT_TEXT);
}
