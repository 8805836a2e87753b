/** `npm run evidence`: for each criterion of the issues the expected count and the count that ran in the last `npm test`. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const rows = JSON.parse(readFileSync(new URL('./evidence.json', import.meta.url), 'utf8'));
const folder = new URL('../.build/evidence/', import.meta.url);
const known = new Set(rows.map(({ row }) => row));
const json = process.argv.includes('--json');

let missing = 0;
if (!json) console.log(`${'criterion'.padEnd(64)}${'expected'.padStart(10)}${'ran'.padStart(10)}`);
for (const { row, criterion, expected } of rows) {
  const file = new URL(`${row}.json`, folder);
  const ran = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).count : undefined;
  const holds = ran !== undefined && ran >= expected;
  if (!holds) missing += 1;
  if (json) console.log(JSON.stringify({ row, criterion, expected, ran: ran ?? null, holds }));
  else console.log(`${criterion.padEnd(64)}${String(expected).padStart(10)}${String(ran ?? 'missing').padStart(10)}${holds ? '' : '  SHORT'}`);
}
const strays = existsSync(folder)
  ? readdirSync(fileURLToPath(folder)).filter((name) => name.endsWith('.json') && !known.has(name.slice(0, -5)))
  : [];
for (const name of strays) console.error(`evidence: ${name} is in no row of test/evidence.json`);
if (missing > 0) console.error(`evidence: ${missing} of ${rows.length} rows missing or short; run npm test first`);
process.exitCode = missing > 0 || strays.length > 0 ? 1 : 0;
