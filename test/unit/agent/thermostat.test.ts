import { describe, expect, test } from '@jest/globals';

import { SimulatedRoom } from '../../../firmware/app/samples/simulated-room.ts';
import { Thermostat } from '../../../firmware/app/samples/thermostat.ts';

const NOON_MS = Date.parse('2026-11-22T12:00:00Z');

/** A thermostat whose sensor reads `readings`, a minute apart. */
function open(readings: readonly number[]) {
  const reports: unknown[] = [];
  const heated: number[] = [];
  const restarts: number[] = [];
  let at = 0;
  const thermostat = new Thermostat(
    { report: (patch) => reports.push(patch) > 0 },
    {
      readTemperature: () => readings[at++] ?? 0,
      heatTo: (celsius) => void heated.push(celsius),
      wallMs: () => NOON_MS + (at - 1) * 60_000,
      restart: (delayMs) => void restarts.push(delayMs),
    },
  );
  const desire = (version: number, isPatch: boolean, value?: unknown): void =>
    thermostat.onDesired({ version, isPatch, properties: new Map(value === undefined ? [] : [['targetTemperature', value]]), refused: new Map(), reported: new Map() });
  const call = (name: 'getMaxMinReport' | 'reboot', payload?: unknown): unknown[] => {
    const answers: unknown[] = [];
    thermostat.methods[name]({ name, payload, respond: (status, answer) => answers.push(status, answer) > 0 });
    return answers;
  };
  return { thermostat, reports, heated, restarts, desire, call };
}

describe('the thermostat', () => {
  test('sends its temperature, and reports each one that is higher than all before', () => {
    const { thermostat, reports } = open([20, 21.5, 21, 22]);
    expect(Array.from({ length: 4 }, () => thermostat.measure())).toEqual(['{"temperature":20}', '{"temperature":21.5}', '{"temperature":21}', '{"temperature":22}']);
    expect(reports).toEqual([{ maxTempSinceLastReboot: 20 }, { maxTempSinceLastReboot: 21.5 }, { maxTempSinceLastReboot: 22 }]);
  });

  test('takes its target from the twin and acknowledges it by the convention', () => {
    const { reports, heated, desire } = open([]);
    desire(1, false);
    desire(2, true, 25);
    desire(3, true, 99);
    desire(4, true, 'warm');
    desire(5, true, null);
    expect(heated).toEqual([21, 25]);
    expect(reports).toEqual([
      { targetTemperature: { value: 21, ac: 203, av: 0, ad: 'initial value' } },
      { targetTemperature: { value: 25, ac: 200, av: 2, ad: 'done' } },
      { targetTemperature: { value: 25, ac: 400, av: 3, ad: 'expected a number from 5 to 35' } },
      { targetTemperature: { value: 25, ac: 400, av: 4, ad: 'expected a number from 5 to 35' } },
    ]);
  });

  test('answers getMaxMinReport with the readings since then', () => {
    const { thermostat, call } = open([20, 24, 22]);
    for (let i = 0; i < 3; i++) thermostat.measure();
    expect(call('getMaxMinReport', '2026-11-22T12:01:00Z')).toEqual([200, { maxTemp: 24, minTemp: 22, avgTemp: 23, startTime: '2026-11-22T12:01:00.000Z', endTime: '2026-11-22T12:02:00.000Z' }]);
    expect(call('getMaxMinReport', '2026-11-22T13:00:00Z')[0]).toBe(404);
    expect([undefined, 'yesterday', 5, {}].map((payload) => call('getMaxMinReport', payload)[0])).toEqual([400, 400, 400, 400]);
  });

  test('restarts when it is told to, and only for a delay that makes sense', () => {
    const { restarts, call } = open([]);
    expect([undefined, null, 0, 5, 86_400].map((payload) => call('reboot', payload)[0])).toEqual([202, 202, 202, 202, 202]);
    expect(restarts).toEqual([1000, 1000, 1000, 5000, 86_400_000]);
    expect([-1, 86_401, 'now', {}].map((payload) => call('reboot', payload)[0])).toEqual([400, 400, 400, 400]);
    expect(restarts.length).toBe(5);
  });
});

test('the simulated room comes near what it is heated to, and stays there', () => {
  const room = new SimulatedRoom(() => 0.5);
  room.heatTo(25);
  const readings = Array.from({ length: 60 }, () => room.readTemperature());
  expect(readings[0]).toBeLessThan(20);
  expect(readings.slice(50).every((celsius) => Math.abs(celsius - 25) <= 0.1)).toBe(true);
});
