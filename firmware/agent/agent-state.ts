import type { Connectivity } from './connectivity.ts';

/** What the agent is doing, and why it is not connected where it is not. */
export type AgentState =
  | { readonly status: 'stopped' }
  /** Nothing is tried before the clock is known: dates of certificates could not be checked. */
  | { readonly status: 'waiting'; readonly reason: 'clock' }
  /** A ready-made token has ended: `useToken` gives the next. */
  | { readonly status: 'waiting'; readonly reason: 'token' }
  /** The hub refused token or device; the clock is being checked, or the next try comes in `retryMs`. */
  | { readonly status: 'waiting'; readonly reason: 'refused'; readonly retryMs: number | undefined }
  /** The network or the hub could not be reached. */
  | { readonly status: 'waiting'; readonly reason: 'network'; readonly retryMs: number }
  | { readonly status: 'connecting' }
  /** The provisioning service is asked for the device's hub. */
  | { readonly status: 'registering' }
  | {
      readonly status: 'connected';
      /** Until this connection's token ends. */
      readonly tokenMs: number;
      /** `failing`: the hub has not taken a new token yet, or could not be reached; the old one is in use until it ends. */
      readonly renewal: 'scheduled' | 'under-way' | 'failing';
    };

export function agentStateOf(state: Connectivity, nowMs: number): AgentState {
  if (!state.running) return { status: 'stopped' };
  if (state.hasCurrent) {
    const renewal = state.candidate !== 'none' ? 'under-way' : state.refusals + state.renewalFailures > 0 ? 'failing' : 'scheduled';
    return { status: 'connected', tokenMs: Math.round(state.tokenEndsMs - nowMs), renewal };
  }
  if (state.candidate !== 'none') return { status: 'connecting' };
  if (!state.clockKnown) return { status: 'waiting', reason: 'clock' };
  const retryMs = state.openAtMs === Infinity ? undefined : Math.max(0, Math.round(state.openAtMs - nowMs));
  if (state.refusals > 0) return { status: 'waiting', reason: 'refused', retryMs };
  return retryMs === undefined ? { status: 'waiting', reason: 'token' } : { status: 'waiting', reason: 'network', retryMs };
}
