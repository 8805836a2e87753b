import type { Agent } from '../../agent/agent.ts';
import type { Settings } from '../settings.ts';

/** What is sent. */
export interface TelemetrySource {
  /** The body of message `n`, which counts from 1. */
  measure(n: number): string;
  readonly contentType?: string | undefined;
  readonly contentEncoding?: string | undefined;
}

export interface TelemetryHost {
  nowMs(): number;
  random(): number;
  after(delayMs: number, callback: () => void): void;
  print(line: string): void;
  exit(code: number): void;
}

/** Counts are printed at most this often. */
const PRINT_EVERY_MS = 1000;
/** How long a stop waits for what is not acknowledged. */
const STOP_PATIENCE_MS = 3000;
/** A late timer catches up with at most this many messages at once. */
const MAX_CATCH_UP = 16;

/** Numbered messages of a fixed size. */
export function numberedSource(sizeBytes: number): TelemetrySource {
  return {
    measure(n) {
      const text = `{"n":${n}}`;
      return text + ' '.repeat(Math.max(0, sizeBytes - text.length));
    },
  };
}

/** Sends messages at a fixed pace and counts them; identity is `$.mid`. */
export class Telemetry {
  readonly #agent: Agent;
  readonly #settings: Settings;
  readonly #source: TelemetrySource;
  readonly #host: TelemetryHost;
  /** Differs from start to start, so that message ids do. */
  readonly #boot: string;
  #startedAtMs = 0;
  #attempts = 0;
  #sent = 0;
  #acknowledged = 0;
  #dropped = 0;
  #printedAtMs = 0;
  #sending = false;
  #stopAtMs = Infinity;

  #end: () => void;

  constructor(agent: Agent, settings: Settings, source: TelemetrySource, host: TelemetryHost) {
    this.#agent = agent;
    this.#settings = settings;
    this.#source = source;
    this.#end = () => host.exit(0);
    this.#host = host;
    this.#boot = Math.floor(host.random() * 2 ** 32).toString(16);
  }

  start(): void {
    this.#startedAtMs = this.#host.nowMs();
    this.#sending = true;
    this.#tick();
  }

  /** Sends nothing more; when all is acknowledged, or after a while, stops the agent and then calls `end`, by default the host's exit. */
  stop(end = this.#end): void {
    this.#end = end;
    this.#sending = false;
    this.#stopAtMs = Math.min(this.#stopAtMs, this.#host.nowMs() + STOP_PATIENCE_MS);
    this.#finish();
  }

  acknowledged(): void {
    this.#acknowledged += 1;
    if (this.#host.nowMs() - this.#printedAtMs >= PRINT_EVERY_MS) this.#print('telemetry');
    if (!this.#sending) this.#finish();
  }

  #tick(): void {
    if (!this.#sending) return;
    const { intervalMs, durationMs } = this.#settings;
    const elapsedMs = this.#host.nowMs() - this.#startedAtMs;
    const isOver = durationMs > 0 && elapsedMs >= durationMs;
    // What was due before the end leaves even when this timer is late.
    const due = isOver ? Math.ceil(durationMs / intervalMs) : Math.floor(elapsedMs / intervalMs) + 1;
    if (due - this.#attempts > MAX_CATCH_UP) this.#attempts = due - MAX_CATCH_UP;
    while (this.#attempts < due) this.#send();
    if (isOver) {
      this.#sending = false;
      return this.#finish();
    }
    this.#host.after(Math.max(1, this.#startedAtMs + this.#attempts * intervalMs - this.#host.nowMs()), () => this.#tick());
  }

  #send(): void {
    this.#attempts += 1;
    const { contentType, contentEncoding } = this.#source;
    const payload = this.#source.measure(this.#sent + 1);
    const accepted = this.#agent.send(payload, { messageId: `${this.#boot}-${this.#sent + 1}`, contentType, contentEncoding }, this.#settings.qos);
    if (accepted) this.#sent += 1;
    else this.#dropped += 1;
  }

  #finish(): void {
    const waits = this.#agent.pending > 0 && this.#host.nowMs() < this.#stopAtMs;
    if (waits) {
      if (this.#stopAtMs !== Infinity) this.#host.after(this.#stopAtMs - this.#host.nowMs(), () => this.#finish());
      return;
    }
    if (this.#startedAtMs < 0) return;
    this.#startedAtMs = -1;
    this.#agent.stop();
    this.#print('done');
    // One turn for DISCONNECT and close_notify to leave.
    this.#host.after(1, this.#end);
  }

  #print(event: string): void {
    this.#printedAtMs = this.#host.nowMs();
    this.#host.print(JSON.stringify({ event, sent: this.#sent, acked: this.#acknowledged, dropped: this.#dropped }));
  }
}
