/** Milliseconds of each unit that a duration may carry. */
const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

type Unit = keyof typeof UNIT_MS;

const isUnit = (text: string): text is Unit => Object.hasOwn(UNIT_MS, text);

/**
 * The milliseconds of a duration such as `50ms`, `1.5s`, `20m`, `1h` or `365d`.
 *
 * @throws RangeError that says what was expected; a bare number is asked back with its likely unit
 */
export function parseDurationMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([a-z]*)$/i.exec(text.trim());
  if (match === null) throw new RangeError(`expected a duration such as 30s, 50ms or 1h, got "${text}"`);
  const [, number = '', unit = ''] = match;
  if (unit === '') throw new RangeError(`"${text}" has no unit, did you mean "${number}s"?`);
  const lowerCaseUnit = unit.toLowerCase();
  if (!isUnit(unit)) {
    const hint = isUnit(lowerCaseUnit) ? `did you mean "${number}${lowerCaseUnit}"?` : `use ${Object.keys(UNIT_MS).join(', ')}`;
    throw new RangeError(`"${unit}" is no unit of time, ${hint}`);
  }
  const durationMs = Math.round(Number(number) * UNIT_MS[unit] * 1000) / 1000;
  if (!Number.isFinite(durationMs) || durationMs > Number.MAX_SAFE_INTEGER) throw new RangeError(`"${text}" is too long`);
  return durationMs;
}

/** The shortest exact text in one unit, two units where that reads better: `50ms`, `12.3s`, `2m 5s`, `1h 30m`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)}ms`;
  if (durationMs < 60_000) return `${Number((durationMs / 1000).toFixed(1))}s`;
  const [big, small]: [Unit, Unit] = durationMs < UNIT_MS.h ? ['m', 's'] : durationMs < UNIT_MS.d ? ['h', 'm'] : ['d', 'h'];
  const total = Math.round(durationMs / UNIT_MS[small]);
  const perBig = UNIT_MS[big] / UNIT_MS[small];
  const rest = total % perBig;
  return rest === 0 ? `${total / perBig}${big}` : `${Math.floor(total / perBig)}${big} ${rest}${small}`;
}
