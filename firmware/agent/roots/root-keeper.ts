import type { DesiredChange } from '../agent-part.ts';
import type { Identity } from '../identity.ts';
import { NameBudget } from '../json/name-budget.ts';
import { parseBounded } from '../json/parse-bounded.ts';
import type { InboundMessage } from '../messages/inbound-message.ts';
import type { MethodHandler, MethodRequest } from '../methods/method-request.ts';
import type { Port, RootUse } from '../port.ts';
import type { AgentEvent } from '../events.ts';
import type { TrustedAgent, TrustKeeper } from '../trust.ts';
import { BundleError } from './bundle-error.ts';
import { checkBundle } from './check-bundle.ts';
import type { RecoveryOptions } from './recovery.ts';
import { RootDownloads, type DownloadsOwner } from './root-downloads.ts';
import type { RootFlash } from './root-flash.ts';
import { MESSAGE_PROPERTY, MESSAGE_VALUE, parseOffer, PART_PROPERTIES, ROOTS_PROPERTY, UPDATE_METHOD, type PartOffer } from './root-offer.ts';
import { RootStore, type FactorySet } from './root-store.ts';
import type { RootVerifier } from './root-verifier.ts';
import { RootTrial, type TrialOwner } from './root-trial.ts';

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
/** What TLS says when it is given no anchor. */
const NO_ANCHOR = 'ERR_TLS_CONFIG';
const ROOTS_REVOKED = 'ERR_ROOTS_REVOKED';
const ROOTS_EXPIRED = 'ERR_ROOTS_EXPIRED';
/** Names that the reported state of the roots has; the twin's reader knows them by `reported`. */
type RootsState = 'committed' | 'trial' | 'rolledBack';

/**
 * Keeps the device's trust anchors: takes bundles from the cloud or from a server, puts their roots on trial, goes back when they do
 * not reach the hub, and asks for the next bundle by plain HTTP when nothing that it trusts does. What it decides is in RootStore.
 */
