import type { Clock } from '../../time/clock.ts';
import { bareIdentity, formatClientId, type Identity } from '../identity.ts';
import { ServiceError } from '../service-error.ts';
import {
  DEFAULT_RESPONSE_TIMEOUT_SECONDS, MAX_CONNECT_TIMEOUT_SECONDS, MAX_RESPONSE_TIMEOUT_SECONDS, METHOD_NAME_BYTES, METHOD_PAYLOAD_BYTES,
  MIN_RESPONSE_TIMEOUT_SECONDS, PENDING_CALLS,
} from './limits.ts';
import type { MethodEvent } from './method-events.ts';

export interface MethodCall {
  readonly methodName: string;
  /** Any JSON; the device of a call without one gets `null`: Microsoft's device SDKs take no empty body. */
  readonly payload?: unknown;
  /** 5 to 300, default 30. */
  readonly responseTimeoutSeconds?: number;
  /** 0 to 300, default 0. */
  readonly connectTimeoutSeconds?: number;
}

export interface MethodResult {
  /** The device's own. */
  readonly status: number;
  /** `null` for an empty answer. */
  readonly payload: unknown;
}

/** A connected device that has asked for methods. */
export interface MethodTarget {
  /** @param body JSON */
  sendMethod(methodName: string, requestId: string, body: string): void;
}

interface PendingCall {
  readonly identity: Identity;
  readonly methodName: string;
  readonly body: string;
  readonly responseTimeoutMs: number;
  readonly resolve: (result: MethodResult) => void;
  readonly reject: (error: ServiceError) => void;
  /** Set once the request was sent. */
  requestId: string | undefined;
  cancelTimer: () => void;
}

const LONE_SURROGATE = /\p{Surrogate}/u;

/** Direct methods between services and the devices that are there: it knows neither REST nor MQTT. */
export class MethodBroker {
  readonly #clock: Clock;
  readonly #emit: (event: MethodEvent) => void;
  readonly #targets = new Map<string, MethodTarget>();
  /** By client id, in the order of the calls. */
  readonly #pending = new Map<string, Set<PendingCall>>();
  #lastRequest = 0;

  constructor(clock: Clock, emit: (event: MethodEvent) => void = () => {}) {
    this.#clock = clock;
    this.#emit = emit;
  }

