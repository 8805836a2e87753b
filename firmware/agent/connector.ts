import type { Application } from './application.ts';
import { ClockGate, type ClockGateOwner } from './clock/clock-gate.ts';
import type { ClockLevel } from './clock/clock-state.ts';
import type { Monotonic } from './clock/monotonic.ts';
import type { AgentConfig } from './config.ts';
import {
  initialConnectivity, step, wakeAtOf,
  type Connectivity, type ConnectivityContext, type ConnectivityEffect, type ConnectivityEvent, type DropReason,
} from './connectivity.ts';
import { connectPacketOf } from './connect-packet.ts';
import { Conversation, type ConversationOwner } from './conversation.ts';
import type { AgentEvent } from './events.ts';
import { HubConnection, type HubConnectionOwner } from './hub-connection.ts';
import * as limits from './limits.ts';
import type { Port } from './port.ts';
import type { AssignmentStore } from './provisioning/assignment-store.ts';
import { REGISTRATION_LIMIT_MS } from './provisioning/dps-limits.ts';
import { Registrar, type RegistrarOwner } from './provisioning/registrar.ts';
import type { RegistrationFailure } from './provisioning/registration.ts';
import { TokenSource, type FreshToken } from './token-source.ts';
import type { TrustedAgent, TrustKeeper } from './trust.ts';
import { WakeTimer } from './wake-timer.ts';

/** What the agent may do without. */
export interface ConnectorParts {
  readonly trust?: TrustKeeper | undefined;
  readonly assignments?: AssignmentStore | undefined;
}

/** The two seats: runs the machine of connectivity.ts, opens, renews and closes connections, and owns the one timer. */
export class Connector implements HubConnectionOwner, ClockGateOwner, ConversationOwner, RegistrarOwner, TrustedAgent {
  readonly tokens: TokenSource;
  readonly conversation: Conversation;
  #config: AgentConfig;
  readonly #port: Port;
  readonly #application: Application;
  readonly #monotonic: Monotonic;
  readonly #clock: ClockGate;
  readonly #trust: TrustKeeper | undefined;
  /** Present where a provisioning service assigns the hub; busy, it has the candidate's seat. */
  readonly #registrar: Registrar | undefined;
  readonly #context: ConnectivityContext;
  readonly #timer: WakeTimer;
  readonly #events: ConnectivityEvent[] = [];
  #dispatching = false;
  #running = false;
  /** The application was told that there is a connection, and not that it has gone. */
  #isToldConnected = false;
  #state: Connectivity = initialConnectivity;
  #current: HubConnection | undefined;
  #candidate: HubConnection | undefined;
  #candidateOpenedAtMs = 0;
  /** Of the anchors that the candidate was opened with. */
  #candidateEpoch = 0;
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

  constructor(config: AgentConfig, port: Port, application: Application, monotonic: Monotonic, { trust, assignments }: ConnectorParts = {}) {
    this.#config = config;
    this.#trust = trust;
    this.#registrar = config.dps && new Registrar(port, config.dps, application, this, assignments);
    this.#port = port;
    this.#application = application;
    this.#monotonic = monotonic;
    this.tokens = new TokenSource(config, port);
    this.conversation = new Conversation(config, port, application, this);
    this.#clock = new ClockGate(port, config, application, this);
    this.#timer = new WakeTimer(port);
    this.#context = this.#makeContext();
    trust?.attach(this);
  }

  get state(): Connectivity {
    return this.#state;
  }

  get isConnected(): boolean {
    return this.#current !== undefined;
  }

  get isRegistering(): boolean {
    return this.#registrar?.isBusy === true;
  }