export class RootKeeper implements TrustKeeper, DownloadsOwner, TrialOwner {
  readonly desired: readonly string[] = [ROOTS_PROPERTY];
  readonly streamed: readonly string[] = PART_PROPERTIES;
  readonly methods: Readonly<Record<string, MethodHandler>> = { [UPDATE_METHOD]: (request) => this.#methodCalled(request) };
  readonly store: RootStore;
  epoch = 0;

  #options: RootKeeperOptions;
  readonly #downloads: RootDownloads;
  readonly #trial: RootTrial;
  readonly #names = new NameBudget({ maxNames: 16 });
  #agent: TrustedAgent | undefined;
  #isRunning = false;
  #beginAtMs = Infinity;
  /** Every part is there: what they are together is looked at in a turn of its own, on an empty stack. */
  #checkAtMs = Infinity;
  #caller: MethodRequest | undefined;
  #error: string | undefined;
  #isExpiryTold = false;
  #reported = '';

  constructor(options: RootKeeperOptions) {
    this.#options = options;
    const clock = { nowMs: () => this.nowMs(), wallSeconds: () => Math.floor((this.#wallMs ?? 0) / 1000) };
    this.store = new RootStore(options.flash, options.verifier, options.factory, clock);
    this.#downloads = new RootDownloads(options.port, options.recoveryHosts ?? [], options.recovery, this);
    this.#trial = new RootTrial(options, this);
  }

  /** For `Port.roots()`. */
  anchors(purpose: RootUse = 'hub'): readonly ArrayBuffer[] {
    return this.store.anchors(purpose);
  }

  get mayResume(): boolean {
    return this.store.phase !== 'trial';
  }

  attach(agent: TrustedAgent): void {
    this.#agent = agent;
  }

  start(): void {
    this.#isRunning = true;
    this.#beginAtMs = this.nowMs();
  }

  /** In a turn of its own: an application starts deep in the stack. */
  #begin(): void {
    this.#beginAtMs = Infinity;
    if (this.store.isDamaged) this.#agent?.tell({ type: 'roots-damaged', version: this.store.version });
    if (this.store.phase === 'failed') this.#trial.planAgain();
    else if (this.store.isComplete) this.#checkAtMs = this.nowMs();
    this.#checkExpiry();
    this.#report();
  }

  stop(): void {
    this.#isRunning = false;
    this.#downloads.stop();
    this.#trial.end();
  }

  hubAssigned(identity: Identity, host: string): void {
    this.#options = { ...this.#options, identity, host };
    this.#trial.target = this.#options;
    this.#reported = '';
    this.#report();
  }

  // --- what TLS says ---

  linkOpened(epoch: number): void {
    this.#downloads.advance({ type: 'verified' });
    if (epoch === this.epoch) this.#trialPassed();
    this.#checkExpiry();
  }

  linkFailed(code: string, epoch: number, purpose: RootUse = 'hub'): void {
    // Without any anchor every issuer is untrusted, and TLS does not even begin.
    const isUntrusted = code === UNTRUSTED_ISSUER || (code === NO_ANCHOR && this.anchors(purpose).length === 0);
    if (!isUntrusted || epoch !== this.epoch) return;
    this.#trialFailed();
    this.#downloads.advance({ type: 'untrusted' });
    this.#agent?.trustPlanned();
  }

  // --- time ---

  get wakeAtMs(): number {
    return this.#isRunning ? Math.min(this.#downloads.wakeAtMs, this.#trial.wakeAtMs, this.#checkAtMs, this.#beginAtMs) : Infinity;
  }

  woke(nowMs: number): void {
    if (!this.#isRunning) return;
    if (nowMs >= this.#beginAtMs) this.#begin();
    if (nowMs >= this.#checkAtMs) this.#checkParts();
    this.#trial.woke(nowMs);
    this.#downloads.woke(nowMs);
  }

  // --- ways in ---

  onDesired(change: DesiredChange): void {
    const value = change.properties.get(ROOTS_PROPERTY);
    if (value === null) this.#downloads.withdraw();
    else if (value !== undefined) this.#guarded(() => this.#offered(value));
    for (const [, code] of change.refused) this.refused(code);
  }

  onStreamed(_name: string, value: unknown): void {
    if (value !== null) this.#guarded(() => this.#offered(value));
  }

  onMessage(message: InboundMessage): boolean {
    if (message.properties.application.get(MESSAGE_PROPERTY) !== MESSAGE_VALUE) return false;
    const parsed = parseBounded(message.payload, { text: this.#options.port.text, names: this.#names });
    if (parsed.ok) this.#guarded(() => this.#offered(parsed.value));
    else this.refused(parsed.code);
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
    if (offer.kind === 'part') this.#takePart(offer);
    else this.#downloads.offer(offer);
  }

  #takePart({ version, digest, count, index, text }: PartOffer): void {
    const { staging, nextVersion } = this.store;
    if (version < nextVersion) return;
    if (version > nextVersion) throw new BundleError('ERR_BUNDLE_VERSION', `version ${version} does not follow ${this.store.version}`);
    const isSame = staging !== undefined && staging.version === version && staging.count === count && staging.digest.every((byte, at) => byte === digest[at]);
    const bytes = this.#options.port.text.encodeUtf8(text);
    const part = bytes.subarray(0, this.#options.verifier.decodeInPlace(bytes, 0, bytes.length));
    if (!isSame) this.store.beginParts(version, count, digest);
    this.store.addPart(index, part);
    if (!this.store.isComplete) return;
    this.#checkAtMs = this.nowMs();
    this.#agent?.trustPlanned();
  }

  #checkParts(): void {
    this.#checkAtMs = Infinity;
    const code = this.#guarded(() => {
      const bundle = this.store.takeParts();
      if (bundle !== undefined) this.#take(bundle, false);
    });
    if (code !== undefined) this.store.dropParts();
    const caller = this.#caller;
    this.#caller = undefined;
    if (caller !== undefined) this.#answer(caller, code);
  }

  take(bundle: Uint8Array, target: number, isFollowed: boolean): string | undefined {
    return this.#guarded(() => this.#take(bundle, isFollowed || this.store.version + 1 < target));
  }

  /** @param isInner another link follows */
  #take(bundle: Uint8Array, isInner: boolean): void {
    const { verifier, identity, idScope } = this.#options;
    const nowMs = this.#wallMs;
    if (this.store.isDamaged) return this.#repair(bundle);
    const read = checkBundle(bundle, {
      verifier,
      keys: this.store.keys,
      version: this.store.version,
      digest: this.store.digest,
      hub: identity.hub,
      idScope,
      deviceId: identity.deviceId,
      nowMs,
      isInner,
    });
    if (read === undefined) return;
    // An inner link that revokes all that is trusted leaves nothing to wait with: its own roots are used, unless it has expired.
    const isExpired = nowMs !== undefined && nowMs >= read.expiresMs;
    const keepsWayBack = this.store.keepsWayBack(read.revoked);
    const waits = isInner && (isExpired || keepsWayBack);
    // Then it trusts nobody until the next link comes: only who can ask for that may go there.
    if (waits && !keepsWayBack && (this.#options.recoveryHosts ?? []).length === 0) {
      throw new BundleError('ERR_BUNDLE_EXPIRED', `version ${read.version} has expired and revokes all that is trusted, and there is no recovery host`);
    }
    this.store.commit(read, bundle, waits);
    this.#error = undefined;
    this.#agent?.tell({ type: 'roots-committed', version: read.version, phase: waits ? 'inner' : 'trial', clockChecked: nowMs !== undefined });
    this.#changed(read.revoked.length > 0);
  }

  /** Flash has lost the committed bundle, and with it the keys that could verify another one; this one its digest tells. */
  #repair(bundle: Uint8Array): void {
    if (!this.store.repair(bundle)) throw new BundleError('ERR_BUNDLE_SIGNATURES', 'the stored set is damaged: until the same bundle has come again no key can be believed');
    this.#error = undefined;
    this.#agent?.tell({ type: 'roots-repaired', version: this.store.version });
    this.#changed(false);
    if (this.store.phase === 'failed') this.#trial.planAgain();
  }

  /** Other anchors count from now on. */
  #changed(isRevoked: boolean): void {
    this.epoch += 1;
    this.#isExpiryTold = false;
    this.#options.port.dropTlsSessions();
    this.#downloads.advance({ type: 'updated' });
    if (this.store.phase === 'trial') this.#trial.begin();
    else this.#trial.end();
    this.#report();
    // Whose certificate the current connection has seen is not known any more: it may be the revoked one's.
    if (isRevoked) this.#agent?.reconnect(ROOTS_REVOKED);
    this.#agent?.trustPlanned();
  }

  // --- the trial ---

  #trialPassed(): void {
    if (this.store.phase !== 'trial') return;
    this.#guarded(() => this.store.trialPassed());
    this.#trial.end();
    this.#agent?.tell({ type: 'roots-passed', version: this.store.version });
    this.#report();
  }

  #trialFailed(): void {
    if (this.store.phase !== 'trial') return;
    this.#guarded(() => this.store.trialFailed());
    // The phase has changed, which the type of the getter does not show.
    if ((this.store.phase as string) !== 'failed') return;
    this.#agent?.tell({ type: 'roots-rolled-back', version: this.store.version });
    this.#changed(false);
    this.#trial.planAgain();
  }

  get canProbe(): boolean {
    return this.store.phase === 'trial' && this.#agent?.isConnected === true;
  }

  get isBusy(): boolean {
    return this.#agent?.isOpening === true;
  }

  probed(code: string | undefined): void {
    if (code === undefined) this.#trialPassed();
    else if (code === UNTRUSTED_ISSUER) this.#trialFailed();
  }

  trialDue(): void {
    this.#guarded(() => this.store.trialAgain());
    this.#changed(false);
  }

  // --- inside ---

  nowMs(): number {
    return this.#agent?.nowMs() ?? 0;
  }

  /** `undefined` while no clock is trusted. */
  get #wallMs(): number | undefined {
    return this.#agent === undefined || this.#agent.clockLevel === 'unset' ? undefined : this.#options.port.wallMs();
  }

