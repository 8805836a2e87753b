import type { Row } from './row.ts';

/**
 * Figures without a budget from elsewhere: the first that was measured is the budget from then on ("no growth"). They are counted,
 * not timed, and measured on the 32-bit board with Debian 12's Mbed TLS 2.28.3; lower one here when it gets better.
 */
const FIRST_FIGURES: Readonly<Record<string, number>> = {
  'c-heap-one': 39_908,
  'c-heap-two': 78_784,
  'c-heap-peak': 83_232,
  'c-heap-closed': 1032,
  'heap-peak': 85_548,
  'scanner-twin-units': 23_706,
  'scanner-twin-heap': 3080,
  'scanner-method-units': 21_984,
  'scanner-report-units': 7026,
  'desired-units': 11_959,
  'target-units': 30_917,
  'method-units': 15_388,
  'message-in-units': 8593,
  'stack-thermostat': 6288,
  'roots-units': 2_461_264,
  'roots-c-heap': 4732,
  'roots-stack': 6848,
};

/** Another version of the library, or certificates of other lengths, take some bytes more. */
const TOLERANCE_PART = 0.02;

/** What to put into a row; a row that is not listed yet has no budget. */
export function firstFigure(row: string): Pick<Row, 'budget' | 'isFirstFigure'> {
  const first = FIRST_FIGURES[row];
  return first === undefined ? {} : { budget: { most: Math.ceil(first * (1 + TOLERANCE_PART)) }, isFirstFigure: true };
}
