import type { DesiredChange } from '../agent-part.ts';
import { backoffMs, uniform, type BackoffRange } from '../backoff.ts';
import type { Identity } from '../identity.ts';
import { NameBudget } from '../json/name-budget.ts';
import { parseBounded } from '../json/parse-bounded.ts';
import type { InboundMessage } from '../messages/inbound-message.ts';
import type { MethodHandler, MethodRequest } from '../methods/method-request.ts';
import type { Port } from '../port.ts';
import type { TrustedAgent, TrustKeeper } from '../trust.ts';
import { BundleError } from './bundle-error.ts';
import { BundleFetch, type FetchResult } from './bundle-fetch.ts';
import { checkBundle } from './check-bundle.ts';
import { DEFAULT_RECOVERY, initialRecovery, stepRecovery, type Recovery, type RecoveryEvent, type RecoveryOptions } from './recovery.ts';
import type { RootFlash } from './root-flash.ts';
import { MAX_LINKS, TRIAL_AGAIN_MS } from './root-limits.ts';
import { MESSAGE_PROPERTY, MESSAGE_VALUE, parseOffer, PART_PROPERTIES, placeOf, ROOTS_PROPERTY, UPDATE_METHOD, type PartOffer, type UrlOffer } from './root-offer.ts';
import { parseBundleHost, type BundlePlace } from './root-place.ts';
import { RootStore, type FactorySet } from './root-store.ts';
import type { RootVerifier } from './root-verifier.ts';
import { TlsProbe } from './tls-probe.ts';

export interface RootKeeperOptions {
  readonly port: Port;
  readonly flash: RootFlash;
  readonly verifier: RootVerifier;
  readonly identity: Identity;
  /** Where TLS goes. */
  readonly host: string;
  readonly hostPort: number;
  readonly idScope?: string | undefined;
  /** What the image brings. */
  readonly factory: FactorySet;
  /** `host` or `host:port` of servers of bundles, for a device that can no longer verify its hub; empty: none. */
  readonly recoveryHosts?: readonly string[] | undefined;
  readonly recovery?: Partial<RecoveryOptions> | undefined;
}

/** The one class that says: the hub may have changed its root. */
const UNTRUSTED_ISSUER = 'ERR_TLS_UNTRUSTED_ISSUER';
const ROOTS_REVOKED = 'ERR_ROOTS_REVOKED';
/** Between two tries to fetch what was offered, and between two probes of a trial. */
const FETCH_AGAIN: BackoffRange = { minimumMs: 1000, firstMs: 30_000, capMs: 3_600_000 };
const PROBE_AGAIN: BackoffRange = { minimumMs: 1000, firstMs: 10_000, capMs: 600_000 };

/** Names that the reported state of the roots has; the twin's reader knows them by `reported`. */
type RootsState = 'committed' | 'trial' | 'rolledBack';

/**
 * Keeps the device's trust anchors: takes bundles from the cloud or from a server, puts their roots on trial, goes back when they do
 * not reach the hub, and asks for the next bundle by plain HTTP when nothing that it trusts does. What it decides is in RootStore.
 */
