/** What a figure counts; says how it is written. */
export type Unit = 'ms' | 'units' | 'bytes' | 'per second' | 'times' | 'messages' | 'percent';

/** One row of the table. `--json` prints it as it is. */
export interface Row {
  /** Stable name, for programs that read `--json`. */
  readonly row: string;
  readonly what: string;
  readonly unit: Unit;
  /** The figure may be no higher (`most`) or no lower (`least`); absent: a figure of our own without a budget. */
  readonly budget?: { readonly most: number } | { readonly least: number };
  /** Where the budget comes from, when it is not docs/architecture.md: the first figure that was measured. */
  readonly isFirstFigure?: boolean;
  /** `undefined`: unknown here, `note` says why. */
  readonly measured: number | undefined;
  /** The unmodified Node SDK in the same place of the same run. */
  readonly sdk?: number | undefined;
  /** How the figure came about. */
  readonly note?: string;
}

/** Whether the budget holds; `undefined` when there is none, or no figure. */
export function holds({ budget, measured }: Row): boolean | undefined {
  if (budget === undefined || measured === undefined) return undefined;
  return 'most' in budget ? measured <= budget.most : measured >= budget.least;
}
