import type { DesiredChange } from '../agent-part.ts';
import type { Application } from '../application.ts';
import type { TwinRequestKind } from '../events.ts';
import type { HubConnection } from '../hub-connection.ts';
import type { NameBudget } from '../json/name-budget.ts';
import { PropertyNames } from '../json/property-names.ts';
import { TwinScanner, type TwinScan } from '../json/twin-scanner.ts';
import type { Subscription } from '../mqtt/packets.ts';
import type { TextCodec } from '../text-codec.ts';
import { DESIRED_FILTER, reportedTopic, TWIN_RESPONSES_FILTER, twinGetTopic, type InboundTopic } from '../topics.ts';
import { ReportQueue } from './report-queue.ts';
import { initialTwin, isNextPatch, stepTwin, twinWakeAtOf, type TwinContext, type TwinEffect, type TwinState, type TwinStateEvent } from './twin-state.ts';

export interface TwinClientOwner {
  nowMs(): number;
  random(): number;
  readonly text: TextCodec;
  readonly names: NameBudget;
  /** `wakeAtMs` is earlier than it was, or a request can leave. */
  twinPlanned(): void;
  /** A request was answered. */
  twinAnswered(): void;
}

/** A topic of the twin's. */
export type TwinTopic = Extract<InboundTopic, { readonly kind: 'twin-response' | 'desired' }>;

const NO_BYTES = new Uint8Array(0);
/** Request ids count from a random number below this, so that an answer to a former life of the device is no answer now. */
const FIRST_REQUEST_BELOW = 2 ** 24;

/** The twin as the device sees it: desired properties to the application's parts, reported ones to the hub. Runs the machine of twin-state.ts. */
export class TwinClient {
  readonly #application: Application;
  readonly #owner: TwinClientOwner;
  readonly #desired: PropertyNames;
  readonly #reported: PropertyNames;
  readonly #context: TwinContext;
  readonly #reports = new ReportQueue();
  #state: TwinState = initialTwin;
  #lastRequest: number;
  /** Takes the payload of the PUBLISH that is arriving. */
  #scanner: TwinScanner | undefined;
  /** What was read last, while the machine decides on it. */
  #read: DesiredChange | undefined;
  #wantsReports = false;

