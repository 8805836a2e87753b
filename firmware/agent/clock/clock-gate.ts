import type { Application } from '../application.ts';
import type { AgentConfig } from '../config.ts';
import type { ConnectivityEvent } from '../connectivity.ts';
import { CLOCK_OFF_MS } from '../limits.ts';
import type { Port } from '../port.ts';
import { ClockKeeper, type ClockOwner } from './clock-keeper.ts';
import type { ClockLevel } from './clock-state.ts';

export interface ClockGateOwner {
  nowMs(): number;
  /** A connection to the hub is open or being opened. */
  readonly isOccupied: boolean;
  /** Of the credential that was used last. */
  readonly keyIndex: number;
  /** What the connection machine must know. */
  clockSaid(event: ConnectivityEvent): void;
  /** The wall clock was set; it had been off by `offMs` (positive: it was slow). */
  clockMoved(offMs: number): void;
}

/** The clock as the connection machine sees it: nothing is opened before it is known, and a refusal is checked against it. */
export class ClockGate implements ClockOwner {
  readonly #port: Port;
  readonly #application: Application;
  readonly #owner: ClockGateOwner;
  readonly #keeper: ClockKeeper;

  constructor(port: Port, { timeServers, dateServer }: AgentConfig, application: Application, owner: ClockGateOwner) {
    this.#port = port;
    this.#application = application;
    this.#owner = owner;
    this.#keeper = new ClockKeeper(port, timeServers, dateServer, this);
  }

  get level(): ClockLevel {
    return this.#keeper.level;
  }

  get wakeAtMs(): number {
    return this.#keeper.wakeAtMs;
  }

  start(): void {
    this.#keeper.start();
  }

  stop(): void {
    this.#keeper.stop();
    this.#owner.clockSaid({ type: 'clockUnknown' });
  }

  woke(nowMs: number): void {
    this.#keeper.woke(nowMs);
  }

  /** After a refusal: `resynchronised` follows. */
  check(): void {
    this.#keeper.check();
  }

  // --- what the keeper asks and says ---

  nowMs(): number {
    return this.#owner.nowMs();
  }

  hasRoomForDate(): boolean {
    return !this.#owner.isOccupied || this.#port.roomForTwo();
  }

  clockChanged(level: ClockLevel): void {
    this.#application.report({ type: 'clock', level });
    this.#pass();
  }

  clockMoved(offMs: number): void {
    this.#owner.clockMoved(offMs);
  }

  clockSettled(offMs: number, checked: boolean): void {
    if (Math.abs(offMs) > CLOCK_OFF_MS) this.#application.report({ type: 'clock-wrong', offMs });
    else this.#application.report({ type: 'credential-refused', keyIndex: this.#owner.keyIndex, clockChecked: checked });
    this.#pass();
    this.#owner.clockSaid({ type: 'resynchronised' });
  }

  clockTrouble(code: string, detail: number): void {
    this.#application.report({ type: 'clock-trouble', code, detail });
    this.#pass();
  }

  /** Where memory holds one session only, the hub waits until the clock's own has ended. */
  #pass(): void {
    // Said again and again: what waits in the machine's queue may still change what it knows.
    if (this.level === 'unset') return this.#owner.clockSaid({ type: 'clockUnknown' });
    if (this.#keeper.isAskingDate && !this.#port.roomForTwo()) return;
    this.#owner.clockSaid({ type: 'clockKnown' });
  }
}