  /**
   * Calls a method; the promise settles with the device's answer.
   * @param signal aborted when nobody waits any more: the answer is then ignored, the promise rejected
   * @throws ServiceError (as a rejection) 400004 (arguments), 404103 (not there, or not listening for methods), 413001, 429001, 502101 (no JSON), 504101 (no answer in time)
   */
  invoke(identity: Identity, call: MethodCall, signal?: AbortSignal): Promise<MethodResult> {
    return new Promise((resolve, reject) => {
      const checked = checkCall(call);
      const clientId = formatClientId(identity);
      const calls = this.#pending.get(clientId) ?? new Set<PendingCall>();
      if (calls.size >= PENDING_CALLS) throw new ServiceError(429, 429_001, 'ThrottlingException', `${PENDING_CALLS} calls wait for ${clientId} already.`);
      if (signal?.aborted === true) throw aborted();
      const pending: PendingCall = { identity, ...checked, resolve, reject, requestId: undefined, cancelTimer: () => {} };
      const target = this.#targets.get(clientId);
      if (target === undefined && checked.connectTimeoutMs === 0) throw this.#tellFailed(pending, notOnline());
      this.#pending.set(clientId, calls.add(pending));
      signal?.addEventListener('abort', () => this.#fail(pending, aborted()), { once: true });
      if (target === undefined) this.#wait(pending, checked.connectTimeoutMs, notOnline);
      else this.#send(pending, target);
    });
  }

  /** A device listens for methods from now on, or `undefined`: no longer. What waits for it is sent. */
  setTarget(identity: Identity, target: MethodTarget | undefined): void {
    const clientId = formatClientId(identity);
    if (target === undefined) {
      this.#targets.delete(clientId);
      return;
    }
    this.#targets.set(clientId, target);
    for (const pending of [...(this.#pending.get(clientId) ?? [])]) {
      if (pending.requestId === undefined) this.#send(pending, target);
    }
  }

  /** A device's answer. It counts on whichever connection it comes: a device that renews its token answers on the new one. */
  answer(identity: Identity, requestId: string, status: number, body: Buffer): void {
    const pending = [...(this.#pending.get(formatClientId(identity)) ?? [])].find((call) => call.requestId === requestId);
    if (pending === undefined) {
      this.#emit({ event: 'methodAnswerIgnored', ...bareIdentity(identity), requestId });
      return;
    }
    const payload = parseAnswer(body);
    if (payload instanceof ServiceError) return this.#fail(pending, payload);
    this.#forget(pending);
    this.#emit({ event: 'methodAnswered', ...bareIdentity(identity), method: pending.methodName, requestId, status });
    pending.resolve({ status, payload });
  }

  /** The identity is gone. */
  delete(identity: Identity): void {
    for (const pending of [...(this.#pending.get(formatClientId(identity)) ?? [])]) this.#fail(pending, notOnline());
    this.#targets.delete(formatClientId(identity));
  }

  /** Fails whatever waits. */
  close(): void {
    for (const calls of [...this.#pending.values()]) {
      for (const pending of [...calls]) this.#fail(pending, new ServiceError(503, 503_001, 'ServiceUnavailable', 'The hub is closing.'));
    }
  }

  #send(pending: PendingCall, target: MethodTarget): void {
    this.#lastRequest += 1;
    pending.requestId = this.#lastRequest.toString(16);
    this.#wait(pending, pending.responseTimeoutMs, () => new ServiceError(504, 504_101, 'GatewayTimeout', 'Timed out waiting for the response from device.'));
    this.#emit({ event: 'methodSent', ...bareIdentity(pending.identity), method: pending.methodName, requestId: pending.requestId });
    target.sendMethod(pending.methodName, pending.requestId, pending.body);
  }

  #wait(pending: PendingCall, timeoutMs: number, explain: () => ServiceError): void {
    pending.cancelTimer();
    pending.cancelTimer = this.#clock.setTimer(timeoutMs, () => this.#fail(pending, explain()));
  }

  #fail(pending: PendingCall, error: ServiceError): void {
    if (!this.#forget(pending)) return;
    pending.reject(this.#tellFailed(pending, error));
  }

  #tellFailed(pending: PendingCall, error: ServiceError): ServiceError {
    const { identity, methodName: method, requestId } = pending;
    this.#emit({ event: 'methodFailed', ...bareIdentity(identity), method, ...(requestId === undefined ? {} : { requestId }), code: error.code, detail: error.message });
    return error;
  }

  /** @returns whether it was still pending */
  #forget(pending: PendingCall): boolean {
    pending.cancelTimer();
    const clientId = formatClientId(pending.identity);
    const calls = this.#pending.get(clientId);
    if (calls?.delete(pending) !== true) return false;
    if (calls.size === 0) this.#pending.delete(clientId);
    return true;
  }
}

interface CheckedCall {
  readonly methodName: string;
  readonly body: string;
  readonly responseTimeoutMs: number;
  readonly connectTimeoutMs: number;
}

function checkCall(call: MethodCall): CheckedCall {
  const { methodName, payload } = call;
  if (typeof methodName !== 'string' || methodName === '' || Buffer.byteLength(methodName) > METHOD_NAME_BYTES) {
    throw invalid(`methodName must be a text of 1 to ${METHOD_NAME_BYTES} bytes.`);
  }
  // It has no percent-encoding, and so no topic.
  if (LONE_SURROGATE.test(methodName)) throw invalid('methodName must not have half of a surrogate pair.');
  const body = JSON.stringify(payload ?? null);
  if (Buffer.byteLength(body) > METHOD_PAYLOAD_BYTES) {
    throw new ServiceError(413, 413_001, 'MessageTooLarge', `The payload of a method has at most ${METHOD_PAYLOAD_BYTES} bytes.`);
  }
  const responseSeconds = call.responseTimeoutSeconds ?? DEFAULT_RESPONSE_TIMEOUT_SECONDS;
  const connectSeconds = call.connectTimeoutSeconds ?? 0;
  if (!isWithin(responseSeconds, MIN_RESPONSE_TIMEOUT_SECONDS, MAX_RESPONSE_TIMEOUT_SECONDS)) {
    throw invalid(`responseTimeoutInSeconds must be a number from ${MIN_RESPONSE_TIMEOUT_SECONDS} to ${MAX_RESPONSE_TIMEOUT_SECONDS}.`);
  }
  if (!isWithin(connectSeconds, 0, MAX_CONNECT_TIMEOUT_SECONDS)) {
    throw invalid(`connectTimeoutInSeconds must be a number from 0 to ${MAX_CONNECT_TIMEOUT_SECONDS}.`);
  }
  return { methodName, body, responseTimeoutMs: responseSeconds * 1000, connectTimeoutMs: connectSeconds * 1000 };
}

/** @returns the answer, or why it is none */
function parseAnswer(body: Buffer): unknown {
  if (body.length > METHOD_PAYLOAD_BYTES) return new ServiceError(413, 413_001, 'MessageTooLarge', `The device's answer has more than ${METHOD_PAYLOAD_BYTES} bytes.`);
  if (body.length === 0) return null;
  try {
    return JSON.parse(body.toString()) as unknown;
  } catch {
    return new ServiceError(502, 502_101, 'BadDeviceResponse', "The device's answer is no JSON.");
  }
}

/** IoT Hub says the same of a device that is not connected and of one that does not listen for methods. */
function notOnline(): ServiceError {
  return new ServiceError(404, 404_103, 'DeviceNotOnline', 'Timed out waiting for device to connect.');
}

function aborted(): ServiceError {
  return new ServiceError(499, 499_000, 'ClientClosed', 'The caller is gone.');
}

function isWithin(value: unknown, min: number, max: number): boolean {
  return typeof value === 'number' && value >= min && value <= max;
}

function invalid(message: string): ServiceError {
  return new ServiceError(400, 400_004, 'ArgumentInvalid', message);
}
