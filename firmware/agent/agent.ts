import { ClockKeeper, type ClockOwner } from './clock/clock-keeper.ts';
import type { ClockLevel } from './clock/clock-state.ts';
import { Monotonic } from './clock/monotonic.ts';
import type { AgentConfig } from './config.ts';
import {
  initialConnectivity, step, wakeAtOf,
  type Connectivity, type ConnectivityContext, type ConnectivityEffect, type ConnectivityEvent, type DropReason,
} from './connectivity.ts';
import { LatchkeyError } from './errors.ts';
import type { AgentEvent } from './events.ts';
import { HubConnection, type HubConnectionOwner } from './hub-connection.ts';
import { clientIdOf } from './identity.ts';
import * as limits from './limits.ts';
import type { LargePublish } from './mqtt/framer.ts';
import { Outbox, type OutboxEntry } from './mqtt/outbox.ts';
import { MAX_STRING_BYTES, SUBSCRIPTION_REFUSED, type Publish, type Suback } from './mqtt/packets.ts';
import type { Port } from './port.ts';
import { formatProperties, type MessageProperties } from './properties.ts';
import { encodeResource, expiryOf, expiryOfToken, formatSasToken, resourceOf } from './sas-token.ts';
import { cloudMessageFilter, telemetryTopic } from './topics.ts';

const API_VERSION = '2021-04-12';
/** Weight of a new round-trip sample, as in RFC 6298. */
const ROUND_TRIP_GAIN = 1 / 8;

/** A message from the cloud. */
export interface InboundMessage {
  readonly topic: string;
  /** May be empty. */
  readonly payload: Uint8Array;
  /** Tells the hub that it was handled; until then the hub keeps it. Idempotent. */
  acknowledge(): void;
}

export interface AgentOptions {
  readonly config: AgentConfig;
  readonly port: Port;
  readonly onEvent?: ((event: AgentEvent) => void) | undefined;
  /** The hub has acknowledged a message that `send` accepted, or a QoS 0 message has left. */
  readonly onAcknowledged?: (() => void) | undefined;
  /** There is room for `send` again after it returned false. */
  readonly onWritable?: (() => void) | undefined;
  /** Cloud-to-device messages; without it they are not subscribed to. */
  readonly onMessage?: ((message: InboundMessage) => void) | undefined;
}

/**
 * An IoT Hub device or module: connects, renews its token before it ends, and sends telemetry that survives both.
 * Everything happens in callbacks of the port; nothing throws out of them.
 */
export class Agent implements HubConnectionOwner, ClockOwner {
  readonly #config: AgentConfig;
  readonly #port: Port;
  readonly #options: AgentOptions;
  readonly #monotonic: Monotonic;
  readonly #clock: ClockKeeper;
  readonly #outbox: Outbox;
  readonly #topicPrefix: string;
  readonly #username: string;
  readonly #encodedResource: string;
  readonly #context: ConnectivityContext;
  readonly #events: ConnectivityEvent[] = [];
  #dispatching = false;
  #running = false;
  #state: Connectivity = initialConnectivity;
  #current: HubConnection | undefined;
  #candidate: HubConnection | undefined;
  #candidateOpenedAtMs = 0;
  #signedAtMs = 0;
  #signedEndsMs = 0;
  #signedToken: string | undefined;
  #currentEndsMs = 0;
  /** When the token ends of the connection that the candidate, its CONNECT under way, replaces. */
  #replacedEndsMs: number | undefined;
  /** Why the candidate is about to be dropped. */
  #lostCode: string | undefined;
  #paused = false;
  #pumping = false;
  #wasFull = false;
  #serial = 0;
  #unhandled = 0;
  /** A message from the cloud was passed over: the hub sends it again on the next connection. */
  #passedOver = false;
  #roundTripMs: number = limits.FIRST_ROUND_TRIP_MS;
  #token: string | undefined;
  /** The token that the current connection was accepted with, when it is a ready-made one. */
  #usedToken: string | undefined;
  #scheduledAtMs = Infinity;
  #subscribeId = 0;

