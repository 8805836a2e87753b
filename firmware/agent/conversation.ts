import type { Application } from './application.ts';
import type { AgentConfig } from './config.ts';
import type { HubConnection, PacketReceiver } from './hub-connection.ts';
import { NameBudget } from './json/name-budget.ts';
import { Inbox, type InboxOwner } from './messages/inbox.ts';
import { Sender, type SenderOwner } from './messages/sender.ts';
import { MethodServer, type MethodServerOwner } from './methods/method-server.ts';
import type { Suback, Subscription } from './mqtt/packets.ts';
import type { Port } from './port.ts';
import { Reception, type ReceptionOwner } from './reception.ts';
import { Subscriptions } from './subscriptions.ts';
import type { TextCodec } from './text-codec.ts';
import { cloudMessageFilter } from './topics.ts';
import { TwinClient, type TwinClientOwner } from './twin/twin-client.ts';

export interface ConversationOwner {
  nowMs(): number;
  /** Nothing is unanswered in either direction any more. */
  conversationIdle(): void;
  /** Something is to be done at `atMs`. */
  conversationPlanned(atMs: number): void;
  /** The connection is no good any more. */
  conversationStuck(connection: HubConnection, code: string): void;
}

/** Everything that is said over the current connection, whichever that is: telemetry, twin, methods, messages. It outlives connections. */
export class Conversation implements PacketReceiver, SenderOwner, ReceptionOwner, InboxOwner, MethodServerOwner, TwinClientOwner {
  readonly sender: Sender;
  readonly reception: Reception;
  readonly text: TextCodec;
  readonly #config: AgentConfig;
  readonly #port: Port;
  readonly #application: Application;
  readonly #owner: ConversationOwner;
  readonly inbox: Inbox;
  /** Absent, as the twin is, where nobody asked for it: what is not used takes no heap. */
  readonly methods: MethodServer | undefined;
  readonly #subscriptions = new Subscriptions();
  twin: TwinClient | undefined;
  #names: NameBudget | undefined;
  #current: HubConnection | undefined;
  /** Its CONNECT is under way. */
  #candidate: HubConnection | undefined;
  /** Twin or methods have something to send: it goes before telemetry. */
  #isUrgent = false;

  constructor(config: AgentConfig, port: Port, application: Application, owner: ConversationOwner) {
    const { identity } = config;
    this.#config = config;
    this.#port = port;
    this.#application = application;
    this.#owner = owner;
    this.text = port.text;
    this.reception = new Reception(identity, application, this);
    this.sender = new Sender(config, application, this);
    this.inbox = new Inbox(application, identity.moduleId === undefined ? cloudMessageFilter(identity) : undefined, this);
    this.methods = application.wantsMethods ? new MethodServer(application, this) : undefined;
    this.sender.outbox.other = this.methods;
    this.twin = application.wantsDesired ? new TwinClient(application, this) : undefined;
  }

  /** Nothing is unanswered in either direction: no message, method, or twin request. */
  get isIdle(): boolean {
    return this.sender.outbox.inFlight === 0 && this.inbox.isIdle && this.methods?.isIdle !== false && this.twin?.isIdle !== false;
  }

