import { uniform } from '../backoff.ts';
import type { AgentConfig } from '../config.ts';
import { HubConnection, type HubConnectionOwner, type PacketReceiver, type PublishReceiver } from '../hub-connection.ts';
import { isHostName, type Identity } from '../identity.ts';
import * as limits from '../limits.ts';
import type { LargePublish } from '../mqtt/framer.ts';
import { SUBSCRIPTION_REFUSED, type Publish, type Suback } from '../mqtt/packets.ts';
import type { Port } from '../port.ts';
import { encodeResource, expiryOf, formatSasToken, resourceOf } from '../sas-token.ts';
import type { DpsConfig } from './dps-config.ts';
import * as dps from './dps-limits.ts';
import { DPS_RESPONSES_FILTER, operationTopic, parseDpsResponse, registerTopic, type DpsResponseTopic } from './dps-topics.ts';
import { readDpsAnswer, type DpsAnswer } from './read-dps-answer.ts';

/**
 * How a registration ended without a hub. `network`: it may succeed next time. `credential`: the service refused the token, or the clock is wrong.
 * `refused`: the service, or the signer, says no for good. @see docs/dps.md for the codes
 */
export interface RegistrationFailure {
  readonly code: string;
  readonly kind: 'network' | 'credential' | 'refused';
  /** The service's own code, such as 401002. */
  readonly serviceCode?: number | undefined;
}

export type RegistrationOutcome = { readonly hub: string } | RegistrationFailure;

export interface RegistrationOwner {
  nowMs(): number;
  /** Said once, in a turn of its own, the connection closed. */
  registrationEnded(outcome: RegistrationOutcome): void;
  /** `wakeAtMs` is earlier than it was. */
  registrationPlanned(): void;
}

export interface RegistrationOptions {
  readonly config: AgentConfig;
  readonly target: DpsConfig;
  /** Of the signer. */
  readonly slot: number;
  readonly serial: number;
}

/** `skn` of a registration's token. */
const POLICY_NAME = 'registration';
const SUBSCRIBE_ID = 1;
const SERVER_UNAVAILABLE = 3;

/**
 * One registration with the Device Provisioning Service: CONNECT, register, ask until there is an end. What comes from the network is bounded
 * and believed in nothing but the name of a hub that the signer was told of.
 */
export class Registration implements HubConnectionOwner, PacketReceiver, PublishReceiver {
  readonly reception: PublishReceiver = this;
  readonly #port: Port;
  readonly #options: RegistrationOptions;
  readonly #owner: RegistrationOwner;
  readonly #connection: HubConnection;
  readonly #endsAtMs: number;
  /** When the present wait is over: for an answer, or before the next question. */
  #stepAtMs: number;
  #isWaiting = false;
  #requestId = 0;
  #operationId: string | undefined;
  #outcome: RegistrationOutcome | undefined;

