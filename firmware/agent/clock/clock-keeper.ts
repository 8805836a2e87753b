import * as limits from '../limits.ts';
import type { Port } from '../port.ts';
import { initialClock, isPlausible, stepClock, type ClockContext, type ClockEffect, type ClockEvent, type ClockLevel, type ClockState } from './clock-state.ts';
import { DateClient } from './date-client.ts';
import { NtpClient } from './ntp-client.ts';

export interface ClockOwner {
  nowMs(): number;
  /** Whether memory holds a TLS session of the clock's own now. */
  hasRoomForDate(): boolean;
  clockChanged(level: ClockLevel): void;
  /** The wall clock was set; it had been off by `offMs` (positive: it was slow). */
  clockMoved(offMs: number): void;
  /** The check that `check()` asked for has ended; the wall clock had been off by `offMs`. `checked`: somebody answered. */
  clockSettled(offMs: number, checked: boolean): void;
  clockTrouble(code: string, detail: number): void;
}

/** Runs the clock machine: asks NTP and HTTPS, sets the wall clock, saves the floor. */
export class ClockKeeper {
  readonly #port: Port;
  readonly #owner: ClockOwner;
  readonly #timeServers: readonly string[];
  readonly #dateServer: string;
  readonly #context: ClockContext;
  #state: ClockState;
  #ntp: NtpClient | undefined;
  #date: DateClient | undefined;
  #offMs = 0;
  #checked = false;
  #started = false;
  /** Counts the stops: what the owner does in a callback may end the life that the callback came from. */
  #stops = 0;

  constructor(port: Port, timeServers: readonly string[], dateServer: string, owner: ClockOwner) {
    this.#port = port;
    this.#owner = owner;
    this.#timeServers = timeServers;
    this.#dateServer = dateServer;
    this.#context = {
      get nowMs(): number {
        return owner.nowMs();
      },
      random: () => port.random(),
      hasTimeServers: timeServers.length > 0,
      get hasDateServer(): boolean {
        return dateServer !== '' && owner.hasRoomForDate();
      },
    };
    this.#state = initialClock(Math.max(port.buildTimeMs, port.readFloorMs()));
  }

  get level(): ClockLevel {
    return this.#state.level;
  }

  /** A TLS session of the clock's own is open or about to be. */
  get isAskingDate(): boolean {
    return this.#state.asking === 'date';
  }

  get wakeAtMs(): number {
    return this.#ntp?.deadlineMs ?? this.#date?.deadlineMs ?? this.#state.askAtMs;
  }

  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#dispatch({ type: 'started', wallMs: this.#port.wallMs() });
  }

  stop(): void {
    this.#stops += 1;
    this.#started = false;
    this.#ntp?.close();
    this.#ntp = undefined;
    this.#date?.close();
    this.#date = undefined;
    this.#state = initialClock(this.#state.floorMs);
  }

  /** Asks the servers now; `clockSettled` follows. */
  check(): void {
    this.#offMs = 0;
    this.#checked = false;
    this.#dispatch({ type: 'wanted' });
  }

  woke(nowMs: number): void {
    if (this.#ntp !== undefined) this.#ntp.woke(nowMs);
    else if (this.#date !== undefined) this.#date.woke(nowMs);
    else if (nowMs >= this.#state.askAtMs) this.#dispatch({ type: 'woke' });
  }

  #dispatch(event: ClockEvent): void {
    const [state, ...effects] = stepClock(this.#state, event, this.#context);
    this.#state = state;
    const stops = this.#stops;
    for (const effect of effects) {
      if (stops === this.#stops) this.#run(effect);
    }
  }

  #run(effect: ClockEffect): void {
    switch (effect.type) {
      case 'askNetwork':
        return this.#askNetwork();
      case 'askDate':
        return this.#askDate();
      case 'setWall':
        this.#offMs += effect.offMs;
        this.#port.setWallMs(effect.unixMs);
        if (Math.abs(effect.offMs) > limits.CLOCK_OFF_MS) this.#port.dropTlsSessions();
        return this.#owner.clockMoved(effect.offMs);
      case 'saveFloor':
        return this.#saveFloor(effect.unixMs);
      case 'changed':
        return this.#owner.clockChanged(effect.level);
      case 'settled':
        return this.#owner.clockSettled(this.#offMs, this.#checked);
    }
  }

  /** A worn-out flash costs the floor, not the connection. */
  #saveFloor(unixMs: number): void {
    try {
      this.#port.saveFloorMs(unixMs);
    } catch {
      this.#owner.clockTrouble('ERR_FLOOR_NOT_SAVED', 0);
    }
  }

  #askNetwork(): void {
    this.#ntp = new NtpClient(this.#port, this.#timeServers, this.#state.floorMs, this.#owner.nowMs(), (result) => {
      this.#ntp = undefined;
      const wallMs = this.#port.wallMs();
      if (result.disagreementMs > 0) this.#owner.clockTrouble('ERR_NTP_DISAGREES', result.disagreementMs);
      const stops = this.#stops;
      const answered = result.unixMs !== undefined;
      const believed = answered && isPlausible(result.unixMs, this.#state.floorMs);
      if (believed) this.#checked = true;
      this.#dispatch(answered ? { type: 'networkAnswered', unixMs: result.unixMs, wallMs } : { type: 'networkFailed', wallMs });
      if (believed || stops !== this.#stops) return;
      if (answered) this.#owner.clockTrouble('ERR_NTP_RANGE', 0);
      else this.#owner.clockTrouble('ERR_NTP_SILENT', this.#timeServers.length);
    });
    this.#ntp.open();
  }

  #askDate(): void {
    this.#date = new DateClient(this.#port, this.#dateServer, this.#owner.nowMs(), (unixMs, code) => {
      this.#date = undefined;
      const stops = this.#stops;
      const believed = unixMs !== undefined && isPlausible(unixMs, this.#state.floorMs);
      if (believed) this.#checked = true;
      this.#dispatch(unixMs === undefined ? { type: 'dateFailed' } : { type: 'dateAnswered', unixMs, wallMs: this.#port.wallMs() });
      if (believed || stops !== this.#stops) return;
      this.#owner.clockTrouble(unixMs === undefined ? code : 'ERR_DATE_RANGE', 0);
    });
    this.#date.open();
  }
}
