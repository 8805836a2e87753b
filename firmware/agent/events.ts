import type { ClockLevel } from './clock/clock-state.ts';

/** What the agent tells the application; every expected failure is one of these, none is an exception. */
export type AgentEvent =
  | { readonly type: 'clock'; readonly level: ClockLevel }
  /**
   * A check of the clock failed: `ERR_NTP_SILENT`, `ERR_NTP_DISAGREES` (detail: milliseconds), `ERR_NTP_RANGE` and
   * `ERR_DATE_RANGE` (before the floor or ten years after it), `ERR_FLOOR_NOT_SAVED`, or why HTTPS gave no date.
   */
  | { readonly type: 'clock-trouble'; readonly code: string; readonly detail: number }
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
  /** A message larger than `maxInboundBytes` was skipped (and acknowledged). */
  | { readonly type: 'oversize'; readonly topic: string; readonly byteCount: number }
  | { readonly type: 'subscription-refused'; readonly topic: string }
  /** The application's handler threw; the agent goes on. */
  | { readonly type: 'handler-failed'; readonly message: string }
  /** The agent cannot do what it must: no key in the slot, a resource outside the key's prefixes. */
  | { readonly type: 'sign-failed'; readonly code: string };
