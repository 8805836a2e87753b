import type { Agent } from '../../agent/agent.ts';
import type { AgentPart, DesiredChange } from '../../agent/agent-part.ts';
import type { MethodRequest } from '../../agent/methods/method-request.ts';
import { acknowledgeWritable } from '../../agent/plug-and-play.ts';

/** @see https://github.com/Azure/iot-plugandplay-models/blob/main/dtmi/com/example/thermostat-1.json */
export const THERMOSTAT_MODEL = 'dtmi:com:example:Thermostat;1';

/** What the thermostat is made of. Degrees Celsius. */
export interface ThermostatHardware {
  readTemperature(): number;
  heatTo(celsius: number): void;
  wallMs(): number;
  /** Starts the device anew after `delayMs`. */
  restart(delayMs: number): void;
}

const FIRST_TARGET = 21;
const LOWEST_TARGET = 5;
const HIGHEST_TARGET = 35;
/** How many readings `getMaxMinReport` looks back. */
const MAX_READINGS = 32;
/** Time for the answer to `reboot` to leave. */
const MIN_REBOOT_SECONDS = 1;
const MAX_REBOOT_SECONDS = 86_400;

interface Reading {
  readonly atMs: number;
  readonly celsius: number;
}

/** The model's thermostat: telemetry, a writable and a read-only property, a command; and a command that restarts it. */
export class Thermostat implements AgentPart {
  readonly desired = ['targetTemperature'];
  readonly methods = {
    getMaxMinReport: (request: MethodRequest) => this.#getMaxMinReport(request),
    reboot: (request: MethodRequest) => this.#reboot(request),
  };
  readonly #agent: Pick<Agent, 'report'>;
  readonly #hardware: ThermostatHardware;
  readonly #readings: Reading[] = [];
  #target: number | undefined;
  #highest = -Infinity;

  constructor(agent: Pick<Agent, 'report'>, hardware: ThermostatHardware) {
    this.#agent = agent;
    this.#hardware = hardware;
  }

  /** One message of telemetry. */
  measure(): string {
    const temperature = this.#hardware.readTemperature();
    this.#readings.push({ atMs: this.#hardware.wallMs(), celsius: temperature });
    if (this.#readings.length > MAX_READINGS) this.#readings.shift();
    if (temperature > this.#highest) {
      this.#highest = temperature;
      this.#agent.report({ maxTempSinceLastReboot: temperature });
    }
    return JSON.stringify({ temperature });
  }

  onDesired({ properties, version, isPatch }: DesiredChange): void {
    const wanted = properties.get('targetTemperature') ?? undefined;
    if (wanted === undefined) {
      if (!isPatch && this.#target === undefined) this.#heatTo(FIRST_TARGET, 203, 0, 'initial value');
    } else if (typeof wanted === 'number' && wanted >= LOWEST_TARGET && wanted <= HIGHEST_TARGET) {
      this.#heatTo(wanted, 200, version, 'done');
    } else {
      this.#acknowledge(this.#target ?? FIRST_TARGET, 400, version, `expected a number from ${LOWEST_TARGET} to ${HIGHEST_TARGET}`);
    }
  }

  #heatTo(target: number, code: number, version: number, description: string): void {
    this.#target = target;
    this.#hardware.heatTo(target);
    this.#acknowledge(target, code, version, description);
  }

  #acknowledge(value: number, code: number, version: number, description: string): void {
    this.#agent.report({ targetTemperature: acknowledgeWritable(value, { code, version, description }) });
  }

  /** The command's payload is the time since when, ISO 8601. */
  #getMaxMinReport(request: MethodRequest): void {
    const sinceMs = typeof request.payload === 'string' ? Date.parse(request.payload) : NaN;
    if (Number.isNaN(sinceMs)) return void request.respond(400, { message: 'expected a time such as "2026-11-22T12:00:00Z"' });
    const readings = this.#readings.filter(({ atMs }) => atMs >= sinceMs);
    const first = readings[0];
    if (first === undefined) return void request.respond(404, { message: 'no reading since then' });
    const temperatures = readings.map(({ celsius }) => celsius);
    request.respond(200, {
      maxTemp: temperatures.reduce((most, celsius) => Math.max(most, celsius)),
      minTemp: temperatures.reduce((least, celsius) => Math.min(least, celsius)),
      avgTemp: round(temperatures.reduce((sum, celsius) => sum + celsius, 0) / temperatures.length),
      startTime: new Date(first.atMs).toISOString(),
      endTime: new Date(readings[readings.length - 1]!.atMs).toISOString(),
    });
  }

  /** The command's payload is the delay in seconds, by default the shortest. */
  #reboot(request: MethodRequest): void {
    const { payload = MIN_REBOOT_SECONDS } = request;
    const seconds = payload === null ? MIN_REBOOT_SECONDS : payload;
    if (typeof seconds !== 'number' || !(seconds >= 0 && seconds <= MAX_REBOOT_SECONDS)) {
      return void request.respond(400, { message: `expected seconds, up to ${MAX_REBOOT_SECONDS}` });
    }
    request.respond(202);
    this.#hardware.restart(1000 * Math.max(MIN_REBOOT_SECONDS, seconds));
  }
}

function round(celsius: number): number {
  return Math.round(celsius * 100) / 100;
}
