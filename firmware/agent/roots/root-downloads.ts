import { backoffMs, type BackoffRange } from '../backoff.ts';
import type { AgentEvent } from '../events.ts';
import type { Port } from '../port.ts';
import { BundleFetch, type FetchResult } from './bundle-fetch.ts';
import { DEFAULT_RECOVERY, initialRecovery, stepRecovery, type Recovery, type RecoveryEvent, type RecoveryOptions } from './recovery.ts';
import { MAX_LINKS } from './root-limits.ts';
import { placeOf, type UrlOffer } from './root-offer.ts';
import { parseBundleHost, type BundlePlace } from './root-place.ts';

export interface DownloadsOwner {
  nowMs(): number;
  /** Of the bundle that would do something. */
  readonly nextVersion: number;
  /**
   * @param target the version that the owner wants in the end
   * @param isFollowed another link is there behind this one: it may have expired
   * @returns the code of what was refused
   */
  take(bundle: Uint8Array, target: number, isFollowed: boolean): string | undefined;
  refused(code: string): void;
  /** A recovery is over that has brought something. */
  recovered(): void;
  tell(event: AgentEvent): void;
  /** `wakeAtMs` is earlier than it was. */
  downloadsPlanned(): void;
}

/** Between two tries to fetch what was offered. */
const FETCH_AGAIN: BackoffRange = { minimumMs: 1000, firstMs: 30_000, capMs: 3_600_000 };

/** Bundles from servers: what the owner offers by URL, and what a device asks for that can no longer verify its hub. One at a time. */
export class RootDownloads {
  readonly #port: Port;
  readonly #owner: DownloadsOwner;
  readonly #hosts: readonly string[];
  readonly #options: RecoveryOptions;
  /** What the owner wants the device to have. */
  #offer: UrlOffer | undefined;
  #fetch: BundleFetch | undefined;
  #fetchAtMs = Infinity;
  #fetchTries = 0;
  #recovery: Recovery = initialRecovery;
  /** Links fetched in this recovery. */
  #links = 0;
  /** What it began with. */
  #recoveredFrom = 0;
  /** An expired link that another one follows. */
  #followedVersion = 0;

  constructor(port: Port, hosts: readonly string[], options: Partial<RecoveryOptions> | undefined, owner: DownloadsOwner) {
    this.#port = port;
    this.#owner = owner;
    this.#hosts = hosts;
    this.#options = { ...DEFAULT_RECOVERY, ...options };
  }

  get wakeAtMs(): number {
    return this.#fetch?.deadlineMs ?? Math.min(this.#fetchAtMs, this.#recovery.tryAtMs);
  }

  woke(nowMs: number): void {
    this.#fetch?.woke(nowMs);
    if (this.#fetch !== undefined) return;
    if (nowMs >= this.#recovery.tryAtMs) this.#recover();
    else if (nowMs >= this.#fetchAtMs) this.#fetchOffered();
  }

  stop(): void {
    this.#fetch?.close();
    this.#fetch = undefined;
    this.#fetchAtMs = Infinity;
  }

  offer(offer: UrlOffer): void {
    this.#offer = offer;
    if (offer.version < this.#owner.nextVersion) return;
    this.#fetchTries = 0;
    this.#fetchAtMs = this.#owner.nowMs();
    this.#owner.downloadsPlanned();
  }

  withdraw(): void {
    this.#offer = undefined;
  }

  /** How TLS with the hub goes, and what became of bundles. */
  advance(event: RecoveryEvent): void {
    if (this.#hosts.length > 0) this.#recovery = stepRecovery(this.#recovery, event, this.#owner.nowMs(), this.#options);
  }

  // --- what was offered ---

  #fetchOffered(): void {
    this.#fetchAtMs = Infinity;
    const offer = this.#offer;
    const next = this.#owner.nextVersion;
    if (offer === undefined || offer.version < next) return;
    const place = placeOf(next, offer.version, offer.place);
    if (place === undefined) return this.#owner.refused('ERR_BUNDLE_VERSION');
    this.#get(place, (result) => {
      if (!result.ok) this.#owner.refused(result.code);
      const isTaken = result.ok && this.#owner.take(result.bytes, offer.version, false) === undefined;
      if (isTaken) this.#fetchTries = 0;
      const isDone = (this.#offer?.version ?? 0) < this.#owner.nextVersion;
      this.#fetchAtMs = isDone ? Infinity : this.#owner.nowMs() + (isTaken ? 0 : this.#backoffMs());
    });
  }

  #backoffMs(): number {
    const waitMs = backoffMs(this.#fetchTries, this.#port.random(), FETCH_AGAIN);
    this.#fetchTries += 1;
    return waitMs;
  }

  // --- recovery ---

  #recover(): void {
    const host = this.#hosts[this.#recovery.tries % this.#hosts.length];
    this.advance({ type: 'tried', random: this.#port.random() });
    this.#links = 0;
    this.#recoveredFrom = this.#owner.nextVersion;
    if (host !== undefined) this.#recoverFrom(host, this.#recoveredFrom);
  }

  /** Link after link until there is no next one: only the last must not have expired. */
  #recoverFrom(host: string, version: number): void {
    const place = parseBundleHost(host, `/${version}.json`);
    if (place === undefined || this.#links >= MAX_LINKS) return this.#endRecovery();
    this.#links += 1;
    this.#get(place, (result) => {
      const code = this.#takeRecovered(result, version);
      this.#owner.tell({ type: 'roots-recovery', host, version, code: code ?? 'OK' });
      if (code === 'ERR_BUNDLE_EXPIRED') this.#recoverFrom(host, version + 1);
      else if (code === undefined) this.#recoverFrom(host, this.#owner.nextVersion);
      else this.#endRecovery();
    });
  }

  #endRecovery(): void {
    if (this.#owner.nextVersion !== this.#recoveredFrom) this.#owner.recovered();
  }

  /** Why no bundle was taken; `undefined` when one was, or when an expired one may now be taken. */
  #takeRecovered(result: FetchResult, version: number): string | undefined {
    if (!result.ok) return result.code;
    const next = this.#owner.nextVersion;
    if (version === next) return this.#owner.take(result.bytes, version, this.#followedVersion === next);
    this.#followedVersion = next;
    return undefined;
  }

  #get(place: BundlePlace, done: (result: FetchResult) => void): void {
    this.#fetch = new BundleFetch(this.#port, place, this.#owner.nowMs(), (result) => {
      this.#fetch = undefined;
      done(result);
      this.#owner.downloadsPlanned();
    });
    this.#fetch.open();
  }
}
