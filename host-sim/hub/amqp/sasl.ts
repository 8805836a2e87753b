import type { Performative } from './performative.ts';

export const SASL_PROTOCOL_ID = 3;
export const AMQP_PROTOCOL_ID = 0;
export const SASL_FRAME_TYPE = 1;
export const AMQP_FRAME_TYPE = 0;

/** Outcome codes (AMQP 1.0, 5.3.3.6). */
export const SASL_OK = 0;
export const SASL_AUTH = 1;

const MECHANISMS = ['PLAIN', 'ANONYMOUS', 'MSSBCBS'] as const;

export type SaslRequest =
  /** Tokens follow on `$cbs`. */
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'plain'; readonly userName: string; readonly password: Buffer }
  | { readonly kind: 'unknown'; readonly detail: string };

export const SASL_HEADER = Buffer.from([0x41, 0x4d, 0x51, 0x50, SASL_PROTOCOL_ID, 1, 0, 0]);

/** What the hub offers. MSSBCBS is Service Bus's name for ANONYMOUS with claims behind it. */
export function formatMechanisms(): Buffer {
  const symbols = MECHANISMS.map((name) => Buffer.from([name.length, ...Buffer.from(name)]));
  const elements = Buffer.concat(symbols);
  const array = Buffer.from([0xe0, elements.length + 2, MECHANISMS.length, 0xa3, ...elements]);
  return formatFrame(Buffer.from([0x00, 0x53, 0x40, 0xc0, array.length + 1, 1, ...array]));
}

export function formatOutcome(code: number): Buffer {
  return formatFrame(Buffer.from([0x00, 0x53, 0x44, 0xc0, 3, 1, 0x50, code]));
}

/** @see https://www.rfc-editor.org/rfc/rfc4616 PLAIN: authorization identity, NUL, user name, NUL, password */
export function readSaslInit(init: Performative): SaslRequest {
  const mechanism = init.fields['mechanism'];
  const response = init.fields['initial-response'];
  if (mechanism?.kind !== 'symbol') return { kind: 'unknown', detail: 'no mechanism' };
  if (mechanism.value === 'ANONYMOUS' || mechanism.value === 'MSSBCBS') return { kind: 'anonymous' };
  if (mechanism.value !== 'PLAIN' || response?.kind !== 'binary') return { kind: 'unknown', detail: 'a mechanism other than PLAIN, ANONYMOUS and MSSBCBS' };
  const first = response.value.indexOf(0);
  const second = response.value.indexOf(0, first + 1);
  if (first < 0 || second < 0 || response.value.indexOf(0, second + 1) >= 0) return { kind: 'unknown', detail: 'PLAIN without user name and password' };
  return { kind: 'plain', userName: response.value.toString('utf8', first + 1, second), password: response.value.subarray(second + 1) };
}

/** `{policy}@sas.root.{hub name}`, the hub name up to its first dot, or the whole. @returns `undefined` for another user or hub */
export function policyOfUserName(userName: string, hubName: string): string | undefined {
  const [policy = '', place = '', ...rest] = userName.split('@');
  if (rest.length > 0 || policy === '') return undefined;
  const lower = place.toLowerCase();
  const names = [hubName, hubName.split('.')[0] ?? ''].map((name) => `sas.root.${name}`.toLowerCase());
  return names.includes(lower) ? policy : undefined;
}

function formatFrame(body: Buffer): Buffer {
  const frame = Buffer.alloc(8 + body.length);
  frame.writeUInt32BE(frame.length, 0);
  frame.writeUInt8(2, 4);
  frame.writeUInt8(SASL_FRAME_TYPE, 5);
  body.copy(frame, 8);
  return frame;
}
