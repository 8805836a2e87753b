/** The budgets of docs/architecture.md, one name each. Change one only there and here together. */
export const BUDGETS = {
  oldClosedBeforeNew: 0,
  /** Longest time between two acknowledged messages at a renewal, by one-way delay. */
  gapMs: { 50: 260, 150: 670 },
  lost: 0,
  duplicated: 0,
  /** CONNECTs in `REFUSAL_WATCH_MS` after a refused renewal, the refused one counted. */
  connectsAfterRefusal: 3,
  tokenUnits: 20_000,
  messageUnits: 12_000,
  connectedHeapBytes: 64 * 1024,
  heapGrowthBytes: 0,
  /** Beside the bundle's own bytes. */
  rootUpdateHeapBytes: 16 * 1024,
  secondStartMs: 3000,
  keyTraces: 0,
  /** Messages a second at the hub simulator, which authorizes and stamps each, of what aedes does in the same run. */
  messagesOfAedesPercent: 50,
} as const;

/** How long CONNECTs are counted after a refused renewal. */
export const REFUSAL_WATCH_MS = 15_000;
/** Of the messages that are due while the old token holds, at least this part must arrive: the link is never idle for long. */
export const TELEMETRY_PART_AFTER_REFUSAL = 0.95;

/** One-way delays of the renewal rows. */
export const DELAYS_MS = [50, 150] as const;