export class RootKeeper implements TrustKeeper {
  readonly desired: readonly string[] = [ROOTS_PROPERTY];
  readonly streamed: readonly string[] = PART_PROPERTIES;
  readonly methods: Readonly<Record<string, MethodHandler>> = { [UPDATE_METHOD]: (request) => this.#methodCalled(request) };
  readonly store: RootStore;
  epoch = 0;

  readonly #options: RootKeeperOptions;
  readonly #recoveryOptions: RecoveryOptions;
  readonly #names = new NameBudget({ maxNames: 16 });
  #agent: TrustedAgent | undefined;
  #isRunning = false;
  #beginAtMs = Infinity;
  /** What the owner wants the device to have, by URL. */
  #offer: UrlOffer | undefined;
  #fetch: BundleFetch | undefined;
  #fetchAtMs = Infinity;
  #fetchTries = 0;
  #probe: TlsProbe | undefined;
  #probeAtMs = Infinity;
  #probeTries = 0;
  #trialAtMs = Infinity;
  #recovery: Recovery = initialRecovery;
  /** Links fetched in this recovery, and the expired link that another follows. */
  #links = 0;
  #expiredVersion = 0;
  /** Every part is there: what they are together is looked at in a turn of its own, on an empty stack. */
  #checkAtMs = Infinity;
  #caller: MethodRequest | undefined;
  #error: string | undefined;
  #reported = '';

  constructor(options: RootKeeperOptions) {
    this.#options = options;
    this.#recoveryOptions = { ...DEFAULT_RECOVERY, ...options.recovery };
    this.store = new RootStore(options.flash, options.verifier, options.factory, () => this.#nowMs);
  }

  /** For `Port.roots()`. */
  anchors(): readonly ArrayBuffer[] {
    return this.store.anchors('hub');
  }

  get mayResume(): boolean {
    return this.store.phase !== 'trial';
  }

  attach(agent: TrustedAgent): void {
    this.#agent = agent;
  }

  start(): void {
    this.#isRunning = true;
    this.#beginAtMs = this.#nowMs;
  }

  /** In a turn of its own: an application starts deep in the stack. */
  #begin(): void {
    this.#beginAtMs = Infinity;
    if (this.store.isDamaged) this.#agent?.tell({ type: 'roots-damaged', version: this.store.version });
    if (this.store.phase === 'failed') this.#planTrial();
    else if (this.store.isComplete) this.#checkAtMs = this.#nowMs;
    this.#report();
  }

  stop(): void {
    this.#isRunning = false;
    this.#fetch?.close();
    this.#probe?.close();
    this.#fetch = undefined;
    this.#probe = undefined;
    this.#fetchAtMs = Infinity;
    this.#probeAtMs = Infinity;
  }

  // --- what TLS says ---

  linkOpened(epoch: number): void {
    this.#advance({ type: 'verified' });
    if (epoch === this.epoch) this.#trialPassed();
  }

  linkFailed(code: string, epoch: number): void {
    if (code !== UNTRUSTED_ISSUER || epoch !== this.epoch) return;
    this.#trialFailed();
    this.#advance({ type: 'untrusted' });
    this.#agent?.trustPlanned();
  }

  // --- time ---

  get wakeAtMs(): number {
    const fetchAtMs = this.#fetch?.deadlineMs ?? Math.min(this.#fetchAtMs, this.#recovery.tryAtMs);
    const probeAtMs = this.#probe?.deadlineMs ?? this.#probeAtMs;
    return this.#isRunning ? Math.min(fetchAtMs, probeAtMs, this.#trialAtMs, this.#checkAtMs, this.#beginAtMs) : Infinity;
  }

  woke(nowMs: number): void {
    if (!this.#isRunning) return;
    if (nowMs >= this.#beginAtMs) this.#begin();
    if (nowMs >= this.#checkAtMs) this.#checkParts();
    this.#fetch?.woke(nowMs);
    this.#probe?.woke(nowMs);
    if (this.#probe === undefined && nowMs >= this.#probeAtMs) this.#startProbe(nowMs);
    if (nowMs >= this.#trialAtMs) this.#tryAgain();
    if (this.#fetch !== undefined) return;
    if (nowMs >= this.#recovery.tryAtMs) this.#recover();
    else if (nowMs >= this.#fetchAtMs) this.#fetchOffered();
  }

  // --- ways in ---

  onDesired(change: DesiredChange): void {
    const value = change.properties.get(ROOTS_PROPERTY);
    if (value === null) this.#offer = undefined;
    else if (value !== undefined) this.#guarded(() => this.#offered(value));
    for (const [, code] of change.refused) this.#refused(code);
  }

  onStreamed(_name: string, value: unknown): void {
    if (value !== null) this.#guarded(() => this.#offered(value));
  }

  onMessage(message: InboundMessage): boolean {
    if (message.properties.application.get(MESSAGE_PROPERTY) !== MESSAGE_VALUE) return false;
    const parsed = parseBounded(message.payload, { text: this.#options.port.text, names: this.#names });
    if (parsed.ok) this.#guarded(() => this.#offered(parsed.value));
    else this.#refused(parsed.code);
    message.acknowledge();
    return true;
  }

  #methodCalled(request: MethodRequest): void {
    const code = this.#guarded(() => this.#offered(request.payload));
    // The last part is answered when it is known what it completes.
    if (code === undefined && this.#checkAtMs !== Infinity && this.#caller === undefined) this.#caller = request;
    else this.#answer(request, code);
  }

  #answer(request: MethodRequest, code: string | undefined): void {
    const { version, phase, staging } = this.store;
    const have: number[] = [];
    staging?.lengths.forEach((length, index) => length !== undefined && have.push(index));
    request.respond(code === undefined ? 200 : 400, { version, state: stateOf(phase), have, error: code ?? null });
  }

  #offered(value: unknown): void {
    const offer = parseOffer(value);
    if (offer.kind === 'part') return this.#takePart(offer);
    this.#offer = offer;
    if (offer.version <= this.store.version) return;
    this.#fetchTries = 0;
    this.#fetchAtMs = this.#nowMs;
    this.#agent?.trustPlanned();
  }

  #takePart({ version, digest, count, index, text }: PartOffer): void {
    if (version <= this.store.version) return;
    if (version > this.store.version + 1) throw new BundleError('ERR_BUNDLE_VERSION', `version ${version} does not follow ${this.store.version}`);
    const { staging } = this.store;
    const isSame = staging !== undefined && staging.version === version && staging.count === count && staging.digest.every((byte, at) => byte === digest[at]);
    const bytes = this.#options.port.text.encodeUtf8(text);
    const part = bytes.subarray(0, this.#options.verifier.decodeInPlace(bytes, 0, bytes.length));
    if (!isSame) this.store.beginParts(version, count, digest);
    this.store.addPart(index, part);
    if (!this.store.isComplete) return;
    this.#checkAtMs = this.#nowMs;
    this.#agent?.trustPlanned();
  }

  #checkParts(): void {
    this.#checkAtMs = Infinity;
    const code = this.#guarded(() => {
      const version = this.store.staging?.version ?? 0;
      const bundle = this.store.takeParts();
      if (bundle !== undefined) this.#take(bundle, version);
    });
    if (code !== undefined) this.store.dropParts();
    const caller = this.#caller;
    this.#caller = undefined;
    if (caller !== undefined) this.#answer(caller, code);
  }

  /** @param target the version that the owner wants in the end */
  #take(bundle: Uint8Array, target: number): void {
    const { verifier, identity, idScope, port } = this.#options;
    const isInner = this.store.version + 1 < target || this.#expiredVersion === this.store.version + 1;
    const hasTime = this.#agent !== undefined && this.#agent.clockLevel !== 'unset';
    if (this.store.isDamaged) throw new BundleError('ERR_BUNDLE_SIGNATURES', 'the stored set is damaged: no key can be believed');
    const read = checkBundle(bundle, {
      verifier,
      keys: this.store.keys,
      version: this.store.version,
      digest: this.store.digest,
      hub: identity.hub,
      idScope,
      deviceId: identity.deviceId,
      nowMs: hasTime ? port.wallMs() : undefined,
      isInner,
    });
    if (read === undefined) return;
    this.store.commit(read, bundle, isInner);
    this.#error = undefined;
    this.#probeTries = 0;
    this.#agent?.tell({ type: 'roots-committed', version: read.version, phase: isInner ? 'inner' : 'trial', clockChecked: hasTime });
    this.#changed(read.revoked.length > 0);
  }

  /** Other anchors count from now on. */
  #changed(isRevoked: boolean): void {
    this.epoch += 1;
    this.#options.port.dropTlsSessions();
    this.#probe?.close();
    this.#probe = undefined;
    this.#trialAtMs = Infinity;
    this.#advance({ type: 'updated' });
    this.#probeAtMs = this.store.phase === 'trial' ? this.#nowMs : Infinity;
    this.#report();
    // Whose certificate the current connection has seen is not known any more: it may be the revoked one's.
    if (isRevoked) this.#agent?.reconnect(ROOTS_REVOKED);
    this.#agent?.trustPlanned();
  }

  // --- the trial ---

  #trialPassed(): void {
    if (this.store.phase !== 'trial') return;
    this.store.trialPassed();
    this.#probe?.close();
    this.#probe = undefined;
    this.#probeAtMs = Infinity;
    this.#agent?.tell({ type: 'roots-passed', version: this.store.version });
    this.#report();
  }

  #trialFailed(): void {
    if (this.store.phase !== 'trial') return;
    this.store.trialFailed();
    // The phase has changed, which the type of the getter does not show.
    if ((this.store.phase as string) !== 'failed') return;
    this.#agent?.tell({ type: 'roots-rolled-back', version: this.store.version });
    this.#changed(false);
    this.#planTrial();
  }

  #planTrial(): void {
    this.#trialAtMs = this.#nowMs + uniform(TRIAL_AGAIN_MS, 2 * TRIAL_AGAIN_MS, this.#options.port.random());
    this.#agent?.trustPlanned();
  }

  #tryAgain(): void {
    this.#trialAtMs = Infinity;
    this.store.trialAgain();
    this.#changed(false);
  }