  constructor(options: AgentOptions) {
    const { config, port } = options;
    const { identity, credential } = config;
    this.#config = config;
    this.#port = port;
    this.#options = options;
    this.#monotonic = new Monotonic(() => port.ticks());
    this.#clock = new ClockKeeper(port, config.timeServers, config.dateServer, this);
    this.#outbox = new Outbox(config.queue, config.window);
    this.#topicPrefix = telemetryTopic(identity);
    const model = config.modelId === undefined ? '' : `&model-id=${encodeURIComponent(config.modelId)}`;
    this.#username = `${identity.hub}/${clientIdOf(identity)}/?api-version=${API_VERSION}${model}&DeviceClientType=${encodeURIComponent(config.clientType)}`;
    this.#encodedResource = encodeResource(resourceOf(identity));
    this.#token = credential.type === 'token' ? credential.token : undefined;
    const agent = this;
    this.#context = {
      get nowMs(): number {
        return agent.nowMs();
      },
      random: () => port.random(),
      keyCount: credential.type === 'key' ? credential.slots.length : 1,
      get tokenReady(): boolean {
        return agent.#tokenReady();
      },
      get idle(): boolean {
        return agent.#idle;
      },
      get roomForTwo(): boolean {
        return port.roomForTwo();
      },
      get roundTripMs(): number {
        return agent.#roundTripMs;
      },
    };
  }

  /** Messages that `send` accepted and that are not acknowledged. */
  get pending(): number {
    return this.#outbox.size;
  }

  get isConnected(): boolean {
    return this.#current !== undefined;
  }

  get clockLevel(): ClockLevel {
    return this.#clock.level;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#dispatch({ type: 'started' });
    this.#report({ type: 'clock', level: this.#clock.level });
    // The application may have stopped the agent in that event.
    if (this.#running) this.#clock.start();
    this.#arm();
  }

  /** Closes every connection with DISCONNECT. What is not acknowledged stays queued for the next `start`. */
  stop(): void {
    if (!this.#running) return;
    this.#running = false;
    this.#clock.stop();
    this.#dispatch({ type: 'clockUnknown' });
    this.#dispatch({ type: 'stopped' });
  }

  /**
   * Queues one message; `false` when the queue is full: try again at `onWritable`.
   * @param payload text is sent as UTF-8; bytes are kept as they are until acknowledged, do not change them
   * @throws ERR_MESSAGE_SIZE above 256 KB, or 64 KB of properties; ERR_PROPERTY for a name that cannot travel
   */
  send(payload: Uint8Array | string, properties?: MessageProperties, qos: 0 | 1 = 1): boolean {
    if (this.#outbox.isFull) {
      this.#wasFull = true;
      return false;
    }
    const bytes = typeof payload === 'string' ? this.#port.text.encodeUtf8(payload) : payload;
    // What cannot be encoded must not come into the queue: it would fail again on every connection.
    if (!(bytes instanceof Uint8Array)) throw new TypeError('send: expected a Uint8Array or text');
    const topic = properties === undefined ? this.#topicPrefix : this.#topicPrefix + formatProperties(properties);
    if (bytes.length + topic.length > limits.MAX_MESSAGE_BYTES) {
      throw new LatchkeyError('ERR_MESSAGE_SIZE', `message: expected at most ${limits.MAX_MESSAGE_BYTES} bytes with its properties, got ${bytes.length + topic.length}`);
    }
    if (topic.length > MAX_STRING_BYTES) {
      throw new LatchkeyError('ERR_MESSAGE_SIZE', `properties: expected at most ${MAX_STRING_BYTES} bytes with the topic, got ${topic.length}`);
    }
    this.#outbox.push(topic, bytes, qos);
    this.#pump();
    return true;
  }

  /** The next ready-made token; a renewal with it starts at once. */
  useToken(token: string): void {
    if (this.#config.credential.type !== 'token') throw new TypeError('useToken: this agent signs its own tokens');
    this.#token = token;
    this.#dispatch({ type: 'tokenSupplied' });
  }

  /** The port's timer. */
  wake(): void {
    this.#scheduledAtMs = Infinity;
    const nowMs = this.nowMs();
    if (nowMs >= this.#clock.wakeAtMs) this.#clock.woke(nowMs);
    const current = this.#current;
    if (current !== undefined) {
      const dead = !current.woke(nowMs) || nowMs >= this.#outbox.oldestSentAtMs(current.serial) + this.#config.pubackTimeoutMs;
      if (dead && current === this.#current) {
        current.close();
        this.connectionClosed(current, 'ERR_HUB_SILENT');
      }
    }
    if (nowMs >= wakeAtOf(this.#state)) this.#dispatch({ type: 'woke' });
    this.#arm();
  }

  nowMs(): number {
    return this.#monotonic.nowMs();
  }

  // --- the clock ---

  clockChanged(level: ClockLevel): void {
    this.#report({ type: 'clock', level });
    this.#clockUsable();
  }

  clockMoved(offMs: number): void {
    // Of the candidate's token and the current one's alike.
    this.#signedEndsMs -= offMs;
    this.#currentEndsMs -= offMs;
    this.#dispatch({ type: 'clockMoved', offMs });
  }

  clockSettled(offMs: number, checked: boolean): void {
    if (Math.abs(offMs) > limits.CLOCK_OFF_MS) this.#report({ type: 'clock-wrong', offMs });
    else this.#report({ type: 'credential-refused', keyIndex: this.#state.keyIndex, clockChecked: checked });
    this.#clockUsable();
    this.#dispatch({ type: 'resynchronised' });
  }

  clockTrouble(code: string, detail: number): void {
    this.#report({ type: 'clock-trouble', code, detail });
    this.#clockUsable();
  }

  /** Where memory holds one session only, the hub waits until the clock's own has ended. */
  #clockUsable(): void {
    // Said again and again: what waits in #events may still change what the machine knows.
    if (this.#clock.level === 'unset') return this.#dispatch({ type: 'clockUnknown' });
    if (this.#clock.isAskingDate && !this.#port.roomForTwo()) return;
    this.#dispatch({ type: 'clockKnown' });
  }

  // --- connections ---

  connectionOpened(connection: HubConnection): void {
    if (connection !== this.#candidate) return;
    this.#dispatch({ type: 'opened', tookMs: this.nowMs() - this.#candidateOpenedAtMs });
  }

  connectionAccepted(connection: HubConnection, sessionPresent: boolean): void {
    if (connection !== this.#candidate) return;
    const replacedEndsMs = this.#replacedEndsMs;
    this.#replacedEndsMs = undefined;
    this.#currentEndsMs = this.#signedEndsMs;
    this.#usedToken = this.#signedToken;
    this.#dispatch({ type: 'accepted', signedAtMs: this.#signedAtMs, tokenEndsMs: this.#signedEndsMs });
    if (connection !== this.#current) return;
    const nowMs = this.nowMs();
    const tokenSeconds = Math.round((this.#currentEndsMs - nowMs) / 1000);
    if (replacedEndsMs !== undefined) this.#report({ type: 'renewed', leftMs: Math.round(replacedEndsMs - nowMs), tokenSeconds });
    else this.#report({ type: 'connected', sessionPresent, keyIndex: this.#state.keyIndex, tokenSeconds });
  }

  connectionRefused(connection: HubConnection, returnCode: number): void {
    if (connection !== this.#candidate) return;
    this.#report({ type: 'refused', returnCode, online: this.#current !== undefined });
    this.#dispatch({ type: 'refused', returnCode });
  }

  connectionWritable(connection: HubConnection): void {
    if (connection === this.#current) this.#pump();
    else if (connection === this.#candidate) this.#pipeline();
  }

  connectionClosed(connection: HubConnection, code: string): void {
    if (connection === this.#candidate) {
      this.#lostCode = code;
      this.#dispatch({ type: 'candidateLost' });
    } else if (connection === this.#current) {
      this.#current = undefined;
      this.#paused = false;
      // While a CONNECT is under way the hub closes the older connection: that is no loss.
      const { candidate } = this.#state;
      if (candidate !== 'connecting' && candidate !== 'overdue') this.#report({ type: 'disconnected', code });
      this.#dispatch({ type: 'currentLost' });
    }
  }

  pubackReceived(_connection: HubConnection, packetId: number): void {
    const entry = this.#outbox.acknowledge(packetId);
    // An id that is not in flight: a late answer to an earlier connection's message, or a confused hub. Nothing is lost.
    if (entry === undefined) return;
    if (!entry.dup) this.#roundTripMs += (this.nowMs() - entry.sentAtMs - this.#roundTripMs) * ROUND_TRIP_GAIN;
    this.#delivered();
    if (this.#state.candidate === 'draining' && this.#idle) this.#dispatch({ type: 'drained' });
    this.#pump();
  }

  publishReceived(connection: HubConnection, publish: Publish): void {
    const { packetId } = publish;
    const handler = this.#options.onMessage;
    let acknowledged = packetId === undefined || publish.qos === 0;
    if (!acknowledged && this.#unhandled >= limits.MAX_UNHANDLED_MESSAGES) {
      this.#passedOver = true;
      return;
    }
    if (!acknowledged) this.#unhandled += 1;
    const acknowledge = (): void => {
      if (acknowledged || packetId === undefined) return;
      acknowledged = true;
      // The hub sends it again on the next connection.
      if (connection !== this.#current) return;
      this.#unhandled -= 1;
      connection.send({ type: 'puback', packetId });
      if (this.#unhandled === 0 && this.#passedOver) this.#fetchPassedOver(connection);
      if (this.#state.candidate === 'draining' && this.#idle) this.#dispatch({ type: 'drained' });
    };
    if (handler === undefined) return acknowledge();
    this.#guard(() => handler({ topic: publish.topic, payload: publish.payload, acknowledge }));
  }

  /** What was passed over comes again on a new connection; what was handled has been acknowledged on this one. */
  #fetchPassedOver(connection: HubConnection): void {
    this.#passedOver = false;
    if (connection !== this.#current) return;
    connection.close();
    this.connectionClosed(connection, 'ERR_UNHANDLED');
  }

  oversizeReceived(connection: HubConnection, publish: LargePublish): void {
    if (publish.packetId !== undefined) connection.send({ type: 'puback', packetId: publish.packetId });
    this.#report({ type: 'oversize', topic: publish.topic, byteCount: publish.byteCount });
  }

  subackReceived(_connection: HubConnection, suback: Suback): void {
    if (suback.packetId !== this.#subscribeId || suback.granted[0] !== SUBSCRIPTION_REFUSED) return;
    this.#report({ type: 'subscription-refused', topic: cloudMessageFilter(this.#config.identity) });
  }

  // --- inside ---

  get #idle(): boolean {
    return this.#outbox.inFlight === 0 && this.#unhandled === 0;
  }

  #tokenReady(): boolean {
    if (this.#config.credential.type === 'key') return true;
    if (this.#token === undefined) return false;
    if (this.#current !== undefined && this.#token === this.#usedToken) return false;
    return (expiryOfToken(this.#token) ?? 0) * 1000 > this.#port.wallMs();
  }

  #dispatch(event: ConnectivityEvent): void {
    this.#events.push(event);
    if (this.#dispatching) return;
    this.#dispatching = true;
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
        const [state, ...effects] = step(this.#state, next, this.#context);
        this.#state = state;
        for (const effect of effects) this.#run(effect);
      }
    } finally {
      this.#dispatching = false;
    }
    this.#arm();
  }

  #run(effect: ConnectivityEffect): void {
    switch (effect.type) {
      case 'open':
        return this.#open();
      case 'connect':
        return this.#connect(effect.keyIndex);
      case 'pause':
        this.#paused = true;
        return;
      case 'resume':
        this.#paused = false;
        return this.#pump();
      case 'promote':
        return this.#promote();
      case 'dropCandidate':
        return this.#dropCandidate(effect.reason);
      case 'dropCurrent':
        if (effect.reason === 'renewal') this.#replacedEndsMs = this.#currentEndsMs;
        this.#current?.close();
        this.#current = undefined;
        this.#paused = false;
        if (effect.reason !== 'renewal') this.#report({ type: 'disconnected', code: effect.reason === 'stopped' ? 'STOPPED' : 'ERR_TOKEN_ENDED' });
        return;
      case 'resynchronise':
        return this.#clock.check();
      case 'askToken':
        return this.#report({ type: 'token-needed' });
    }
  }

  #open(): void {
    const { host, port, keepAliveSeconds, maxInboundBytes } = this.#config;
    if (this.#current === undefined) this.#report({ type: 'connecting', host, port });
    this.#serial += 1;
    this.#candidateOpenedAtMs = this.nowMs();
    this.#candidate = new HubConnection(this.#port, { serial: this.#serial, target: { host, port, resume: true }, keepAliveSeconds, maxInboundBytes }, this);
    this.#candidate.open();
  }

  #dropCandidate(reason: DropReason): void {
    const code = reason === 'late' ? 'ERR_TIMEOUT' : this.#lostCode;
    this.#lostCode = undefined;
    this.#replacedEndsMs = undefined;
    this.#candidate?.close();
    this.#candidate = undefined;
    if (reason === 'lost' || reason === 'late') {
      const retryMs = Math.max(0, Math.round(this.#state.openAtMs - this.nowMs()));
      this.#report({ type: 'open-failed', code: code ?? 'ERR_LINK', retryMs, online: this.#current !== undefined });
    }
    if (this.#current === undefined) return;
    // What was pipelined behind the CONNECT goes over the current connection.
    this.#outbox.requeue(this.#current.serial);
    this.#pump();
  }

  #connect(keyIndex: number): void {
    const password = this.#sign(keyIndex);
    if (password === undefined) return this.#dispatch({ type: 'candidateLost' });
    if (this.#current !== undefined) this.#replacedEndsMs = this.#currentEndsMs;
    // Without a current connection the oldest messages go first: those that the lost one left unacknowledged.
    else if (this.#candidate !== undefined) this.#outbox.requeue(this.#candidate.serial);
    const { identity, keepAliveSeconds } = this.#config;
    this.#candidate?.connect({ type: 'connect', clientId: clientIdOf(identity), username: this.#username, password, clean: false, keepAliveSeconds });
    this.#pipeline();
  }

  #sign(keyIndex: number): string | undefined {
    const { credential, tokenLifeSeconds } = this.#config;
    const wallMs = this.#port.wallMs();
    this.#signedAtMs = this.nowMs();
    if (credential.type === 'token') {
      const token = this.#token ?? '';
      this.#signedToken = token;
      this.#signedEndsMs = this.#signedAtMs + (expiryOfToken(token) ?? 0) * 1000 - wallMs;
      return token;
    }
    const expirySeconds = expiryOf(wallMs, tokenLifeSeconds);
    this.#signedEndsMs = this.#signedAtMs + expirySeconds * 1000 - wallMs;
    try {
      const signature = this.#port.signer.signSas(credential.slots[keyIndex] ?? 0, this.#encodedResource, expirySeconds);
      return formatSasToken({ encodedResource: this.#encodedResource, signature, expirySeconds, policyName: credential.policyName });
    } catch (error) {
      this.#lostCode = codeOf(error);
      this.#report({ type: 'sign-failed', code: this.#lostCode });
      return undefined;
    }
  }

  #promote(): void {
    this.#current?.close();
    this.#current = this.#candidate;
    this.#candidate = undefined;
    this.#paused = false;
    const current = this.#current;
    if (current === undefined) return;
    // Messages of the older connection whose handler has not returned come again on this one.
    this.#unhandled = 0;
    this.#passedOver = false;
    this.#outbox.requeue(current.serial);
    if (this.#options.onMessage !== undefined) {
      this.#subscribeId = this.#outbox.takePacketId();
      current.send({ type: 'subscribe', packetId: this.#subscribeId, subscriptions: [{ topic: cloudMessageFilter(this.#config.identity), qos: 1 }] });
    }
    this.#pump();
  }

  /** Sends what the window and the current connection have room for; while that is paused, what the candidate may have. */
  #pump(): void {
    const current = this.#current;
    // The application may send more in a callback of the loop: the loop goes on with it, the stack does not grow.
    if (this.#pumping) return;
    if (current === undefined || this.#paused) return this.#pipeline();
    this.#pumping = true;
    try {
      while (current.canSend && !this.#paused) {
        const entry = this.#outbox.next();
        if (entry === undefined) break;
        this.#publish(current, entry);
      }
    } finally {
      this.#pumping = false;
    }
    this.#announceRoom();
  }

  /** QoS 1 messages behind an unanswered CONNECT; QoS 0 ones would be lost with a refusal. */
  #pipeline(): void {
    const candidate = this.#candidate;
    if (!this.#config.pipeline || candidate === undefined || this.#state.candidate !== 'connecting') return;
    while (candidate.canSend) {
      const entry = this.#outbox.next();
      if (entry === undefined || entry.qos === 0) return;
      this.#publish(candidate, entry);
    }
  }

  #publish(connection: HubConnection, entry: OutboxEntry): void {
    const nowMs = this.nowMs();
    this.#outbox.markSent(entry, nowMs, connection.serial);
    const { topic, payload, qos, dup } = entry;
    const packetId = qos === 1 ? entry.packetId : undefined;
    connection.send({ type: 'publish', topic, payload, qos, dup, retain: false, packetId });
    if (qos === 0) this.#delivered();
    else if (nowMs + this.#config.pubackTimeoutMs < this.#scheduledAtMs) this.#arm();
  }

  #delivered(): void {
    const { onAcknowledged } = this.#options;
    if (onAcknowledged !== undefined) this.#guard(onAcknowledged);
  }

  #announceRoom(): void {
    const { onWritable } = this.#options;
    if (!this.#wasFull || this.#outbox.isFull) return;
    this.#wasFull = false;
    if (onWritable !== undefined) this.#guard(onWritable);
  }

  /** One timer for everything; a later moment than the one that is set costs nothing: the wake-up finds nothing to do. */
  #arm(): void {
    if (this.#dispatching) return;
    let wakeAtMs = Math.min(wakeAtOf(this.#state), this.#clock.wakeAtMs);
    const current = this.#current;
    if (current !== undefined) {
      wakeAtMs = Math.min(wakeAtMs, current.wakeAtMs, this.#outbox.oldestSentAtMs(current.serial) + this.#config.pubackTimeoutMs);
    }
    if (wakeAtMs === Infinity || wakeAtMs >= this.#scheduledAtMs) return;
    this.#scheduledAtMs = wakeAtMs;
    this.#port.schedule(Math.max(0, Math.min(Math.ceil(wakeAtMs - this.nowMs()), limits.MAX_TIMER_MS)));
  }

  #report(event: AgentEvent): void {
    const { onEvent } = this.#options;
    if (onEvent !== undefined) this.#guard(() => onEvent(event));
  }

  /** The application's fault must not end the agent: on the chip an exception out of a callback is a restart. */
  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      if (this.#options.onEvent === undefined) return;
      try {
        this.#options.onEvent({ type: 'handler-failed', message: error instanceof Error ? error.message : String(error) });
      } catch {
        // It throws there too: nobody is left to tell.
      }
    }
  }
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'ERR_SIGNER';
}
