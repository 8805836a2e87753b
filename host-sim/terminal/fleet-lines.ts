import type { SimulationEvent } from '../simulation/events.ts';
import { describeCloudEvent } from './cloud-text.ts';
import { describeRootsEvent } from './roots-text.ts';

/** From so many devices on, what they all say is counted instead of listed. */
export const FLEET_DEVICES = 16;
/** What is alike is gathered for so long, on the run's clock. */
const WINDOW_MS = 10_000;

type Fields = Readonly<Record<string, unknown>>;

/** Gathers what many devices say alike: `88 devices: connected`. */
export class FleetLines {
  readonly #devices = new Map<string, Set<string>>();
  #sinceMs = Infinity;

  /** @returns whether the event was taken: then it needs no line of its own */
  take(event: SimulationEvent): boolean {
    const text = textOf(event);
    if (text === undefined) return false;
    if (text === '') return true;
    if (this.#devices.size === 0) this.#sinceMs = event.sinceStartMs;
    const devices = this.#devices.get(text) ?? new Set();
    this.#devices.set(text, devices.add('device' in event ? event.device : ''));
    return true;
  }

  /** Whether what was gathered is to be shown before an event at `nowMs`. */
  isDue(nowMs: number): boolean {
    return nowMs - this.#sinceMs >= WINDOW_MS;
  }

  /** What was gathered, with the moment of the first; forgets it. */
  flush(): readonly { readonly sinceStartMs: number; readonly who: string; readonly text: string }[] {
    const lines = [...this.#devices].map(([text, devices]) => {
      const [first = ''] = devices;
      return { sinceStartMs: this.#sinceMs, who: devices.size === 1 ? first : 'fleet', text: devices.size === 1 ? text : `${devices.size} devices: ${text}` };
    });
    this.#devices.clear();
    this.#sinceMs = Infinity;
    return lines;
  }
}

/** What is counted; empty for what a fleet need not say at all; `undefined` for what keeps its own line. */
function textOf(event: SimulationEvent): string | undefined {
  if (event.source === 'hub') return event.body.event === 'tlsFailed' ? '' : undefined;
  if (event.source !== 'device') return undefined;
  const fields: Fields = event.body;
  switch (event.body.event) {
    case 'clock':
    case 'connecting':
    case 'reported':
      return '';
    case 'self-test':
      return fields['ok'] === true ? '' : undefined;
    case 'connected':
      return 'connected';
    case 'renewed':
      return 'token renewed';
    case 'open-failed':
      return `no connection: ${fields['code']}`;
    case 'disconnected':
      return fields['code'] === 'STOPPED' ? 'disconnected' : `connection lost: ${fields['code']}`;
    default:
      return (describeRootsEvent(event.body.event, fields) ?? describeCloudEvent(event.body.event, fields))?.text;
  }
}
