import type { JsonRefusal } from './json/json-refusal.ts';
import type { InboundMessage, LargeMessage, LargeMessageTaker } from './messages/inbound-message.ts';
import type { MethodHandler } from './methods/method-request.ts';

/**
 * Something that talks with the cloud through the agent: the application, or a service of the firmware beside it. Each part
 * hears of its own properties and methods only.
 */
export interface AgentPart {
  /**
   * Top-level desired properties that this part reads; all others of the twin are passed over as they stream by. A value may have
   * up to 4 KiB of JSON, all values of a twin together 8 KiB (`TwinLimits`).
   */
  readonly desired?: readonly string[] | undefined;
  /**
   * Desired properties whose values are handed over one by one as the twin streams by, and are not kept: for what would be too large
   * together. Each has up to 4 KiB; they come before `onDesired`, and before the rest of the twin is known to be good.
   */
  readonly streamed?: readonly string[] | undefined;
  readonly onStreamed?: ((name: string, value: unknown) => void) | undefined;
  /** Top-level reported properties that this part wants back with the whole twin: what it reported before a restart. */
  readonly reported?: readonly string[] | undefined;
  /** Without it the twin is not read. */
  readonly onDesired?: ((change: DesiredChange) => void) | undefined;
  /** Direct methods by name; a name that no part has is answered with 501. */
  readonly methods?: Readonly<Record<string, MethodHandler>> | undefined;
  /**
   * Cloud-to-device messages, for devices only; without it they are not subscribed to. `false` says that the message is not
   * this part's: the next one is asked. The application is asked last. One that throws gets the message again on the next connection, three
   * times in all (`message-failed`).
   */
  readonly onMessage?: ((message: InboundMessage) => void | boolean) | undefined;
  /**
   * A cloud-to-device message above `maxInboundBytes`, in pieces, one message at a time. `undefined` says that it is not this part's; one
   * that nobody takes is skipped, acknowledged, and told as `oversize`.
   */
  readonly onLargeMessage?: ((message: LargeMessage) => LargeMessageTaker | undefined) | undefined;
}

/** Desired properties as they are now, or a change of them. */
export interface DesiredChange {
  /** `$version` of the desired properties with it; a twin that is made anew begins at 1 again. */
  readonly version: number;
  /** False: `properties` holds every registered property that is set. True: those that have changed, `null` for one that is gone. */
  readonly isPatch: boolean;
  /** Registered properties, by name. */
  readonly properties: ReadonlyMap<string, unknown>;
  /** Registered properties whose value was too large, too deep or had too many names, and why. */
  readonly refused: ReadonlyMap<string, JsonRefusal>;
  /** The registered reported properties as the hub has them; empty in a patch. */
  readonly reported: ReadonlyMap<string, unknown>;
}
