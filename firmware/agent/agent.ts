import { Application, type ApplicationCallbacks } from './application.ts';
import { ClockKeeper, type ClockOwner } from './clock/clock-keeper.ts';
import type { ClockLevel } from './clock/clock-state.ts';
import { Monotonic } from './clock/monotonic.ts';
import type { AgentConfig } from './config.ts';
import {
  initialConnectivity, step, wakeAtOf,
  type Connectivity, type ConnectivityContext, type ConnectivityEffect, type ConnectivityEvent, type DropReason,
} from './connectivity.ts';
import { LatchkeyError } from './errors.ts';
import { HubConnection, type HubConnectionOwner } from './hub-connection.ts';
import { clientIdOf } from './identity.ts';
import { Inbox, type InboxOwner } from './inbox.ts';
import * as limits from './limits.ts';
import type { LargePublish } from './mqtt/framer.ts';
import { MAX_STRING_BYTES, SUBSCRIPTION_REFUSED, type Publish, type Suback } from './mqtt/packets.ts';
import type { Port } from './port.ts';
import { formatProperties, type MessageProperties } from './properties.ts';
import { Sender } from './sender.ts';
import { TokenSource, type FreshToken } from './token-source.ts';
import { cloudMessageFilter, telemetryTopic } from './topics.ts';

const API_VERSION = '2021-04-12';

export interface AgentOptions extends ApplicationCallbacks {
  readonly config: AgentConfig;
  readonly port: Port;
}

/**
 * An IoT Hub device or module: connects, renews its token before it ends, and sends telemetry that survives both.
 * Everything happens in callbacks of the port; nothing throws out of them.
 */
export class Agent implements HubConnectionOwner, ClockOwner, InboxOwner {
  readonly #config: AgentConfig;
  readonly #port: Port;
  readonly #application: Application;
  readonly #tokens: TokenSource;
  readonly #inbox: Inbox;
  readonly #monotonic: Monotonic;
  readonly #clock: ClockKeeper;
  readonly #sender: Sender;
  readonly #topicPrefix: string;
  readonly #username: string;
  readonly #context: ConnectivityContext;
  readonly #events: ConnectivityEvent[] = [];
  #dispatching = false;
  #running = false;
  #state: Connectivity = initialConnectivity;
  #current: HubConnection | undefined;
  #candidate: HubConnection | undefined;
  #candidateOpenedAtMs = 0;
  /** Of the candidate's CONNECT. */
  #fresh: FreshToken | undefined;
  /** The current connection's token, if it is a ready-made one, and when it ends. */
  #usedToken: string | undefined;
  #currentEndsMs = 0;
  /** When the token ends of the connection that the candidate, its CONNECT under way, replaces. */
  #replacedEndsMs: number | undefined;
  /** Why the candidate is about to be dropped. */
  #lostCode: string | undefined;
  #serial = 0;
  #scheduledAtMs = Infinity;
  #subscribeId = 0;

  constructor(options: AgentOptions) {
    const { config, port } = options;
    const { identity } = config;
    this.#config = config;
    this.#port = port;
    this.#application = new Application(options);
    this.#tokens = new TokenSource(config, port);
    this.#inbox = new Inbox(this.#application, this);
    this.#monotonic = new Monotonic(() => port.ticks());
    this.#clock = new ClockKeeper(port, config.timeServers, config.dateServer, this);
    const { queue, window, pipeline, pubackTimeoutMs } = config;
    const onSent = (nowMs: number): void => {
      if (nowMs + pubackTimeoutMs < this.#scheduledAtMs) this.#arm();
    };
    this.#sender = new Sender({ queue, window, pipeline, nowMs: () => this.nowMs(), onSent }, this.#application);
    this.#topicPrefix = telemetryTopic(identity);
    const model = config.modelId === undefined ? '' : `&model-id=${encodeURIComponent(config.modelId)}`;
    this.#username = `${identity.hub}/${clientIdOf(identity)}/?api-version=${API_VERSION}${model}&DeviceClientType=${encodeURIComponent(config.clientType)}`;
    const agent = this;
    this.#context = {
      get nowMs(): number {
        return agent.nowMs();
      },
      random: () => port.random(),
      keyCount: this.#tokens.keyCount,
      get tokenReady(): boolean {
        return agent.#tokens.isReady(agent.#current === undefined ? undefined : agent.#usedToken);
      },
      get idle(): boolean {
        return agent.#idle;
      },
      get roomForTwo(): boolean {
        return port.roomForTwo();
      },
      get roundTripMs(): number {
        return agent.#sender.roundTripMs;
      },
    };
  }

