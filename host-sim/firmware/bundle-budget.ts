import { readFileSync } from 'node:fs';

import { projectPath } from '../board/project-path.ts';
import type { ChipBundle, ChipScript } from './chip-bundle.ts';

/** `manifests/bundle-budget.json`: bytes that each script may have. */
export type BundleBudget = Readonly<Record<ChipScript['name'], number>>;

/** How many of the largest sources are named. */
const NAMED_INPUTS = 5;

export function readBudget(): BundleBudget {
  return JSON.parse(readFileSync(projectPath('manifests/bundle-budget.json'), 'utf8')) as BundleBudget;
}

/** One line for each script: its bytes, its budget, its largest sources. */
export function describeBundle({ firmware, main }: ChipBundle, budget: BundleBudget = readBudget()): string[] {
  return [firmware, main].map(({ name, byteCount, inputs }) => {
    const largest = inputs.slice(0, NAMED_INPUTS).map((input) => `${input.path} ${input.byteCount}`).join(', ');
    return `${name}: ${byteCount} of ${budget[name]} bytes; the largest: ${largest}`;
  });
}

/** The lines of the scripts that are over their budget. */
export function overBudget(bundle: ChipBundle, budget: BundleBudget = readBudget()): string[] {
  const lines = describeBundle(bundle, budget);
  return [bundle.firmware, bundle.main].flatMap(({ name, byteCount }, index) => (byteCount > budget[name] ? [lines[index]!] : []));
}
