import type { Clock } from './clock.ts';

interface Parcel {
  readonly dueMs: number;
  readonly byteLength: number;
  readonly deliver: () => void;
}

/** One direction of a connection: what goes in comes out, in order, after the delay. */
export class DelayLine {
  readonly #clock: Clock;
  readonly #delayMs: number;
  readonly #parcels: Parcel[] = [];
  #lastDueMs = 0;
  #cancelTimer: (() => void) | undefined;
  #paused = false;
  #closed = false;
  #pendingBytes = 0;

  constructor(clock: Clock, delayMs: number) {
    this.#clock = clock;
    this.#delayMs = delayMs;
  }

  /** Bytes on their way. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Calls `deliver` once the delay is over, and never before what was sent earlier. */
  send(byteLength: number, deliver: () => void, delayMs: number = this.#delayMs): void {
    if (this.#closed) return;
    this.#lastDueMs = Math.max(this.#lastDueMs, this.#clock.monotonicMs() + delayMs);
    this.#parcels.push({ dueMs: this.#lastDueMs, byteLength, deliver });
    this.#pendingBytes += byteLength;
    this.#arm();
  }

  /** Holds everything that has not arrived yet. */
  pause(): void {
    this.#paused = true;
    this.#disarm();
  }

  resume(): void {
    this.#paused = false;
    this.#arm();
  }

  /** Loses what is on its way and everything after it. */
  close(): void {
    this.#closed = true;
    this.#parcels.length = 0;
    this.#pendingBytes = 0;
    this.#disarm();
  }

  #arm(): void {
    const head = this.#parcels[0];
    if (head === undefined || this.#paused || this.#cancelTimer !== undefined) return;
    this.#cancelTimer = this.#clock.setTimer(head.dueMs - this.#clock.monotonicMs(), () => this.#deliverDue());
  }

  #disarm(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  /** The head goes out even when a real timer fired a fraction of a millisecond early. */
  #deliverDue(): void {
    this.#cancelTimer = undefined;
    const untilMs = Math.max(this.#clock.monotonicMs(), this.#parcels[0]?.dueMs ?? 0);
    while (!this.#paused) {
      const parcel = this.#parcels[0];
      if (parcel === undefined || parcel.dueMs > untilMs) break;
      this.#parcels.shift();
      this.#pendingBytes -= parcel.byteLength;
      parcel.deliver();
    }
    this.#arm();
  }
}
