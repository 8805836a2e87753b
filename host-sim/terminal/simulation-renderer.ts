import { diagnose } from '../flashing/remedies.ts';
import { describeHubEvent, type Tone } from '../hub/event-text.ts';
import type { SimulationEvent } from '../simulation/events.ts';
import { GUEST_DEVICE_ID } from '../simulation/guest.ts';
import type { Style } from './cli-context.ts';
import { describeCloudEvent } from './cloud-text.ts';
import { formatDuration } from './duration.ts';
import { FLEET_DEVICES, FleetLines } from './fleet-lines.ts';
import { describeOpenFailure } from './open-failure-text.ts';
import { describeRootsEvent } from './roots-text.ts';

/** Lines about telemetry come at most this often, in real and in virtual time. */
const TELEMETRY_EVERY_MS = { real: 1000, virtual: 60_000 } as const;

/** Fields of an event that say nothing new on a line that has device and time already. */
const HIDDEN_FIELDS = new Set(['event', 'at', 'monotonicMs', 'device', 'source']);

type Fields = Readonly<Record<string, unknown>>;
type EventOf<Source extends SimulationEvent['source']> = Extract<SimulationEvent, { source: Source }>;

/** Draws the event stream of a run for people: one line an event, telemetry gathered, and what the devices of a fleet say alike. */
export class SimulationRenderer {
  readonly #style: Style;
  readonly #everyMs: number;
  readonly #counts = new Map<string, { readonly sent: number; readonly acked: number }>();
  readonly #fleet: FleetLines | undefined;
  #telemetryShownMs = -Infinity;

  constructor(style: Style, isVirtual: boolean, deviceCount = 1) {
    this.#style = style;
    this.#fleet = deviceCount >= FLEET_DEVICES ? new FleetLines() : undefined;
    this.#everyMs = isVirtual ? TELEMETRY_EVERY_MS.virtual : TELEMETRY_EVERY_MS.real;
  }

  /** The line of an event, below those of what was gathered before; `undefined` for what is not shown. */
  render(event: SimulationEvent): string | undefined {
    const isGathered = this.#fleet?.take(event) === true;
    const text = isGathered ? undefined : this.#describe(event);
    const own = text === undefined ? [] : [this.#line(event.sinceStartMs, 'device' in event ? event.device : event.source, text)];
    const isFlushed = own.length > 0 || this.#fleet?.isDue(event.sinceStartMs) === true;
    const lines = [...(isFlushed ? this.#gathered() : []), ...own];
    return lines.length === 0 ? undefined : lines.join('\n');
  }

  /** What is still gathered at the end. */
  finish(): string | undefined {
    const lines = this.#gathered();
    return lines.length === 0 ? undefined : lines.join('\n');
  }

  #gathered(): readonly string[] {
    return (this.#fleet?.flush() ?? []).map(({ sinceStartMs, who, text }) => this.#line(sinceStartMs, who, text));
  }

  #line(sinceStartMs: number, who: string, text: string): string {
    return `${this.#style.dim(formatMoment(sinceStartMs))}  ${who.padEnd(8)}  ${text}`;
  }

  #describe(event: SimulationEvent): string | undefined {
    switch (event.source) {
      case 'device':
        return this.#describeDevice(event);
      case 'hub':
        return this.#describeHub(event);
      case 'board':
        return this.#describeEnd(event);
      case 'link':
        return this.#style.yellow(`cut ${event.body.number} of ${event.body.of}: ${count(event.body.connections, 'connection')} broken`);
      case 'scenario':
        return this.#style.yellow(`${event.body.name}${event.body.event === 'step' ? '' : ` ${event.body.event}`}: ${event.body.text}`);
      case 'simulation':
        return event.body.event === 'stopping' ? this.#style.yellow(STOPPING[event.body.reason]) : undefined;
    }
  }

  #describeDevice({ device, body, sinceStartMs }: EventOf<'device'>): string | undefined {
    const { green, red, yellow } = this.#style;
    const fields: Fields = body;
    switch (body.event) {
      case 'self-test':
        return fields['ok'] === true ? undefined : red(`self-test ${fields['check']} failed: ${printable(String(fields['message'] ?? ''))} (${fields['code']})`);
      case 'clock':
        return `clock ${fields['level']}`;
      case 'connecting':
        return `connecting to ${fields['host']}:${fields['port']}`;
      case 'connected':
        return green(`connected${tokenLife(fields)}`);
      case 'renewed':
        return green(`token renewed, ${milliseconds(fields['leftMs'])} left on the old one`);
      case 'registering':
        return `asking ${fields['host']}:${fields['port']} for a hub`;
      case 'registered':
        return green(`assigned to ${fields['hub']}${fields['moved'] === true ? '' : ', as before'}${fields['saved'] === true ? '' : '; that could not be kept for the next start'}`);
      case 'registration-failed':
        return red(`registration failed: ${diagnose(String(fields['code'])).message} (${fields['code']}${fields['serviceCode'] === undefined ? '' : `, ${fields['serviceCode']}`})`);
      case 'refused':
        return red(`refused (CONNACK ${fields['returnCode']})${fields['online'] === true ? ', the old connection stays in use' : ''}`);
      case 'credential-refused':
        return red('the clock is right: the hub refuses the key, the device, or its state');
      case 'clock-wrong':
        return yellow(`the clock was wrong by ${milliseconds(fields['offMs'])}`);
      case 'open-failed':
        return yellow(`no connection: ${describeOpenFailure(String(fields['code']))}, next try in ${milliseconds(fields['retryMs'])}`);
      case 'disconnected':
        return fields['code'] === 'STOPPED' ? 'disconnected' : yellow(`connection lost: ${fields['code']}`);
      case 'telemetry':
      case 'done':
        return this.#describeTelemetry(device, fields, body.event === 'done' && this.#fleet === undefined, sinceStartMs);
      case 'error':
        return red(`error: ${fields['message'] ?? ''} (${fields['code']})`);
      case 'report':
        return undefined;
      default:
        return this.#describeNews(body.event, fields) ?? `${body.event}${listFields(fields)}`;
    }
  }

