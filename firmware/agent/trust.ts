import type { AgentPart } from './agent-part.ts';
import type { ClockLevel } from './clock/clock-state.ts';
import type { Identity } from './identity.ts';
import type { AgentEvent } from './events.ts';
import type { RootUse } from './port.ts';

/** What the agent gives to who keeps its trust anchors. */
export interface TrustedAgent {
  nowMs(): number;
  readonly clockLevel: ClockLevel;
  readonly isConnected: boolean;
  /** A connection is being opened beside the current one, or to become it. */
  readonly isOpening: boolean;
  report(patch: Readonly<Record<string, unknown>>): boolean;
  /** Into the stream of the agent's events. */
  tell(event: AgentEvent): void;
  /** Ends every connection, because of roots that are no longer trusted; a new one is made at once. */
  reconnect(code: string): void;
  /** New anchors have come to a device without a connection: it does not wait until it would try again. */
  connectNow(): void;
  /** `wakeAtMs` is earlier than it was. */
  trustPlanned(): void;
}

/** Keeps the trust anchors, which `Port.roots()` gives out, and hears how TLS with the hub goes. */
export interface TrustKeeper extends AgentPart {
  /** Once, before `start`. */
  attach(agent: TrustedAgent): void;
  start(): void;
  stop(): void;
  /** Changes with the anchors: says with which ones a connection was opened. */
  readonly epoch: number;
  /** Whether a cached TLS session may be offered: not while roots are on trial. */
  readonly mayResume: boolean;
  /** The device was assigned a hub; TLS goes to `host`. */
  hubAssigned(identity: Identity, host: string): void;
  /** TLS with the hub is up, or was refused with `code`, on a connection opened in `epoch`. */
  linkOpened(epoch: number): void;
  linkFailed(code: string, epoch: number, purpose?: RootUse): void;
  readonly wakeAtMs: number;
  woke(nowMs: number): void;
}
