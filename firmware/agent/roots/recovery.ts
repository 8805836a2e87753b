import { backoffMs, type BackoffRange } from '../backoff.ts';

/** When a device that cannot verify its hub asks for the next bundle without it. */
export interface RecoveryOptions {
  /** Failures of class untrusted-issuer in a row… */
  readonly failures: number;
  /** …over at least this time. */
  readonly overMs: number;
  /** Between two tries: full jitter, doubling. */
  readonly again: BackoffRange;
}

export const DEFAULT_RECOVERY: RecoveryOptions = {
  failures: 5,
  overMs: 10 * 60_000,
  again: { minimumMs: 60_000, firstMs: 10 * 60_000, capMs: 12 * 3_600_000 },
};

export interface Recovery {
  readonly failures: number;
  readonly firstAtMs: number;
  /** Tries since the last success. */
  readonly tries: number;
  /** When the next try is due; Infinity while none is. */
  readonly tryAtMs: number;
}

export type RecoveryEvent =
  /** The hub's chain ends at an issuer that is not trusted, and nothing else is wrong with it. */
  | { readonly type: 'untrusted' }
  /** A TLS session with the hub is up. */
  | { readonly type: 'verified' }
  /** A bundle was committed: its roots are tried first. */
  | { readonly type: 'updated' }
  /** A try was begun. */
  | { readonly type: 'tried'; readonly random: number };

export const initialRecovery: Recovery = { failures: 0, firstAtMs: 0, tries: 0, tryAtMs: Infinity };

/** Pure. A wrong host name, a wrong date, no network: none of these is an event here. */
export function stepRecovery(state: Recovery, event: RecoveryEvent, nowMs: number, options: RecoveryOptions): Recovery {
  switch (event.type) {
    case 'verified':
      return initialRecovery;
    case 'updated':
      return { ...state, failures: 0, tryAtMs: Infinity };
    case 'tried':
      return { ...state, tries: state.tries + 1, tryAtMs: nowMs + backoffMs(state.tries, event.random, options.again) };
    case 'untrusted': {
      const failures = state.failures + 1;
      const firstAtMs = state.failures === 0 ? nowMs : state.firstAtMs;
      const isDue = failures >= options.failures && nowMs - firstAtMs >= options.overMs;
      return { ...state, failures, firstAtMs, tryAtMs: isDue && state.tryAtMs === Infinity ? nowMs : state.tryAtMs };
    }
  }
}
