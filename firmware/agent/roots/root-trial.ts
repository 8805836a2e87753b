import { backoffMs, uniform, type BackoffRange } from '../backoff.ts';
import type { Port } from '../port.ts';
import { TRIAL_AGAIN_MS } from './root-limits.ts';
import { TlsProbe } from './tls-probe.ts';

/** Where TLS goes. */
export interface TrialTarget {
  readonly port: Port;
  readonly host: string;
  readonly hostPort: number;
}

export interface TrialOwner {
  nowMs(): number;
  /** There are roots on trial, and a connection beside which they can be tried. */
  readonly canProbe: boolean;
  /** A connection is being opened, which is the trial, or memory holds no second one now. */
  readonly isBusy: boolean;
  /** A probe of the roots of now has ended; `undefined`: a session was up. */
  probed(code: string | undefined): void;
  /** Hours have passed since a trial failed. */
  trialDue(): void;
  /** `wakeAtMs` is earlier than it was. */
  trialPlanned(): void;
}

/** Between two probes of a trial. */
const PROBE_AGAIN: BackoffRange = { minimumMs: 1000, firstMs: 10_000, capMs: 600_000 };

/** When the roots on trial are tried: beside a connection that works, by a TLS session of their own; and again hours after they failed. */
export class RootTrial {
  target: TrialTarget;
  readonly #owner: TrialOwner;
  #probe: TlsProbe | undefined;
  #probeAtMs = Infinity;
  #probeTries = 0;
  #againAtMs = Infinity;

  constructor(target: TrialTarget, owner: TrialOwner) {
    this.target = target;
    this.#owner = owner;
  }

  get wakeAtMs(): number {
    return Math.min(this.#probe?.deadlineMs ?? this.#probeAtMs, this.#againAtMs);
  }

  woke(nowMs: number): void {
    this.#probe?.woke(nowMs);
    if (this.#probe === undefined && nowMs >= this.#probeAtMs) this.#startProbe(nowMs);
    if (nowMs < this.#againAtMs) return;
    this.#againAtMs = Infinity;
    this.#owner.trialDue();
  }

  /** Roots are on trial from now on. */
  begin(): void {
    this.end();
    this.#probeTries = 0;
    this.#probeAtMs = this.#owner.nowMs();
  }

  /** Nothing is tried any more, nor again. */
  end(): void {
    this.#probe?.close();
    this.#probe = undefined;
    this.#probeAtMs = Infinity;
    this.#againAtMs = Infinity;
  }

  /** A trial has failed: once more in some hours. */
  planAgain(): void {
    this.#againAtMs = this.#owner.nowMs() + uniform(TRIAL_AGAIN_MS, 2 * TRIAL_AGAIN_MS, this.target.port.random());
    this.#owner.trialPlanned();
  }

  #startProbe(nowMs: number): void {
    const { port, host, hostPort } = this.target;
    this.#probeAtMs = Infinity;
    if (!this.#owner.canProbe) return;
    if (this.#owner.isBusy || !port.roomForTwo()) return this.#planProbe();
    this.#probe = new TlsProbe(port, host, hostPort, nowMs, (code) => {
      this.#probe = undefined;
      if (code !== undefined) this.#planProbe();
      this.#owner.probed(code);
    });
    this.#probe.open();
  }

  #planProbe(): void {
    this.#probeAtMs = this.#owner.nowMs() + backoffMs(this.#probeTries, this.target.port.random(), PROBE_AGAIN);
    this.#probeTries += 1;
    this.#owner.trialPlanned();
  }
}