  constructor(application: Application, owner: TwinClientOwner) {
    this.#application = application;
    this.#owner = owner;
    this.#desired = new PropertyNames(application.desiredNames, owner.text);
    this.#reported = new PropertyNames(application.reportedNames, owner.text);
    this.#lastRequest = Math.floor(owner.random() * FIRST_REQUEST_BELOW);
    const reports = this.#reports;
    this.#context = {
      get nowMs(): number {
        return owner.nowMs();
      },
      random: () => owner.random(),
      get hasReport(): boolean {
        return reports.hasWaiting;
      },
    };
  }

  /** What to subscribe to now; grows with the first report. */
  get subscriptions(): readonly Subscription[] {
    const answers: Subscription = { topic: TWIN_RESPONSES_FILTER, qos: 0 };
    // A patch that is lost is noticed by its version: QoS 1 would be acknowledged for nothing.
    if (this.#application.wantsDesired) return [answers, { topic: DESIRED_FILTER, qos: 0 }];
    return this.#wantsReports ? [answers] : [];
  }

  /** No request is on its way. */
  get isIdle(): boolean {
    return this.#state.get.phase !== 'asked' && this.#state.report.phase !== 'asked';
  }

  get wakeAtMs(): number {
    return twinWakeAtOf(this.#state);
  }

  /** Reports that the hub has not confirmed. */
  get hasReports(): boolean {
    return !this.#reports.isEmpty;
  }

  /** @throws ERR_REPORTED */
  report(patch: unknown): boolean {
    if (!this.#reports.push(patch)) return false;
    this.#wantsReports = true;
    this.#step({ type: 'reportQueued' });
    this.#owner.twinPlanned();
    return true;
  }

  /** The hub has granted `subscriptions`. */
  subscribed(): void {
    this.#step({ type: 'online', wantsTwin: this.#application.wantsDesired, hasReport: this.#reports.hasWaiting });
    this.#owner.twinPlanned();
  }

  /** The next connection goes to another hub: its versions say nothing beside those of this one. */
  hubMoved(): void {
    this.#step({ type: 'hubMoved' });
  }

  /** The connection has gone, with what was on its way. */
  disconnected(): void {
    this.#scanner = undefined;
    this.#step({ type: 'offline' });
  }

  woke(): void {
    this.#step({ type: 'woke' });
  }

  /** Sends what is due, as far as the connection has room. */
  pump(connection: HubConnection): void {
    while (connection.canSend && this.wakeAtMs <= this.#owner.nowMs()) {
      const before = this.#state;
      this.#step({ type: 'room', requestId: (this.#lastRequest + 1).toString(36) }, connection);
      if (this.#state === before) return;
    }
  }

  /** A PUBLISH for the twin begins; whether its payload is read. Any large one may come: nothing of it is held but what is registered. */
  begin(topic: TwinTopic): boolean {
    this.#scanner = undefined;
    const isPatch = topic.kind === 'desired';
    const isRead = isPatch ? this.#application.wantsDesired && isNextPatch(this.#state, topic.version) : topic.status === 200 && this.#isAsked('get', topic.requestId);
    if (!isRead) {
      this.#passedBy(topic);
      return false;
    }
    const { text, names } = this.#owner;
    const take = (name: string, value: unknown): boolean => this.#application.streamed(name, value);
    this.#scanner = new TwinScanner({ form: isPatch ? 'patch' : 'answer', desired: this.#desired, reported: this.#reported, text, names, take });
    return true;
  }

  feed(bytes: Uint8Array): void {
    this.#scanner?.feed(bytes);
  }

  /** The last byte of what `begin` let in has come. */
  end(topic: TwinTopic): void {
    const scan = this.#scanner?.end();
    this.#scanner = undefined;
    if (scan === undefined) return;
    const isPatch = topic.kind === 'desired';
    if (!scan.ok) {
      this.#application.report({ type: 'twin-unreadable', code: scan.code });
      this.#step(isPatch ? { type: 'patchMissed', version: topic.version } : { type: 'twinUnreadable' });
    } else {
      this.#read = toChange(scan, isPatch);
      // The topic of a patch says its version, too; the document is what counts for the application, and they must agree.
      if (isPatch && scan.desired.version !== topic.version) this.#step({ type: 'patchMissed', version: topic.version });
      else this.#step(isPatch ? { type: 'patchRead', version: topic.version } : { type: 'twinRead', version: scan.desired.version });
      this.#read = undefined;
    }
    this.#settled();
  }

  #passedBy(topic: TwinTopic): void {
    if (topic.kind === 'desired') {
      if (!this.#application.wantsDesired) return;
      this.#step({ type: 'patchMissed', version: topic.version });
    } else {
      const request = this.#isAsked('get', topic.requestId) ? 'get' : this.#isAsked('report', topic.requestId) ? 'report' : undefined;
      // An answer to a request that was given up, or to nobody's.
      if (request === undefined) return;
      this.#step({ type: 'answered', request, status: topic.status, version: topic.version });
    }
    this.#settled();
  }

  #isAsked(request: TwinRequestKind, requestId: string): boolean {
    const { phase, requestId: asked } = this.#state[request];
    return phase === 'asked' && asked === requestId;
  }

  #settled(): void {
    this.#owner.twinPlanned();
    if (this.isIdle) this.#owner.twinAnswered();
  }

  #step(event: TwinStateEvent, connection?: HubConnection): void {
    const [state, ...effects] = stepTwin(this.#state, event, this.#context);
    this.#state = state;
    for (const effect of effects) this.#run(effect, connection);
  }

  #run(effect: TwinEffect, connection: HubConnection | undefined): void {
    switch (effect.type) {
      case 'send':
        this.#lastRequest += 1;
        return this.#send(effect.request, effect.requestId, connection);
      case 'deliver':
        if (this.#read !== undefined) this.#application.changed(this.#read);
        return;
      case 'reported':
        this.#reports.finish();
        return this.#application.report(effect);
      case 'restoreReport':
        return this.#reports.restore();
      case 'refused':
        return this.#application.report({ type: 'twin-refused', request: effect.request, status: effect.status, names: effect.request === 'report' ? this.#reports.finish() : [] });
      case 'delayed':
        return this.#application.report({ type: 'twin-delayed', request: effect.request, status: effect.status, retryMs: effect.retryMs });
    }
  }

  #send(request: TwinRequestKind, requestId: string, connection: HubConnection | undefined): void {
    const isGet = request === 'get';
    const payload = isGet ? NO_BYTES : this.#owner.text.encodeUtf8(JSON.stringify(this.#reports.take() ?? {}));
    connection?.send({ type: 'publish', topic: isGet ? twinGetTopic(requestId) : reportedTopic(requestId), payload, qos: 0, dup: false, retain: false });
  }

}

function toChange({ desired, reported }: Extract<TwinScan, { readonly ok: true }>, isPatch: boolean): DesiredChange {
  return { version: desired.version, isPatch, properties: desired.values, refused: desired.refused, reported: reported?.values ?? new Map() };
}
