import type { ClockLevel } from './clock/clock-state.ts';
import type { JsonRefusal } from './json/json-refusal.ts';

/** What the agent tells the application; every expected failure is one of these, none is an exception. */
export type AgentEvent = ClockEvent | ConnectionEvent | RegistrationEvent | TwinEvent | CloudEvent | RootEvent;

export type ClockEvent =
  | { readonly type: 'clock'; readonly level: ClockLevel }
  /**
   * A check of the clock failed: `ERR_NTP_SILENT`, `ERR_NTP_DISAGREES` (detail: milliseconds), `ERR_NTP_RANGE` and
   * `ERR_DATE_RANGE` (before the floor or ten years after it), `ERR_FLOOR_NOT_SAVED`, or why HTTPS gave no date.
   */
  | { readonly type: 'clock-trouble'; readonly code: string; readonly detail: number };

export type ConnectionEvent =
  | { readonly type: 'connecting'; readonly host: string; readonly port: number }
  | {
      readonly type: 'connected';
      readonly sessionPresent: boolean;
      readonly keyIndex: number;
      /** Seconds until this connection's token ends. */
      readonly tokenSeconds: number;
    }
  /** A new connection with a new token took over; the old token had `leftMs` to live. */
  | { readonly type: 'renewed'; readonly leftMs: number; readonly tokenSeconds: number }
  /** CONNACK with a code other than 0. Five means bad token, wrong clock, disabled or unknown device alike. */
  | { readonly type: 'refused'; readonly returnCode: number; readonly online: boolean }
  /** After a refusal the clock was checked: it had been wrong by `offMs`. */
  | { readonly type: 'clock-wrong'; readonly offMs: number }
  /**
   * After a refusal the clock was checked and is right: key, device or its state are what the hub refuses.
   * `clockChecked` is false when no server answered: then it may be the clock all the same.
   */
  | { readonly type: 'credential-refused'; readonly keyIndex: number; readonly clockChecked: boolean }
  /** A connection could not be opened; the next try follows after `retryMs`. */
  | { readonly type: 'open-failed'; readonly code: string; readonly retryMs: number; readonly online: boolean }
  | { readonly type: 'disconnected'; readonly code: string }
  /** A ready-made token has ended or is about to; give the next one to `useToken`. */
  | { readonly type: 'token-needed' }
  /** The agent cannot do what it must: no key in the slot, a resource outside the key's prefixes. */
  | { readonly type: 'sign-failed'; readonly code: string }
  | { readonly type: 'subscription-refused'; readonly topic: string };

export type RegistrationEvent =
  /** The provisioning service is asked for the device's hub. */
  | { readonly type: 'registering'; readonly host: string; readonly port: number }
  /** It has answered; `moved`: the hub is another one than before. `saved` is false where the next start has to ask again. */
  | { readonly type: 'registered'; readonly hub: string; readonly moved: boolean; readonly saved: boolean }
  /** It has not: `code` says why (docs/dps.md), `serviceCode` is the service's own. A hub that is known is tried again. */
  | { readonly type: 'registration-failed'; readonly code: string; readonly serviceCode: number | undefined };

export type TwinEvent =
  /** The hub has taken what `report` gave; `version` is that of the reported properties now. */
  | { readonly type: 'reported'; readonly version: number | undefined }
  /**
   * The hub refused for good (400 to 499 but 408 and 429). A refused patch is not sent again: `names` are its top-level
   * properties. A refused reading of the twin is repeated on the next connection.
   */
  | { readonly type: 'twin-refused'; readonly request: TwinRequestKind; readonly status: number; readonly names: readonly string[] }
  /** Throttled (429), failed at the hub (500 and above), or not answered in time (`status` undefined); repeated after `retryMs`. */
  | { readonly type: 'twin-delayed'; readonly request: TwinRequestKind; readonly status: number | undefined; readonly retryMs: number }
  /** A twin or a desired patch that could not be read; the twin is asked for again. */
  | { readonly type: 'twin-unreadable'; readonly code: JsonRefusal };

export type TwinRequestKind = 'get' | 'report';

export type CloudEvent =
  /** A message larger than `maxInboundBytes` was skipped (and acknowledged; a method was answered with 413). */
  | { readonly type: 'oversize'; readonly topic: string; readonly byteCount: number }
  /**
   * Messages on topics that the agent did not ask for were skipped, `count` on this connection; said the first time, the second, the fourth,
   * the eighth, …. `topic` is the last one's, cut to `MAX_EVENT_TEXT` characters.
   */
  | { readonly type: 'ignored'; readonly topic: string; readonly count: number }
  /** The agent answered a direct method itself: 400 payload unreadable, 413 too large, 429 too many at once, 500 the handler threw, 501 unknown. */
  | { readonly type: 'method-refused'; readonly name: string; readonly status: number }
  /** A direct method was not answered: nobody called `respond` in time, or more came than even refusals can be kept for. */
  | { readonly type: 'method-dropped'; readonly name: string; readonly reason: 'unanswered' | 'flood' }
  /**
   * The handler of a message from the cloud threw, before it had acknowledged it. The hub keeps the message and sends it again on the next
   * connection, `tries` being how often it has failed so far; `dropped` says that it was acknowledged instead, after three tries or because too many
   * others wait. `handler-failed` comes before it.
   */
  | { readonly type: 'message-failed'; readonly topic: string; readonly tries: number; readonly dropped: boolean }
  /** The application's handler threw; the agent goes on. */
  | { readonly type: 'handler-failed'; readonly message: string };

export type RootEvent =
  /** A bundle was verified: its version and keys count from now on; its roots are on trial, or come with a later link (`inner`). */
  | { readonly type: 'roots-committed'; readonly version: number; readonly phase: 'trial' | 'inner'; readonly clockChecked: boolean }
  /** A full TLS handshake with the hub has succeeded with the new roots. */
  | { readonly type: 'roots-passed'; readonly version: number }
  /** The new roots do not reach the hub: the old ones, without those that were revoked, are in use again. */
  | { readonly type: 'roots-rolled-back'; readonly version: number }
  /** A bundle or an offer was refused, or could not be fetched; `version` is the stored one. @see docs/roots.md for the codes */
  | { readonly type: 'roots-refused'; readonly code: string; readonly version: number }
  /** The hub's issuer is not trusted: a server of bundles was asked for `version`; `code` says why none was taken, or `OK`. */
  | { readonly type: 'roots-recovery'; readonly host: string; readonly version: number; readonly code: string }
  /** Flash does not hold the set that was verified: no bundle is taken until the device is provisioned again. */
  | { readonly type: 'roots-damaged'; readonly version: number }
  /** The committed bundle has come again, and flash holds it. */
  | { readonly type: 'roots-repaired'; readonly version: number }
  /** The committed set is beyond its end, and no newer one has come: somebody may keep them away. It is used all the same. */
  | { readonly type: 'roots-expired'; readonly version: number };
