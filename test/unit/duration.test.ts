import { expect, test } from '@jest/globals';
import { formatDuration, parseDurationMs } from '../../host-sim/terminal/duration.ts';

test.each([
  ['0ms', 0],
  ['50ms', 50],
  ['0.5ms', 0.5],
  ['30s', 30_000],
  ['1.5s', 1500],
  [' 20s ', 20_000],
  ['2m', 120_000],
  ['1h', 3_600_000],
  ['365d', 31_536_000_000],
])('"%s" is %d ms', (text, ms) => {
  expect(parseDurationMs(text)).toBe(ms);
});

test.each([
  ['30', '"30" has no unit, did you mean "30s"?'],
  ['30S', '"S" is no unit of time, did you mean "30s"?'],
  ['30MS', '"MS" is no unit of time, did you mean "30ms"?'],
  ['3 s', 'expected a duration such as 30s, 50ms or 1h, got "3 s"'],
  ['5min', '"min" is no unit of time, use ms, s, m, h, d'],
  ['', 'expected a duration such as 30s, 50ms or 1h, got ""'],
  ['-5s', 'expected a duration such as 30s, 50ms or 1h, got "-5s"'],
  ['1e3s', 'expected a duration such as 30s, 50ms or 1h, got "1e3s"'],
  ['1h30m', 'expected a duration such as 30s, 50ms or 1h, got "1h30m"'],
  ['.5s', 'expected a duration such as 30s, 50ms or 1h, got ".5s"'],
  [`${'9'.repeat(400)}s`, 'is too long'],
  ['999999999d', '"999999999d" is too long'],
])('"%s" is refused', (text, message) => {
  expect(() => parseDurationMs(text)).toThrow(RangeError);
  expect(() => parseDurationMs(text)).toThrow(message);
});

test.each([
  [0, '0ms'],
  [49.6, '50ms'],
  [999, '999ms'],
  [1000, '1s'],
  [12_340, '12.3s'],
  [60_000, '1m'],
  [125_000, '2m 5s'],
  [3_600_000, '1h'],
  [5_400_000, '1h 30m'],
  [86_400_000, '1d'],
  [90_000_000, '1d 1h'],
])('%d ms are shown as "%s"', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});
