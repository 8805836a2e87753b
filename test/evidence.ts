import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../.build/evidence/', import.meta.url));

/**
 * Records that `count` cases of a criterion ran and held; call it after their last assertion. `npm run evidence` compares
 * the record with test/evidence.json.
 * @param row a row of test/evidence.json
 */
export function recordEvidence(row: string, count: number): void {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, `${row}.json`), JSON.stringify({ row, count }));
}
