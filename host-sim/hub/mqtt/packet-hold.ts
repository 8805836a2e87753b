import type { Clock } from '../../time/clock.ts';

/** How long one packet may wait when the hub's rates are reached; then the queue of IoT Hub counts as full. */
const MAX_SHAPING_MS = 10_000;

export interface HoldEffects {
  /** Nothing is read from the client. */
  pause(): void;
  /** What was held, in its order; some of it may be held again. */
  take(packets: readonly Buffer[]): void;
  /** Nothing is held any more. */
  goOn(): void;
}

/** Packets of a client that lie still: because of a fault (stalled), or because the hub's rates are reached (delayed). */
export class PacketHold {
  readonly #clock: Clock;
  readonly #effects: HoldEffects;
  #packets: Buffer[] | undefined;
  #isStalled = false;
  #delayedMs = 0;
  #cancelDelay: (() => void) | undefined;

  constructor(clock: Clock, effects: HoldEffects) {
    this.#clock = clock;
    this.#effects = effects;
  }

  get isHolding(): boolean {
    return this.#packets !== undefined;
  }

  get isStalled(): boolean {
    return this.#isStalled;
  }

  /** @returns whether `packet` is held behind others, and not to be taken now */
  holdsBehind(packet: Buffer): boolean {
    this.#packets?.push(packet);
    return this.#packets !== undefined;
  }

  /** Holds everything from now on, `packet` first. */
  stall(packet?: Buffer): void {
    this.#isStalled = true;
    this.#hold(packet);
  }

  endStall(): void {
    this.#isStalled = false;
    this.#release();
  }

  /** Gives `packet` again after `waitMs`. @returns `false` when it has waited long enough */
  delay(packet: Buffer, waitMs: number): boolean {
    this.#delayedMs += waitMs;
    if (this.#delayedMs > MAX_SHAPING_MS) return false;
    this.#hold(packet);
    this.#cancelDelay = this.#clock.setTimer(waitMs, () => {
      this.#cancelDelay = undefined;
      this.#release();
    });
    return true;
  }

  /** A packet went through: the next one has all the time again. */
  passed(): void {
    this.#delayedMs = 0;
  }

  /** The connection is over. */
  end(): void {
    this.#cancelDelay?.();
  }

  #hold(packet?: Buffer): void {
    if (this.#packets === undefined) this.#packets = packet === undefined ? [] : [packet];
    this.#effects.pause();
  }

  #release(): void {
    const packets = this.#packets;
    if (packets === undefined || this.#isStalled || this.#cancelDelay !== undefined) return;
    this.#packets = undefined;
    this.#effects.take(packets);
    if (!this.isHolding) this.#effects.goOn();
  }
}
