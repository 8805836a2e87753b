/**
 * Feature × client, as the last whole `npm test` found it (`.build/jest.json`). Without an argument: fails when the table in the README
 * says anything else; `--write` puts it there; `--print` prints it; `--report FILE` reads another report of jest's.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CLIENTS, FEATURES } from './features.mjs';

const BEGIN = '<!-- feature table: node test/feature-table.mjs --write -->';
const END = '<!-- end of the feature table -->';
const README = new URL('../README.md', import.meta.url);
const REPORT = fileURLToPath(new URL('../.build/jest.json', import.meta.url));

process.exitCode = main(process.argv.slice(2));

/** @param {readonly string[]} args */
function main(args) {
  const results = readResults(args.includes('--report') ? (args[args.indexOf('--report') + 1] ?? '') : REPORT);
  if (results === undefined) return fail('there is no report of a run: npm test makes it');
  const { table, faults, passed } = buildTable(results);
  if (args.includes('--print')) console.log(table);
  for (const fault of faults) console.error(`features: ${fault}`);
  if (faults.length > 0) return 1;
  const readme = readFileSync(README, 'utf8');
  const [from, to] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (from < 0 || to < from) return fail(`the README has no place for the table: two lines,\n  ${BEGIN}\n  ${END}`);
  const block = `${BEGIN}\n\n${table}\n\n`;
  const isSame = readme.slice(from, to) === block;
  if (args.includes('--write')) {
    if (!isSame) writeFileSync(README, readme.slice(0, from) + block + readme.slice(to));
    return 0;
  }
  if (!isSame && !args.includes('--print')) return fail('the table in the README is not what the run found: node test/feature-table.mjs --write');
  if (!args.includes('--report')) recordCells(passed);
  console.error(`features: ${passed} cells pass, as the README says`);
  return 0;
}

/** For `npm run evidence`. @param {number} count */
function recordCells(count) {
  const folder = new URL('../.build/evidence/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL('feature-cells.json', folder), JSON.stringify({ row: 'feature-cells', count }));
}

/** @param {string} text */
function fail(text) {
  console.error(`features: ${text}`);
  return 1;
}

/** Each test's status by file. @param {string} path @returns {Map<string, { readonly title: string, readonly status: string }[]> | undefined} */
function readResults(path) {
  let report;
  try {
    report = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
  return new Map(report.testResults.map((/** @type {any} */ file) => [
    basename(file.name, '.test.ts'),
    file.assertionResults.map((/** @type {any} */ each) => ({ title: each.fullName, status: each.status })),
  ]));
}

/** @param {Map<string, { readonly title: string, readonly status: string }[]>} results */
function buildTable(results) {
  /** @type {string[]} */
  const faults = [];
  let passed = 0;
  const rows = FEATURES.map(({ feature, cells }) => {
    if (cells.length !== CLIENTS.length) faults.push(`"${feature}" has ${cells.length} cells for ${CLIENTS.length} clients`);
    const texts = cells.map((cell) => {
      if (typeof cell === 'string') return cell;
      const [file, name] = cell;
      const found = (results.get(file) ?? []).filter(({ title }) => title.includes(name));
      if (found.length > 0 && found.every(({ status }) => status === 'passed')) {
        passed += 1;
        return 'passes';
      }
      faults.push(`"${feature}": ${found.length === 0 ? `the run has no test "${name}" in ${file}` : `"${found.find(({ status }) => status !== 'passed')?.title}" did not pass`}`);
      return '**fails**';
    });
    return `| ${feature} | ${texts.join(' | ')} |`;
  });
  const table = [`| | ${CLIENTS.join(' | ')} |`, `|---|${CLIENTS.map(() => '---|').join('')}`, ...rows].join('\n');
  return { table, faults, passed };
}