  /** With the hub of now. */
  get config(): AgentConfig {
    return this.#config;
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
    if (this.#running) this.#trust?.start();
    this.#arm();
  }

  stop(): void {
    if (!this.#running) return;
    this.#running = false;
    this.#clock.stop();
    this.#trust?.stop();
    this.#dispatch({ type: 'stopped' });
  }

  tokenSupplied(): void {
    this.#dispatch({ type: 'tokenSupplied' });
  }

  /** The port's timer. */
  wake(): void {
    this.#timer.rang();
    const nowMs = this.nowMs();
    if (nowMs >= this.#clock.wakeAtMs) this.#clock.woke(nowMs);
    const current = this.#current;
    if (current !== undefined && !current.woke(nowMs)) this.conversationStuck(current, 'ERR_HUB_SILENT');
    if (nowMs >= this.conversation.wakeAtMs) this.conversation.woke(nowMs);
    if (this.#trust !== undefined && nowMs >= this.#trust.wakeAtMs) this.#trust.woke(nowMs);
    this.#registrar?.woke(nowMs);
    if (nowMs >= wakeAtOf(this.#state)) this.#dispatch({ type: 'woke' });
    this.#arm();
  }

  nowMs(): number {
    return this.#monotonic.nowMs();
  }

  // --- the clock ---

  get isOccupied(): boolean {
    return this.#current !== undefined || this.isOpening;
  }

  get keyIndex(): number {
    return this.#state.keyIndex;
  }

  clockSaid(event: ConnectivityEvent): void {
    this.#dispatch(event);
  }

  clockMoved(offMs: number): void {
    // Of the candidate's token and the current one's alike.
    if (this.#fresh !== undefined) this.#fresh = { ...this.#fresh, endsAtMs: this.#fresh.endsAtMs - offMs };
    this.#currentEndsMs -= offMs;
    this.#dispatch({ type: 'clockMoved', offMs });
  }

  // --- connections ---

  connectionOpened(connection: HubConnection): void {
    if (connection !== this.#candidate) return;
    this.#trust?.linkOpened(this.#candidateEpoch);
    // Revoked roots may have ended it.
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
    if (replacedEndsMs !== undefined) {
      this.#application.report({ type: 'renewed', leftMs: Math.round(replacedEndsMs - nowMs), tokenSeconds });
    } else {
      this.#application.report({ type: 'connected', sessionPresent, keyIndex: this.#state.keyIndex, tokenSeconds });
    }
    if (!this.#isToldConnected) {
      this.#isToldConnected = true;
      this.#application.connected();
    }
  }

  connectionRefused(connection: HubConnection, returnCode: number): void {
    if (connection !== this.#candidate) return;
    this.#application.report({ type: 'refused', returnCode, online: this.#current !== undefined });
    this.#dispatch({ type: 'refused', returnCode });
  }

  connectionClosed(connection: HubConnection, code: string): void {
    if (connection === this.#candidate) {
      this.#lostCode = code;
      this.#trust?.linkFailed(code, this.#candidateEpoch);
      this.#dispatch({ type: 'candidateLost' });
    } else if (connection === this.#current) {
      this.#current = undefined;
      this.conversation.end();
      // While a CONNECT is under way the hub closes the older connection: that is no loss.
      const { candidate } = this.#state;
      if (candidate !== 'connecting' && candidate !== 'overdue') this.#reportDisconnected(code);
      this.#dispatch({ type: 'currentLost' });
    }
  }

  // --- the provisioning service ---

  hubAssigned(hub: string, moved: boolean): void {
    if (moved) {
      const identity = { ...this.#config.identity, hub };
      this.#config = { ...this.#config, identity, host: this.#config.gateway ?? hub };
      this.tokens.useIdentity(identity);
      this.#trust?.hubAssigned(identity, this.#config.host);
      this.conversation.twin?.hubMoved();
    }
    this.#openAssigned(moved);
  }

  registrationFailed({ code, kind }: RegistrationFailure): void {
    // The service is asked because a hub is not well: that one is tried again whatever it says.
    if (this.#config.identity.hub !== '') return this.#openAssigned(false);
    if (kind !== 'network') return this.#dispatch({ type: 'registrationRefused', checkClock: kind === 'credential' });
    this.#lostCode = code;
    this.#trust?.linkFailed(code, this.#candidateEpoch, 'dps');
    this.#dispatch({ type: 'candidateLost' });
  }

  registrarPlanned(): void {
    this.#arm();
  }

  #openAssigned(afresh: boolean): void {
    // The application may have stopped the agent in the event before, and started it again.
    if (this.#state.candidate !== 'opening' || this.isOpening) return;
    this.#dispatch({ type: 'held', untilMs: this.nowMs() + limits.OPEN_TIMEOUT_MS, afresh });
    this.#openHub();
  }

  // --- trust anchors ---

  get isOpening(): boolean {
    return this.#candidate !== undefined || this.isRegistering;
  }

  report(patch: Readonly<Record<string, unknown>>): boolean {
    return this.conversation.report(patch);
  }

  tell(event: AgentEvent): void {
    this.#application.report(event);
  }

  reconnect(code: string): void {
    for (const connection of [this.#candidate, this.#current]) {
      if (connection !== undefined) this.conversationStuck(connection, code);
    }
    this.#registrar?.interrupt(code);
  }

  connectNow(): void {
    const candidate = this.#candidate;
    // It was opened with the anchors before.
    if (this.#current === undefined && this.#candidateEpoch !== this.#trust?.epoch) {
      if (candidate !== undefined) this.conversationStuck(candidate, 'ERR_ROOTS_CHANGED');
      this.#registrar?.interrupt('ERR_ROOTS_CHANGED');
    }
    this.#dispatch({ type: 'trustRenewed' });
  }

  trustPlanned(): void {
    this.#arm();
  }

  // --- the conversation ---

  conversationIdle(): void {
    if (this.#state.candidate === 'draining') this.#dispatch({ type: 'drained' });
  }

  conversationPlanned(atMs: number): void {
    if (atMs < this.#timer.atMs) this.#arm();
  }

  conversationStuck(connection: HubConnection, code: string): void {
    connection.close();
    this.connectionClosed(connection, code);
  }

  // --- inside ---

  #makeContext(): ConnectivityContext {
    const connector = this;
    return {
      get nowMs(): number {
        return connector.nowMs();
      },
      random: () => connector.#port.random(),
      keyCount: this.tokens.keyCount,
      get tokenReady(): boolean {
        return connector.tokens.isReady(connector.#current === undefined ? undefined : connector.#usedToken);
      },
      get idle(): boolean {
        return connector.conversation.isIdle;
      },
      get roomForTwo(): boolean {
        return connector.#port.roomForTwo();
      },
      get roundTripMs(): number {
        return connector.conversation.sender.roundTripMs;
      },
    };
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
        return this.conversation.pause();
      case 'resume':
        return this.conversation.resume();
      case 'promote':
        return this.#promote();
      case 'dropCandidate':
        return this.#dropCandidate(effect.reason);
      case 'dropCurrent':
        if (effect.reason === 'renewal') this.#replacedEndsMs = this.#currentEndsMs;
        this.#current?.close();
        this.#current = undefined;
        this.conversation.end();
        if (effect.reason !== 'renewal') this.#reportDisconnected(effect.reason === 'stopped' ? 'STOPPED' : 'ERR_TOKEN_ENDED');
        return;
      case 'resynchronise':
        return this.#clock.check();
      case 'askToken':
        return this.#application.report({ type: 'token-needed' });
    }
  }

  #open(): void {
    const registrar = this.#registrar;
    if (registrar?.mustRegister(this.#state, this.tokens.keyCount) !== true) return this.#openHub();
    this.#serial += 1;
    this.#candidateEpoch = this.#trust?.epoch ?? 0;
    this.#dispatch({ type: 'held', untilMs: this.nowMs() + REGISTRATION_LIMIT_MS + limits.OPEN_TIMEOUT_MS, afresh: false });
    registrar.begin(this.#state.keyIndex, this.#serial);
  }

  #openHub(): void {
    const { host, port, keepAliveSeconds, maxInboundBytes } = this.#config;
    if (this.#current === undefined) this.#application.report({ type: 'connecting', host, port });
    this.#serial += 1;
    this.#candidateOpenedAtMs = this.nowMs();
    this.#candidateEpoch = this.#trust?.epoch ?? 0;
    const options = { serial: this.#serial, target: { host, port, resume: this.#trust?.mayResume ?? true }, keepAliveSeconds, maxInboundBytes };
    this.#candidate = new HubConnection(this.#port, options, this, this.conversation);
    this.#candidate.open();
  }

  #dropCandidate(reason: DropReason): void {
    const code = reason === 'late' ? 'ERR_TIMEOUT' : this.#lostCode;
    this.#lostCode = undefined;
    this.#replacedEndsMs = undefined;
    this.#fresh = undefined;
    this.#registrar?.end();
    this.#candidate?.close();
    this.#candidate = undefined;
    if (reason === 'lost' || reason === 'late') {
      const retryMs = Math.max(0, Math.round(this.#state.openAtMs - this.nowMs()));
      this.#application.report({ type: 'open-failed', code: code ?? 'ERR_LINK', retryMs, online: this.#current !== undefined });
    }
    // The current connection ended while this one's CONNECT was under way, which was no loss then.
    if (this.#current === undefined && this.#isToldConnected) this.#reportDisconnected(code ?? 'ERR_LINK_LOST');
    this.conversation.dropCandidate();
  }

  #connect(keyIndex: number): void {
    try {
      this.#fresh = this.tokens.take(keyIndex, this.nowMs());
    } catch (error) {
      this.#lostCode = codeOf(error);
      this.#application.report({ type: 'sign-failed', code: this.#lostCode });
      return this.#dispatch({ type: 'candidateLost' });
    }
    if (this.#current !== undefined) this.#replacedEndsMs = this.#currentEndsMs;
    const candidate = this.#candidate;
    if (candidate === undefined) return;
    candidate.connect(connectPacketOf(this.#config, this.#fresh.password));
    this.conversation.pipelineBehind(candidate);
  }

  #promote(): void {
    this.#current?.close();
    this.#current = this.#candidate;
    this.#candidate = undefined;
    if (this.#current !== undefined) this.conversation.begin(this.#current);
  }

  #reportDisconnected(code: string): void {
    this.#isToldConnected = false;
    this.#application.report({ type: 'disconnected', code });
    this.#application.disconnected(code);
  }

  #arm(): void {
    if (this.#dispatching) return;
    const own = Math.min(wakeAtOf(this.#state), this.#current?.wakeAtMs ?? Infinity, this.#registrar?.wakeAtMs ?? Infinity);
    this.#timer.arm(Math.min(own, this.#clock.wakeAtMs, this.conversation.wakeAtMs, this.#trust?.wakeAtMs ?? Infinity), this.nowMs());
  }
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'ERR_SIGNER';
}