  #describeNews(event: string, fields: Fields): string | undefined {
    const line = describeRootsEvent(event, fields) ?? describeCloudEvent(event, fields);
    return line === undefined ? undefined : this.#paint(line.tone, printable(line.text));
  }

  #paint(tone: Tone, text: string): string {
    return { good: this.#style.green, warning: this.#style.yellow, bad: this.#style.red, plain: (same: string) => same }[tone](text);
  }

  /** The counts of all devices in one line, since devices may be many. */
  #describeTelemetry(device: string, fields: Fields, isLast: boolean, sinceStartMs: number): string | undefined {
    this.#counts.set(device, { sent: Number(fields['sent']), acked: Number(fields['acked']) });
    if (!isLast && sinceStartMs - this.#telemetryShownMs < this.#everyMs) return undefined;
    this.#telemetryShownMs = sinceStartMs;
    let [sent, acked] = [0, 0];
    for (const counts of this.#counts.values()) {
      sent += counts.sent;
      acked += counts.acked;
    }
    const devices = this.#counts.size === 1 ? '' : `${this.#counts.size} devices: `;
    return `${devices}${count(acked, 'message')} acknowledged${sent > acked ? `, ${sent - acked} waiting` : ''}`;
  }

  /** Of the hub only what no device says of itself: why it refused, and what the user's own clients do. */
  #describeHub({ body }: EventOf<'hub'>): string | undefined {
    const isOfGuest = 'deviceId' in body && body.deviceId === GUEST_DEVICE_ID;
    if (body.event === 'messageReceived') return isOfGuest ? `${body.deviceId} sent ${count(body.bytes, 'byte')}` : undefined;
    if (body.event === 'registryChanged') return undefined;
    if (!isOfGuest && body.event !== 'refused' && body.event !== 'tlsFailed') return undefined;
    const line = describeHubEvent(body);
    if (line === undefined) return undefined;
    return this.#paint(line.tone, `${line.who} ${line.text}`);
  }

  #describeEnd({ body }: EventOf<'board'>): string | undefined {
    if (body.event === 'restarting') return this.#style.yellow('restarting');
    if (body.exitCode === 0) return undefined;
    const how = body.signal === null ? `exit code ${body.exitCode}` : body.signal;
    return this.#style.red(`the board ended with ${how}${body.talk === '' ? '' : `\n${body.talk}`}`);
  }
}

const STOPPING = { interrupted: 'stopping; press Ctrl-C again to end at once', 'timed-out': 'the last acknowledgements did not come in time: stopping' } as const;

/** `   12.3s`, `1h 02m 03s`: a column of moments. */
function formatMoment(sinceStartMs: number): string {
  if (sinceStartMs < 600_000) return `${(sinceStartMs / 1000).toFixed(1)}s`.padStart(8);
  const seconds = Math.floor(sinceStartMs / 1000);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return parts.map((part) => String(part).padStart(2, '0')).join(':').padStart(8);
}

function tokenLife(fields: Fields): string {
  return typeof fields['tokenSeconds'] === 'number' ? `, token for ${formatDuration(fields['tokenSeconds'] * 1000)}` : '';
}

const milliseconds = (value: unknown): string => (typeof value === 'number' ? formatDuration(value) : '?');

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;

function listFields(fields: Fields): string {
  return Object.entries(fields)
    .filter(([name]) => !HIDDEN_FIELDS.has(name))
    .map(([name, value]) => ` ${name}=${printable(typeof value === 'object' ? JSON.stringify(value) : String(value))}`)
    .join('');
}

/** What came from elsewhere, without what would act on a terminal. */
const printable = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?');