  /** When `woke` has something to do; Infinity when nothing. */
  get wakeAtMs(): number {
    const methodsWakeAtMs = this.methods?.wakeAtMs ?? Infinity;
    if (this.#current === undefined) return methodsWakeAtMs;
    // What is due and has no room leaves when there is room: no timer helps.
    const twinWakeAtMs = this.#isUrgent ? Infinity : this.#twinWakeAtMs;
    return Math.min(this.#oldestSentAtMs(this.#current) + this.#config.pubackTimeoutMs, twinWakeAtMs, methodsWakeAtMs);
  }

  /** Whether something that was reported is not confirmed. */
  get hasReports(): boolean {
    return this.twin?.hasReports === true;
  }

  // --- which connection ---

  /** `connection` was accepted: everything goes over it from now on. */
  begin(connection: HubConnection): void {
    this.end();
    this.#current = connection;
    this.#candidate = undefined;
    this.sender.paused = false;
    this.sender.outbox.requeue(connection.serial);
    this.methods?.connected();
    this.#isUrgent = true;
    this.#subscribe();
    this.pump();
  }

  /** The current connection has gone; what the hub has not acknowledged waits for the next. */
  end(): void {
    if (this.#current === undefined) return;
    this.#current = undefined;
    this.reception.reset();
    this.sender.paused = false;
    this.inbox.reset();
    this.#subscriptions.reset();
    this.twin?.disconnected();
  }

  /** Nothing leaves on the current connection until `resume` or `begin`. */
  pause(): void {
    this.sender.paused = true;
  }

  resume(): void {
    this.#candidate = undefined;
    this.sender.paused = false;
    this.pump();
  }

  /** `candidate` has sent its CONNECT: while the current connection is paused, messages may follow behind it. */
  pipelineBehind(candidate: HubConnection): void {
    this.#candidate = candidate;
    // Without a current connection the oldest messages go first: those that the lost one left unacknowledged.
    if (this.#current === undefined) this.sender.outbox.requeue(candidate.serial);
    this.#pipeline(candidate);
  }

  /** The candidate is no more; what was pipelined behind its CONNECT goes over the current connection. */
  dropCandidate(): void {
    this.#candidate = undefined;
    if (this.#current === undefined) return;
    this.sender.outbox.requeue(this.#current.serial);
    this.pump();
  }

  // --- sending ---

  /** Sends what there is room for on the current connection; while that is paused, what the candidate may have. */
  pump(): void {
    if (this.reception.isBusy) return;
    const current = this.#current;
    if (current === undefined || this.sender.paused) return this.#pumpPaused(current);
    if (this.#isUrgent) this.#pumpUrgent(current);
    this.sender.pump(current);
  }

  #pumpPaused(current: HubConnection | undefined): void {
    if (this.#candidate !== undefined) this.#pipeline(this.#candidate);
    // The window drains: it waits for the answers to methods, too.
    else if (current !== undefined && this.#isUrgent) this.methods?.pump(current);
  }

  /** Not while an answer to a method waits, which cannot go before CONNACK: what is sent again keeps its order ([MQTT-4.6.0-1]). */
  #pipeline(candidate: HubConnection): void {
    if (this.methods?.hasAnswers !== true) this.sender.pipeline(candidate);
  }

  /** @throws ERR_REPORTED */
  report(patch: unknown): boolean {
    this.twin ??= new TwinClient(this.#application, this);
    return this.twin.report(patch);
  }

  #pumpUrgent(current: HubConnection): void {
    this.methods?.pump(current);
    this.twin?.pump(current);
    this.#isUrgent = this.methods?.hasUnsent === true || this.#twinWakeAtMs <= this.nowMs();
    this.#owner.conversationPlanned(this.wakeAtMs);
  }

  #subscribe(): void {
    if (this.#current !== undefined) this.#subscriptions.ask(this.#current, this.#wanted(), this.nowMs(), this);
  }

  #wanted(): readonly Subscription[] {
    return [...this.inbox.subscriptions, ...(this.methods?.subscriptions ?? []), ...(this.twin?.subscriptions ?? [])];
  }

  // --- time ---

  woke(nowMs: number): void {
    const current = this.#current;
    this.methods?.woke(nowMs);
    if (current === undefined || current !== this.#current) return;
    if (nowMs >= this.#oldestSentAtMs(current) + this.#config.pubackTimeoutMs) return this.#owner.conversationStuck(current, 'ERR_HUB_SILENT');
    if (nowMs < this.#twinWakeAtMs) return;
    this.twin?.woke();
    this.#isUrgent = true;
    this.pump();
  }

  get #twinWakeAtMs(): number {
    return this.twin?.wakeAtMs ?? Infinity;
  }

  #oldestSentAtMs(current: HubConnection): number {
    return Math.min(this.sender.outbox.oldestSentAtMs(current.serial), this.methods?.oldestSentAtMs ?? Infinity, this.#subscriptions.sentAtMs);
  }

  // --- what the hub says ---

  connectionWritable(connection: HubConnection): void {
    if (connection === this.#current || connection === this.#candidate) this.pump();
  }

  pubackReceived(_connection: HubConnection, packetId: number): void {
    if (!this.sender.acknowledge(packetId) && this.methods?.acknowledge(packetId) !== true) return;
    if (this.sender.paused && this.isIdle) this.#owner.conversationIdle();
    this.pump();
  }

  subackReceived(connection: HubConnection, suback: Suback): void {
    if (connection !== this.#current) return;
    const refused = this.#subscriptions.receive(suback);
    if (refused === undefined) return;
    for (const topic of refused) this.#application.report({ type: 'subscription-refused', topic });
    const twinTopics = this.twin?.subscriptions ?? [];
    if (this.#subscriptions.isSettled(twinTopics) && !twinTopics.some(({ topic }) => refused.includes(topic))) this.twin?.subscribed();
    this.#subscribe();
  }

  receptionFree(): void {
    this.pump();
  }

  // --- what the parts ask for ---

  get names(): NameBudget {
    return (this.#names ??= new NameBudget());
  }

  messageSent(nowMs: number): void {
    this.#owner.conversationPlanned(nowMs + this.#config.pubackTimeoutMs);
  }

  nowMs(): number {
    return this.#owner.nowMs();
  }

  random(): number {
    return this.#port.random();
  }

  takePacketId(): number {
    return this.sender.outbox.takePacketId();
  }

  resendBefore(packetId: number, connection: HubConnection): boolean {
    return this.sender.resendBefore(packetId, connection);
  }

  isCurrent(connection: HubConnection): boolean {
    return connection === this.#current;
  }

  inboxHandled(): void {
    this.#answered();
  }

  inboxWantsReconnect(connection: HubConnection): void {
    this.#owner.conversationStuck(connection, 'ERR_UNHANDLED');
  }

  methodsPlanned(): void {
    this.#planned();
  }

  methodEnded(): void {
    this.#answered();
  }

  twinPlanned(): void {
    this.#subscribe();
    this.#planned();
  }

  twinAnswered(): void {
    this.#answered();
  }

  #planned(): void {
    this.#isUrgent = true;
    this.pump();
    this.#owner.conversationPlanned(this.wakeAtMs);
  }

  #answered(): void {
    if (this.sender.paused && this.isIdle) this.#owner.conversationIdle();
  }
}