  constructor(port: Port, options: RegistrationOptions, owner: RegistrationOwner) {
    const { config, target, serial } = options;
    this.#port = port;
    this.#options = options;
    this.#owner = owner;
    const nowMs = owner.nowMs();
    this.#endsAtMs = nowMs + dps.REGISTRATION_LIMIT_MS;
    this.#stepAtMs = nowMs + limits.OPEN_TIMEOUT_MS;
    this.#connection = new HubConnection(port, {
      serial,
      // A session of the hub's is worth more than one of this.
      target: { host: target.host, port: target.port, resume: false, purpose: 'dps' },
      keepAliveSeconds: limits.MAX_KEEP_ALIVE_SECONDS,
      maxInboundBytes: config.maxInboundBytes,
    }, this, this);
  }

  get wakeAtMs(): number {
    return Math.min(this.#stepAtMs, this.#endsAtMs);
  }

  open(): void {
    this.#connection.open();
  }

  /** Without a word to the owner. */
  close(): void {
    this.#stepAtMs = Infinity;
    this.#connection.close();
  }

  woke(nowMs: number): void {
    if (nowMs < this.wakeAtMs) return;
    if (this.#outcome !== undefined) {
      const outcome = this.#outcome;
      this.close();
      return this.#owner.registrationEnded(outcome);
    }
    if (nowMs >= this.#endsAtMs || !this.#isWaiting) return this.#fail('ERR_DPS_TIMEOUT', 'network');
    this.#ask();
  }

  nowMs(): number {
    return this.#owner.nowMs();
  }

  // --- the connection ---

  connectionOpened(): void {
    const { config, target, slot } = this.#options;
    const { scope, registrationId } = target;
    const encodedResource = encodeResource(`${scope}/registrations/${registrationId}`);
    const expirySeconds = expiryOf(this.#port.wallMs(), dps.DPS_TOKEN_SECONDS);
    let signature: string;
    try {
      signature = this.#port.signer.signSas(slot, encodedResource, expirySeconds);
    } catch {
      return this.#fail('ERR_DPS_KEY', 'refused');
    }
    this.#connection.connect({
      type: 'connect',
      clientId: registrationId,
      username: `${scope}/registrations/${registrationId}/api-version=${dps.DPS_API_VERSION}&ClientVersion=${encodeURIComponent(config.clientType)}`,
      password: formatSasToken({ encodedResource, signature, expirySeconds, policyName: POLICY_NAME }),
      clean: true,
      keepAliveSeconds: limits.MAX_KEEP_ALIVE_SECONDS,
    });
    this.#await(limits.CONNACK_TIMEOUT_MS);
  }

  connectionAccepted(): void {
    this.#connection.send({ type: 'subscribe', packetId: SUBSCRIBE_ID, subscriptions: [{ topic: DPS_RESPONSES_FILTER, qos: 1 }] });
    this.#await(dps.DPS_ANSWER_TIMEOUT_MS);
  }

  connectionRefused(_connection: HubConnection, returnCode: number): void {
    if (returnCode === SERVER_UNAVAILABLE) this.#fail('ERR_DPS_UNAVAILABLE', 'network');
    else this.#fail('ERR_DPS_UNAUTHORIZED', 'credential');
  }

  connectionClosed(_connection: HubConnection, code: string): void {
    this.#fail(code, 'network');
  }

  connectionWritable(): void {
    // One small request at a time: nothing waits.
  }

  pubackReceived(): void {
    // Requests leave with QoS 0: their answers acknowledge them.
  }

  subackReceived(_connection: HubConnection, { packetId, granted }: Suback): void {
    if (packetId !== SUBSCRIBE_ID || this.#requestId > 0) return;
    if ((granted[0] ?? SUBSCRIPTION_REFUSED) === SUBSCRIPTION_REFUSED) return this.#fail('ERR_DPS_ANSWER', 'network');
    this.#ask();
  }

  // --- answers ---

  publishReceived(connection: HubConnection, { topic, payload, packetId }: Publish): void {
    if (packetId !== undefined) connection.send({ type: 'puback', packetId });
    const response = parseDpsResponse(topic);
    // Not mine, or the answer to a question that is no longer asked.
    if (response === undefined || this.#isWaiting || response.requestId !== String(this.#requestId)) return;
    this.#answered(response, readDpsAnswer(payload, this.#port.text));
  }

  claimsLarge(): boolean {
    return false;
  }

  largeReceived(): void {
    // Nothing large is claimed.
  }

  largeEnded(): void {
    // Nothing large is claimed.
  }

  oversizeReceived(connection: HubConnection, { packetId }: LargePublish): void {
    if (packetId !== undefined) connection.send({ type: 'puback', packetId });
    this.#fail('ERR_DPS_ANSWER', 'network');
  }

  #answered({ status, retryAfterSeconds }: DpsResponseTopic, answer: DpsAnswer | undefined): void {
    const serviceCode = answer?.errorCode;
    if (status === 429 || status >= 500) return this.#wait(retryAfterSeconds);
    if (status === 401 || status === 403) return this.#fail('ERR_DPS_UNAUTHORIZED', 'credential', serviceCode);
    // The service has forgotten the operation: from the beginning.
    if (status === 404 && this.#operationId !== undefined) return this.#fail('ERR_DPS_ANSWER', 'network', serviceCode);
    if (status >= 400) return this.#fail('ERR_DPS_REFUSED', 'refused', serviceCode);
    if (answer === undefined || status < 200 || status >= 300) return this.#fail('ERR_DPS_ANSWER', 'network');
    switch (answer.status) {
      case 'assigning':
        if (!isOperationId(answer.operationId)) return this.#fail('ERR_DPS_ANSWER', 'network');
        this.#operationId = answer.operationId;
        return this.#wait(retryAfterSeconds);
      case 'assigned':
        return this.#assigned(answer);
      case 'failed':
        return this.#fail('ERR_DPS_FAILED', 'refused', serviceCode);
      case 'disabled':
        return this.#fail('ERR_DPS_DISABLED', 'refused', serviceCode);
      default:
        return this.#fail('ERR_DPS_ANSWER', 'network');
    }
  }

  #assigned({ assignedHub = '', deviceId }: DpsAnswer): void {
    const { identity } = this.#options.config;
    if (!isHostName(assignedHub)) return this.#fail('ERR_DPS_ANSWER', 'network');
    if (deviceId !== identity.deviceId) return this.#fail('ERR_DPS_DEVICE', 'refused');
    // The signer's prefixes are the list of hubs that may be assigned: nobody who speaks for the service can widen it.
    if (!this.#maySignFor({ ...identity, hub: assignedHub })) return this.#fail('ERR_DPS_HUB', 'refused');
    this.#end({ hub: assignedHub });
  }

  #maySignFor(identity: Identity): boolean {
    try {
      this.#port.signer.signSas(this.#options.slot, encodeResource(resourceOf(identity)), expiryOf(this.#port.wallMs(), 1));
      return true;
    } catch {
      return false;
    }
  }

  // --- time ---

  #ask(): void {
    this.#requestId += 1;
    const { modelId } = this.#options.config;
    const { registrationId } = this.#options.target;
    const isNew = this.#operationId === undefined;
    const topic = this.#operationId === undefined ? registerTopic(this.#requestId) : operationTopic(this.#requestId, this.#operationId);
    const body = isNew ? JSON.stringify(modelId === undefined ? { registrationId } : { registrationId, payload: { modelId } }) : '';
    this.#await(dps.DPS_ANSWER_TIMEOUT_MS);
    this.#connection.send({ type: 'publish', topic, payload: this.#port.text.encodeUtf8(body), qos: 0, dup: false, retain: false });
  }

  #await(limitMs: number): void {
    this.#isWaiting = false;
    this.#stepAtMs = this.nowMs() + limitMs;
    this.#owner.registrationPlanned();
  }

  #wait(retryAfterSeconds: number = dps.DEFAULT_RETRY_AFTER_SECONDS): void {
    const seconds = Math.min(Math.max(retryAfterSeconds, dps.MIN_RETRY_AFTER_SECONDS), dps.MAX_RETRY_AFTER_SECONDS);
    this.#isWaiting = true;
    this.#stepAtMs = this.nowMs() + Math.ceil(seconds * 1000 * uniform(1, 1 + dps.RETRY_JITTER, this.#port.random()));
    this.#owner.registrationPlanned();
  }

  #fail(code: string, kind: RegistrationFailure['kind'], serviceCode?: number): void {
    this.#end({ code, kind, serviceCode });
  }

  /** Told in a turn of its own: what follows is deep, and this stands on the stack of a socket. */
  #end(outcome: RegistrationOutcome): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = outcome;
    this.#connection.close();
    this.#stepAtMs = this.nowMs();
    this.#owner.registrationPlanned();
  }
}

/** It goes into a topic. */
function isOperationId(value: string | undefined): value is string {
  if (value === undefined || value === '' || value.length > dps.MAX_OPERATION_ID) return false;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    // Printable ASCII without what ends a value or a topic's level, or means a wildcard.
    if (code <= 0x20 || code > 0x7e || '&#+/?'.includes(value.charAt(i))) return false;
  }
  return true;
}