  get nextVersion(): number {
    return this.store.nextVersion;
  }

  recovered(): void {
    this.#agent?.connectNow();
  }

  tell(event: AgentEvent): void {
    this.#agent?.tell(event);
  }

  downloadsPlanned(): void {
    this.#agent?.trustPlanned();
  }

  trialPlanned(): void {
    this.#agent?.trustPlanned();
  }

  /** The code of what was refused. Whatever comes from outside ends nothing. */
  #guarded(action: () => void): string | undefined {
    try {
      action();
      return undefined;
    } catch (error) {
      // What has no code is flash's: all that reads what came has one.
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'ERR_BUNDLE_FLASH';
      this.refused(code);
      return code;
    }
  }

  refused(code: string): void {
    this.#error = code;
    this.#agent?.tell({ type: 'roots-refused', code, version: this.store.version });
    this.#report();
  }

  /** The Update Framework 5.3.10: a set beyond its end says that somebody may keep newer ones away. It goes on being used: nothing else reaches the hub. */
  #checkExpiry(): void {
    const nowMs = this.#wallMs;
    if (this.#isExpiryTold || nowMs === undefined || nowMs < this.store.expiresMs) return;
    this.#isExpiryTold = true;
    this.#agent?.tell({ type: 'roots-expired', version: this.store.version });
    this.#report();
  }

  #report(): void {
    const { version, phase } = this.store;
    const error = this.#error ?? (this.#isExpiryTold ? ROOTS_EXPIRED : null);
    const roots = { version, state: stateOf(phase), fingerprints: this.store.fingerprints(), error };
    const text = JSON.stringify(roots);
    if (text === this.#reported || this.#agent?.report({ [ROOTS_PROPERTY]: roots }) !== true) return;
    this.#reported = text;
  }
}

function stateOf(phase: RootStore['phase']): RootsState {
  return phase === 'trial' ? 'trial' : phase === 'failed' ? 'rolledBack' : 'committed';
}