  /** Beside a connection that works; without one, or while one is opened, that one is the trial. */
  #startProbe(nowMs: number): void {
    const { port, host, hostPort } = this.#options;
    this.#probeAtMs = Infinity;
    if (this.store.phase !== 'trial' || this.#agent?.isConnected !== true) return;
    if (this.#agent.isOpening || !port.roomForTwo()) return this.#planProbe();
    const { epoch } = this;
    this.#probe = new TlsProbe(port, host, hostPort, nowMs, (code) => {
      this.#probe = undefined;
      if (epoch !== this.epoch) return;
      if (code === undefined) return this.#trialPassed();
      this.#planProbe();
      if (code === UNTRUSTED_ISSUER) this.#trialFailed();
    });
    this.#probe.open();
  }

  #planProbe(): void {
    this.#probeAtMs = this.#nowMs + backoffMs(this.#probeTries, this.#options.port.random(), PROBE_AGAIN);
    this.#probeTries += 1;
    this.#agent?.trustPlanned();
  }

  // --- bundles from a server ---

  #fetchOffered(): void {
    this.#fetchAtMs = Infinity;
    const offer = this.#offer;
    const next = this.store.version + 1;
    if (offer === undefined || offer.version < next) return;
    const place = placeOf(next, offer.version, offer.place);
    if (place === undefined) return this.#refused('ERR_BUNDLE_VERSION');
    this.#get(place, (result) => {
      const isTaken = result.ok && this.#guarded(() => this.#take(result.bytes, offer.version)) === undefined;
      if (!result.ok) this.#refused(result.code);
      if (isTaken) this.#fetchTries = 0;
      const isDone = (this.#offer?.version ?? 0) <= this.store.version;
      this.#fetchAtMs = isDone ? Infinity : this.#nowMs + (isTaken ? 0 : this.#fetchBackoffMs());
    });
  }

  #fetchBackoffMs(): number {
    const waitMs = backoffMs(this.#fetchTries, this.#options.port.random(), FETCH_AGAIN);
    this.#fetchTries += 1;
    return waitMs;
  }

  #recover(): void {
    const hosts = this.#options.recoveryHosts ?? [];
    const host = hosts[this.#recovery.tries % Math.max(1, hosts.length)];
    this.#advance({ type: 'tried', random: this.#options.port.random() });
    this.#links = 0;
    if (host !== undefined) this.#recoverFrom(host, this.store.version + 1);
  }

  /** Link after link until there is no next one: only the last must not have expired. */
  #recoverFrom(host: string, version: number): void {
    const place = parseBundleHost(host, `/${version}.json`);
    if (place === undefined || this.#links >= MAX_LINKS) return;
    this.#links += 1;
    this.#get(place, (result) => {
      const code = this.#takeRecovered(result, version);
      this.#agent?.tell({ type: 'roots-recovery', host, version, code: code ?? 'OK' });
      if (code === 'ERR_BUNDLE_EXPIRED') this.#recoverFrom(host, version + 1);
      else if (code === undefined) this.#recoverFrom(host, this.store.version + 1);
    });
  }

  /** Why no bundle was taken; `undefined` when one was, or when an expired one may now be taken. */
  #takeRecovered(result: FetchResult, version: number): string | undefined {
    if (!result.ok) return result.code;
    if (version !== this.store.version + 1) {
      // The one behind an expired link is there: that link is an inner one.
      this.#expiredVersion = this.store.version + 1;
      return undefined;
    }
    return this.#guarded(() => this.#take(result.bytes, version));
  }

  #get(place: BundlePlace, done: (result: FetchResult) => void): void {
    this.#fetch = new BundleFetch(this.#options.port, place, this.#nowMs, (result) => {
      this.#fetch = undefined;
      done(result);
      this.#agent?.trustPlanned();
    });
    this.#fetch.open();
  }

  // --- inside ---

  get #nowMs(): number {
    return this.#agent?.nowMs() ?? 0;
  }

  #advance(event: RecoveryEvent): void {
    this.#recovery = stepRecovery(this.#recovery, event, this.#nowMs, this.#recoveryOptions);
    if ((this.#options.recoveryHosts ?? []).length === 0) this.#recovery = { ...this.#recovery, tryAtMs: Infinity };
  }

  /** The code of what was refused. Whatever comes from outside ends nothing. */
  #guarded(action: () => void): string | undefined {
    try {
      action();
      return undefined;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'ERR_BUNDLE_FORMAT';
      this.#refused(code);
      return code;
    }
  }

  #refused(code: string): void {
    this.#error = code;
    this.#agent?.tell({ type: 'roots-refused', code, version: this.store.version });
    this.#report();
  }

  #report(): void {
    const { version, phase } = this.store;
    const roots = { version, state: stateOf(phase), fingerprints: this.store.fingerprints(), error: this.#error ?? null };
    const text = JSON.stringify(roots);
    if (text === this.#reported || this.#agent?.report({ [ROOTS_PROPERTY]: roots }) !== true) return;
    this.#reported = text;
  }
}

function stateOf(phase: RootStore['phase']): RootsState {
  return phase === 'trial' ? 'trial' : phase === 'failed' ? 'rolledBack' : 'committed';
}
