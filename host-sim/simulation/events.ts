import type { BoardLine } from '../board/board.ts';
import type { HubEvent } from '../hub/events.ts';
import type { ScenarioName } from './options.ts';

/** Where what runs can be reached. */
export interface StartedEvent {
  readonly event: 'started';
  readonly hubName: string;
  readonly hub: string;
  /** Where the devices go when a link with delay or cuts is in between. */
  readonly link: string | undefined;
  readonly date: string;
  readonly ntp: readonly string[];
  readonly rootFile: string;
  readonly devices: readonly string[];
  readonly isVirtual: boolean;
  readonly bits: 32 | 64;
  readonly seed: number | undefined;
}

/** What a run came to. The fields and their order are the contract of `--json`. */
export interface SummaryEvent {
  readonly event: 'summary';
  /** Messages that the agents' `send()` accepted. */
  readonly sent: number;
  /** Messages that the agents saw acknowledged. */
  readonly acked: number;
  /** The rest is the hub's own count. */
  readonly received: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly renewals: number;
  readonly connects: number;
  readonly maxGapMs: number;
  readonly oldClosedBeforeNew: number;
  /** The rest is of the scenario `root-migration`, where `lost` is of devices that were never away. Devices that are connected at the end… */
  readonly online?: number;
  /** …those of them that had lost their way to the hub, those that went back to their old roots, and all that are not connected. */
  readonly recovered?: number;
  readonly rolledBack?: number;
  readonly stranded?: number;
}

type Sourced =
  | { readonly source: 'simulation'; readonly body: StartedEvent | SummaryEvent | StoppingEvent }
  /** What a device's firmware printed. */
  | { readonly source: 'device'; readonly device: string; readonly body: BoardLine & { readonly event: string } }
  /** A device's process ended, or was ended; or it is started anew because its firmware asked for that. */
  | { readonly source: 'board'; readonly device: string; readonly body: BoardEndedEvent | { readonly event: 'restarting' } }
  | { readonly source: 'hub'; readonly body: HubEvent }
  | { readonly source: 'link'; readonly body: { readonly event: 'cut'; readonly connections: number; readonly number: number; readonly of: number } }
  | { readonly source: 'scenario'; readonly body: { readonly event: 'began' | 'step' | 'ended'; readonly name: ScenarioName; readonly text: string } };

export interface StoppingEvent {
  readonly event: 'stopping';
  readonly reason: 'interrupted' | 'timed-out';
}

export interface BoardEndedEvent {
  readonly event: 'ended';
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The end of what it said on stderr, when it ended badly. */
  readonly talk: string;
}

/** One thing that happened, on the run's clock. Terminal, `--json` and tests draw this one stream. */
export type SimulationEvent = Sourced & {
  /** Milliseconds since the run began. */
  readonly sinceStartMs: number;
};

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** Stamps one event and tells it to whoever watches. */
export type Tell = (event: DistributiveOmit<SimulationEvent, 'sinceStartMs'>) => void;

/** The `--json` line of an event, `undefined` for what is counted instead of told (each message at the hub). No payloads, no secrets. */
export function toJsonLine(event: SimulationEvent): object | undefined {
  if (event.source === 'simulation' && event.body.event === 'summary') return event.body;
  if (event.source === 'hub' && event.body.event === 'messageReceived') return undefined;
  const { event: name, ...body } = event.source === 'hub' ? hubFields(event.body) : event.body;
  const device = 'device' in event ? { device: event.device } : {};
  return { event: name, source: event.source, sinceStartMs: Math.round(event.sinceStartMs), ...device, ...body };
}

/** `sinceStartMs` says what the hub's monotonic time says. */
function hubFields({ monotonicMs: _, ...body }: HubEvent): Omit<HubEvent, 'monotonicMs'> {
  return { ...body, at: Math.round(body.at) };
}
