import { codeOfText, diagnose, type Diagnosis } from './remedies.ts';

/** What the log has said so far. */
export interface LogState {
  readonly lineCount: number;
  readonly restarts: number;
  readonly failures: ReadonlyMap<string, number>;
  /** The last thing that went wrong and that the firmware tries again. */
  readonly trouble?: string | undefined;
}

export type Verdict =
  | { readonly type: 'online' }
  | { readonly type: 'failed'; readonly diagnosis: Diagnosis };

export const FIRST_STATE: LogState = { lineCount: 0, restarts: 0, failures: new Map() };

/** The ROM's first line after a reset; one is the reset that follows flashing. */
const RESTART = /^(?:ESP-ROM:|ets [A-Z][a-z]{2} +\d)/;
const MAX_RESTARTS = 4;
/** The same failure so often is no bad moment of the network. */
const MAX_FAILURES = 3;
/** A brown-out or a damaged slot can be followed by a start that works. */
const MAX_TEXT_FAILURES = 2;

/** The provisioning service does not know the key, unless the clock is wrong. */
const UNAUTHORIZED = 'ERR_DPS_UNAUTHORIZED';
/** Of the provisioning service, and gone at the next try, perhaps. */
const PASSING: ReadonlySet<string> = new Set(['ERR_DPS_TIMEOUT', 'ERR_DPS_UNAVAILABLE', 'ERR_DPS_ANSWER']);

/** Takes in one line of the board's log. */
export function readLogLine(state: LogState, line: string): readonly [LogState, Verdict?] {
  const next = { ...state, lineCount: state.lineCount + 1 };
  if (RESTART.test(line)) {
    const restarts = state.restarts + 1;
    return restarts >= MAX_RESTARTS ? [{ ...next, restarts }, failed(state.trouble ?? 'boot-loop')] : [{ ...next, restarts }];
  }
  const event = parseEvent(line);
  if (event === undefined) {
    const code = codeOfText(line);
    return code === undefined ? [next] : count(next, code, MAX_TEXT_FAILURES);
  }
  const code = codeOf(event['code']);
  switch (event['event']) {
    case 'connected':
      return [next, { type: 'online' }];
    case 'error':
      if (code === 'ERR_SELF_TEST') return [next, failed(state.trouble ?? 'self-test')];
      return [next, failed(code === '' ? 'an error without a code' : code)];
    case 'self-test':
      // The other checks follow, then ERR_SELF_TEST.
      return [event['ok'] === false ? { ...next, trouble: code === '' ? 'self-test' : code } : next];
    case 'sign-failed':
      return [next, failed(code)];
    case 'registration-failed':
      if (code === UNAUTHORIZED || !code.startsWith('ERR_DPS_')) return code.startsWith('ERR_TLS_') ? count(next, code, MAX_FAILURES) : [{ ...next, trouble: code }];
      return PASSING.has(code) ? [{ ...next, trouble: code }] : [next, failed(code)];
    case 'credential-refused':
      // The clock was checked because of the provisioning service.
      if (state.trouble === UNAUTHORIZED && event['clockChecked'] === true) return [next, failed(UNAUTHORIZED)];
      return event['clockChecked'] === true ? [next, failed('credential-refused')] : [{ ...next, trouble: 'credential-refused' }];
    case 'wifi':
    case 'ethernet':
      return event['state'] === 'failed' ? count(next, code, MAX_FAILURES) : [next];
    case 'clock-trouble':
    case 'open-failed':
      return code.startsWith('ERR_TLS_') ? count(next, code, MAX_FAILURES) : [{ ...next, trouble: code }];
    default:
      return [next];
  }
}

/** Why a board that was given time is not online. */
export function explainSilence(state: LogState): Diagnosis {
  return diagnose(state.trouble ?? (state.lineCount === 0 ? 'silent' : 'waiting'));
}

function count(state: LogState, code: string, limit: number): readonly [LogState, Verdict?] {
  const failures = (state.failures.get(code) ?? 0) + 1;
  const next = { ...state, trouble: code, failures: new Map(state.failures).set(code, failures) };
  return failures >= limit ? [next, failed(code)] : [next];
}

function failed(code: string): Verdict {
  return { type: 'failed', diagnosis: diagnose(code) };
}

/** A code is a word; a board does not put anything else into our messages. */
function codeOf(value: unknown): string {
  if (value === undefined) return '';
  return typeof value === 'string' && /^[A-Za-z0-9_-]{1,48}$/.test(value) ? value : 'something that is no code';
}

/** An event of the firmware, or undefined for text of ROM, bootloader and ESP-IDF. */
function parseEvent(line: string): Readonly<Record<string, unknown>> | undefined {
  const start = line.indexOf('{"event":');
  if (start < 0) return undefined;
  try {
    return JSON.parse(line.slice(start)) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined; // bytes lost on the line
  }
}
