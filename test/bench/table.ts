import { holds, type Row, type Unit } from './row.ts';

/** A line of `--json`. */
export function formatJson(row: Row): string {
  return JSON.stringify({ ...row, measured: row.measured ?? null, holds: holds(row) ?? null });
}

const HEADINGS = ['what', 'budget', 'measured', 'Node SDK', 'holds'] as const;
const NOTE_INDENT = '    ';

/** The table for people: one line a row, its note below it. */
export function formatTable(rows: readonly Row[]): string {
  const cells = rows.map(cellsOf);
  const widths = HEADINGS.map((heading, column) => Math.max(heading.length, ...cells.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => (column === 0 || column === HEADINGS.length - 1 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join('  ').trimEnd();
  const body = rows.flatMap((row, index) => [line(cells[index]!), ...(row.note === undefined ? [] : [`${NOTE_INDENT}${row.note}`])]);
  return [line(HEADINGS), line(widths.map((width) => '-'.repeat(width))), ...body].join('\n');
}

function cellsOf(row: Row): readonly string[] {
  const verdict = holds(row);
  return [
    row.what,
    formatBudget(row),
    row.measured === undefined ? 'unknown' : formatFigure(row.measured, row.unit),
    row.sdk === undefined ? '–' : formatFigure(row.sdk, row.unit),
    verdict === undefined ? '–' : verdict ? 'yes' : 'MISSED',
  ];
}

function formatBudget({ budget, unit, isFirstFigure = false }: Row): string {
  if (budget === undefined) return 'own figure';
  const text = 'most' in budget ? `≤ ${formatFigure(budget.most, unit)}` : `≥ ${formatFigure(budget.least, unit)}`;
  return isFirstFigure ? `${text} (first)` : text;
}

/** Thousands by comma; a tenth only where it says something. */
function formatFigure(figure: number, unit: Unit): string {
  const digits = unit === 'ms' && figure < 100 && !Number.isInteger(figure) ? 1 : 0;
  const text = figure.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  if (unit === 'percent') return `${text} %`;
  return unit === 'times' || unit === 'messages' ? text : `${text} ${unit === 'per second' ? '/s' : unit}`;
}
