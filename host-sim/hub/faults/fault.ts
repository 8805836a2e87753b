import { isIdentityName } from '../identity.ts';
import { readMembers, type Members } from '../registry/identity-input.ts';
import { ServiceError } from '../service-error.ts';
import { MAX_FAULT_COUNT, MAX_FAULT_DELAY_MS, MAX_FAULT_DURATION_MS, MAX_OFFSET_MS } from './limits.ts';

/** What can go wrong on request, each with what it does. */
export const FAULT_KINDS = {
  drop: 'breaks connections without a word: at once, or at the next message before it is taken (at: message) or acknowledged (at: acknowledgement)',
  delay: 'holds everything of a connection for delayMs, both ways',
  refuse: 'answers CONNECT with a code',
  'half-open': 'leaves a connection open and silent; a new one works',
  duplicate: 'sends every QoS 1 message to a device twice, the second time with DUP',
  'slow-accept': 'answers CONNECT after delayMs',
  'clock-offset': "puts the hub's clock off by offsetMs",
  certificate: 'shows new connections another certificate, of MQTT or of another endpoint',
} as const;

export type FaultKind = keyof typeof FAULT_KINDS;

/** When a connection is dropped. */
export const DROP_MOMENTS = ['once', 'message', 'acknowledgement'] as const;
/** Whose certificate is shown: from a root that nobody trusts, one that has ended, one for another name. */
export const FAULT_CERTIFICATES = ['stranger', 'expired', 'wrong-host'] as const;

/** Whose connections see it. */
export const FAULT_ENDPOINTS = ['mqtt', 'https', 'amqp', 'all'] as const;

export type DropMoment = (typeof DROP_MOMENTS)[number];
export type FaultCertificate = (typeof FAULT_CERTIFICATES)[number];
export type FaultEndpoint = (typeof FAULT_ENDPOINTS)[number];

/** MQTT 3.1.1, table 3.1: reserved codes are no answers. */
export const MIN_CONNACK_REFUSAL = 1;
export const MAX_CONNACK_REFUSAL = 5;

interface FaultScope {
  /** Absent: every device and module. */
  readonly deviceId?: string;
  readonly moduleId?: string;
  /** How often it happens in all; absent: as long as it lasts. */
  readonly count?: number;
  /** How long it lasts; absent: until it is cleared. */
  readonly durationMs?: number;
}

/** A fault as it is asked for. */
export type FaultSpec = FaultScope &
  (
    | { readonly kind: 'drop'; readonly at: DropMoment }
    | { readonly kind: 'delay' | 'slow-accept'; readonly delayMs: number }
    | { readonly kind: 'refuse'; readonly code: number }
    | { readonly kind: 'half-open' | 'duplicate' }
    | { readonly kind: 'clock-offset'; readonly offsetMs: number }
    | { readonly kind: 'certificate'; readonly certificate: FaultCertificate; readonly endpoint: FaultEndpoint }
  );

/** A fault that is set. */
export type Fault = FaultSpec & {
  readonly id: string;
  /** How often it has happened. */
  readonly hits: number;
};

/** Each kind's own members. */
const MEMBERS: Readonly<Record<FaultKind, readonly string[]>> = {
  drop: ['at'], delay: ['delayMs'], refuse: ['code'], 'half-open': [], duplicate: [], 'slow-accept': ['delayMs'], 'clock-offset': ['offsetMs'], certificate: ['certificate', 'endpoint'],
};
/** Of the whole hub. */
const IS_HUB_WIDE: ReadonlySet<FaultKind> = new Set(['clock-offset', 'certificate']);

/** Reads what somebody asks for. @throws ServiceError 400004, 400005 */
export function parseFault(value: unknown): FaultSpec {
  const members = readMembers(value, 'A fault');
  const kind = members['kind'];
  if (typeof kind !== 'string' || !Object.hasOwn(FAULT_KINDS, kind)) throw invalid(`kind must be one of ${Object.keys(FAULT_KINDS).join(', ')}.`);
  const known = kind as FaultKind;
  const isHubWide = IS_HUB_WIDE.has(known);
  const allowed = ['kind', 'durationMs', ...MEMBERS[known], ...(isHubWide ? [] : ['deviceId', 'moduleId']), ...(isHubWide || known === 'delay' ? [] : ['count'])];
  const stranger = Object.keys(members).find((name) => !allowed.includes(name));
  if (stranger !== undefined) throw invalid(`A ${kind} fault has ${allowed.join(', ')}${Object.keys(MEMBERS_SEEN).includes(stranger) ? `, and no ${stranger}` : ', and nothing else'}.`);
  return { ...readScope(members), ...readOwn(known, members) };
}

/** Names that may be repeated in an answer: those of any kind. */
const MEMBERS_SEEN: Readonly<Record<string, true>> = Object.fromEntries([...Object.values(MEMBERS).flat(), 'deviceId', 'moduleId', 'count'].map((name) => [name, true]));

function readScope(members: Members): FaultScope {
  const { deviceId, moduleId } = members;
  if (deviceId === undefined && moduleId !== undefined) throw invalid('moduleId needs a deviceId.');
  return {
    ...(deviceId === undefined ? {} : { deviceId: readId(deviceId, 'deviceId') }),
    ...(moduleId === undefined ? {} : { moduleId: readId(moduleId, 'moduleId') }),
    ...(members['count'] === undefined ? {} : { count: readNumber(members, 'count', 1, MAX_FAULT_COUNT) }),
    ...(members['durationMs'] === undefined ? {} : { durationMs: readNumber(members, 'durationMs', 1, MAX_FAULT_DURATION_MS) }),
  };
}

function readOwn(kind: FaultKind, members: Members): FaultSpec {
  switch (kind) {
    case 'drop':
      return { kind, at: members['at'] === undefined ? 'once' : readWord(members, 'at', DROP_MOMENTS) };
    case 'delay':
    case 'slow-accept':
      return { kind, delayMs: readNumber(members, 'delayMs', 1, MAX_FAULT_DELAY_MS) };
    case 'refuse':
      return { kind, code: members['code'] === undefined ? MAX_CONNACK_REFUSAL : readNumber(members, 'code', MIN_CONNACK_REFUSAL, MAX_CONNACK_REFUSAL) };
    case 'clock-offset':
      return { kind, offsetMs: readNumber(members, 'offsetMs', -MAX_OFFSET_MS, MAX_OFFSET_MS) };
    case 'certificate':
      return {
        kind, certificate: readWord(members, 'certificate', FAULT_CERTIFICATES),
        endpoint: members['endpoint'] === undefined ? 'mqtt' : readWord(members, 'endpoint', FAULT_ENDPOINTS),
      };
    case 'half-open':
    case 'duplicate':
      return { kind };
  }
}

function readId(value: unknown, name: string): string {
  if (typeof value === 'string' && isIdentityName(value)) return value;
  throw invalid(`The ${name} is not valid.`);
}

function readNumber(members: Members, name: string, min: number, max: number): number {
  const value = members[name];
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return value as number;
  throw invalid(`${name} must be a whole number from ${min} to ${max}.`);
}

function readWord<Word extends string>(members: Members, name: string, words: readonly Word[]): Word {
  const found = words.find((word) => word === members[name]);
  if (found !== undefined) return found;
  throw invalid(`${name} must be one of ${words.join(', ')}.`);
}

function invalid(message: string): ServiceError {
  return new ServiceError(400, 400_004, 'ArgumentInvalid', message);
}
