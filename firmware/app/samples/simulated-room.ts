/** What a room nears its target by from one reading to the next. */
const APPROACH = 0.1;
/** Draughts and sunshine, degrees. */
const NOISE = 0.2;
const FIRST_TEMPERATURE = 18;

/** A room with a heater, for boards that have neither. Degrees Celsius. */
export class SimulatedRoom {
  readonly #random: () => number;
  #temperature = FIRST_TEMPERATURE;
  #target = FIRST_TEMPERATURE;

  /** @param random uniform in [0, 1) */
  constructor(random: () => number) {
    this.#random = random;
  }

  heatTo(celsius: number): void {
    this.#target = celsius;
  }

  readTemperature(): number {
    this.#temperature += (this.#target - this.#temperature) * APPROACH + (this.#random() - 0.5) * NOISE;
    return Math.round(this.#temperature * 10) / 10;
  }
}
