import { describeHubEvent, toJsonEvent, type Tone } from '../hub/event-text.ts';
import type { HubEvent } from '../hub/events.ts';
import { formatClientId } from '../hub/identity.ts';
import { makeStyle, printJson, printLine, type CliContext } from './cli-context.ts';

/** Telemetry is told as one line a second. */
const TELEMETRY_EVERY_MS = 1_000;

/** Draws the hub's events, each as one JSON object. */
export function jsonView(context: CliContext): (event: HubEvent) => void {
  return (event) => printJson(context, toJsonEvent(event));
}

/** Draws the hub's events as lines for people. */
export function linesView(context: CliContext): (event: HubEvent) => void {
  const style = makeStyle(context);
  const paint: Record<Tone, (text: string) => string> = { good: style.green, warning: style.yellow, bad: style.red, plain: (text) => text };
  const print = (atMs: number, who: string, text: string): void => printLine(context, `${style.dim(new Date(atMs).toISOString().slice(11, 23))}  ${who.padEnd(12)}  ${text}`);
  let received = 0;
  let shownMs = -Infinity;
  return (event) => {
    if (event.event === 'messageReceived') {
      received += 1;
      if (event.monotonicMs - shownMs < TELEMETRY_EVERY_MS) return;
      shownMs = event.monotonicMs;
      return print(event.at, formatClientId(event), `telemetry, ${event.bytes} bytes${event.mid === undefined ? '' : `, mid ${JSON.stringify(event.mid)}`}; ${received} in all`);
    }
    const line = describeHubEvent(event);
    if (line !== undefined) print(event.at, line.who, paint[line.tone](line.text));
  };
}