  /** Messages that `send` accepted and that are not acknowledged. */
  get pending(): number {
    return this.#sender.outbox.size;
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
    this.#application.report({ type: 'clock', level: this.#clock.level });
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
    if (!this.#sender.hasRoom()) return false;
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
    this.#sender.outbox.push(topic, bytes, qos);
    this.#pump();
    return true;
  }

  /** The next ready-made token; a renewal with it starts at once. */
  useToken(token: string): void {
    this.#tokens.useReadyMade(token);
    this.#dispatch({ type: 'tokenSupplied' });
  }

  /** The port's timer. */
  wake(): void {
    this.#scheduledAtMs = Infinity;
    const nowMs = this.nowMs();
    if (nowMs >= this.#clock.wakeAtMs) this.#clock.woke(nowMs);
    const current = this.#current;
    if (current !== undefined) {
      const dead = !current.woke(nowMs) || nowMs >= this.#sender.outbox.oldestSentAtMs(current.serial) + this.#config.pubackTimeoutMs;
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

  hasRoomForDate(): boolean {
    return (this.#current === undefined && this.#candidate === undefined) || this.#port.roomForTwo();
  }

  clockChanged(level: ClockLevel): void {
    this.#application.report({ type: 'clock', level });
    this.#clockUsable();
  }

  clockMoved(offMs: number): void {
    // Of the candidate's token and the current one's alike.
    if (this.#fresh !== undefined) this.#fresh = { ...this.#fresh, endsAtMs: this.#fresh.endsAtMs - offMs };
    this.#currentEndsMs -= offMs;
    this.#dispatch({ type: 'clockMoved', offMs });
  }

  clockSettled(offMs: number, checked: boolean): void {
    if (Math.abs(offMs) > limits.CLOCK_OFF_MS) this.#application.report({ type: 'clock-wrong', offMs });
    else this.#application.report({ type: 'credential-refused', keyIndex: this.#state.keyIndex, clockChecked: checked });
    this.#clockUsable();
    this.#dispatch({ type: 'resynchronised' });
  }

  clockTrouble(code: string, detail: number): void {
    this.#application.report({ type: 'clock-trouble', code, detail });
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
    const fresh = this.#fresh;
    if (connection !== this.#candidate || fresh === undefined) return;
    const replacedEndsMs = this.#replacedEndsMs;
    this.#replacedEndsMs = undefined;
    this.#fresh = undefined;
    this.#currentEndsMs = fresh.endsAtMs;
    // Only a ready-made token is compared with later; one that was signed need not be kept.
    this.#usedToken = this.#config.credential.type === 'token' ? fresh.password : undefined;
    this.#dispatch({ type: 'accepted', signedAtMs: fresh.signedAtMs, tokenEndsMs: fresh.endsAtMs });
    if (connection !== this.#current) return;
    const nowMs = this.nowMs();
    const tokenSeconds = Math.round((this.#currentEndsMs - nowMs) / 1000);
    if (replacedEndsMs !== undefined) this.#application.report({ type: 'renewed', leftMs: Math.round(replacedEndsMs - nowMs), tokenSeconds });
    else this.#application.report({ type: 'connected', sessionPresent, keyIndex: this.#state.keyIndex, tokenSeconds });
  }

  connectionRefused(connection: HubConnection, returnCode: number): void {
    if (connection !== this.#candidate) return;
    this.#application.report({ type: 'refused', returnCode, online: this.#current !== undefined });
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
      this.#sender.paused = false;
      // While a CONNECT is under way the hub closes the older connection: that is no loss.
      const { candidate } = this.#state;
      if (candidate !== 'connecting' && candidate !== 'overdue') this.#application.report({ type: 'disconnected', code });
      this.#dispatch({ type: 'currentLost' });
    }
  }

  pubackReceived(_connection: HubConnection, packetId: number): void {
    if (!this.#sender.acknowledge(packetId)) return;
    if (this.#state.candidate === 'draining' && this.#idle) this.#dispatch({ type: 'drained' });
    this.#pump();
  }

  publishReceived(connection: HubConnection, publish: Publish): void {
    this.#inbox.receive(connection, publish);
  }

  oversizeReceived(connection: HubConnection, publish: LargePublish): void {
    if (publish.packetId !== undefined) connection.send({ type: 'puback', packetId: publish.packetId });
    this.#application.report({ type: 'oversize', topic: publish.topic, byteCount: publish.byteCount });
  }

  subackReceived(_connection: HubConnection, suback: Suback): void {
    if (suback.packetId !== this.#subscribeId || suback.granted[0] !== SUBSCRIPTION_REFUSED) return;
    this.#application.report({ type: 'subscription-refused', topic: cloudMessageFilter(this.#config.identity) });
  }

  // --- messages from the cloud ---

  isCurrent(connection: HubConnection): boolean {
    return connection === this.#current;
  }

  inboxHandled(): void {
    if (this.#state.candidate === 'draining' && this.#idle) this.#dispatch({ type: 'drained' });
  }

  inboxWantsReconnect(connection: HubConnection): void {
    connection.close();
    this.connectionClosed(connection, 'ERR_UNHANDLED');
  }

  // --- inside ---

  get #idle(): boolean {
    return this.#sender.outbox.inFlight === 0 && this.#inbox.isIdle;
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
        this.#sender.paused = true;
        return;
      case 'resume':
        this.#sender.paused = false;
        return this.#pump();
      case 'promote':
        return this.#promote();
      case 'dropCandidate':
        return this.#dropCandidate(effect.reason);
      case 'dropCurrent':
        if (effect.reason === 'renewal') this.#replacedEndsMs = this.#currentEndsMs;
        this.#current?.close();
        this.#current = undefined;
        this.#sender.paused = false;
        if (effect.reason !== 'renewal') this.#application.report({ type: 'disconnected', code: effect.reason === 'stopped' ? 'STOPPED' : 'ERR_TOKEN_ENDED' });
        return;
      case 'resynchronise':
        return this.#clock.check();
      case 'askToken':
        return this.#application.report({ type: 'token-needed' });
    }
  }

  #open(): void {
    const { host, port, keepAliveSeconds, maxInboundBytes } = this.#config;
    if (this.#current === undefined) this.#application.report({ type: 'connecting', host, port });
    this.#serial += 1;
    this.#candidateOpenedAtMs = this.nowMs();
    this.#candidate = new HubConnection(this.#port, { serial: this.#serial, target: { host, port, resume: true }, keepAliveSeconds, maxInboundBytes }, this);
    this.#candidate.open();
  }

  #dropCandidate(reason: DropReason): void {
    const code = reason === 'late' ? 'ERR_TIMEOUT' : this.#lostCode;
    this.#lostCode = undefined;
    this.#replacedEndsMs = undefined;
    this.#fresh = undefined;
    this.#candidate?.close();
    this.#candidate = undefined;
    if (reason === 'lost' || reason === 'late') {
      const retryMs = Math.max(0, Math.round(this.#state.openAtMs - this.nowMs()));
      this.#application.report({ type: 'open-failed', code: code ?? 'ERR_LINK', retryMs, online: this.#current !== undefined });
    }
    if (this.#current === undefined) return;
    // What was pipelined behind the CONNECT goes over the current connection.
    this.#sender.outbox.requeue(this.#current.serial);
    this.#pump();
  }

  #connect(keyIndex: number): void {
    try {
      this.#fresh = this.#tokens.take(keyIndex, this.nowMs());
    } catch (error) {
      this.#lostCode = codeOf(error);
      this.#application.report({ type: 'sign-failed', code: this.#lostCode });
      return this.#dispatch({ type: 'candidateLost' });
    }
    if (this.#current !== undefined) this.#replacedEndsMs = this.#currentEndsMs;
    // Without a current connection the oldest messages go first: those that the lost one left unacknowledged.
    else if (this.#candidate !== undefined) this.#sender.outbox.requeue(this.#candidate.serial);
    const { identity, keepAliveSeconds } = this.#config;
    const { password } = this.#fresh;
    this.#candidate?.connect({ type: 'connect', clientId: clientIdOf(identity), username: this.#username, password, clean: false, keepAliveSeconds });
    this.#pipeline();
  }

  #promote(): void {
    this.#current?.close();
    this.#current = this.#candidate;
    this.#candidate = undefined;
    this.#sender.paused = false;
    const current = this.#current;
    if (current === undefined) return;
    // Messages of the older connection whose handler has not returned come again on this one.
    this.#inbox.reset();
    this.#sender.outbox.requeue(current.serial);
    if (this.#application.wantsMessages) {
      this.#subscribeId = this.#sender.outbox.takePacketId();
      current.send({ type: 'subscribe', packetId: this.#subscribeId, subscriptions: [{ topic: cloudMessageFilter(this.#config.identity), qos: 1 }] });
    }
    this.#pump();
  }

  /** Sends what there is room for on the current connection; while that is paused, what the candidate may have. */
  #pump(): void {
    if (this.#current === undefined || this.#sender.paused) this.#pipeline();
    else this.#sender.pump(this.#current);
  }

  #pipeline(): void {
    if (this.#candidate !== undefined && this.#state.candidate === 'connecting') this.#sender.pipeline(this.#candidate);
  }

  /** One timer for everything; a later moment than the one that is set costs nothing: the wake-up finds nothing to do. */
  #arm(): void {
    if (this.#dispatching) return;
    let wakeAtMs = Math.min(wakeAtOf(this.#state), this.#clock.wakeAtMs);
    const current = this.#current;
    if (current !== undefined) {
      wakeAtMs = Math.min(wakeAtMs, current.wakeAtMs, this.#sender.outbox.oldestSentAtMs(current.serial) + this.#config.pubackTimeoutMs);
    }
    if (wakeAtMs === Infinity || wakeAtMs >= this.#scheduledAtMs) return;
    this.#scheduledAtMs = wakeAtMs;
    this.#port.schedule(Math.max(0, Math.min(Math.ceil(wakeAtMs - this.nowMs()), limits.MAX_TIMER_MS)));
  }
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'ERR_SIGNER';
}
