import { expect, test } from '@jest/globals';

import { recordEvidence } from '../../evidence.ts';
import { fuzzInputs } from '../../fuzz/js-fuzz.ts';
import { jsonScanners } from '../../fuzz/js-json.ts';

/** Every way that the corpus and its neighbours are answered; `npm run fuzz` goes on for minutes. */
const MUST_BE_SEEN = [
  ...['read', 'ERR_JSON_SYNTAX', 'ERR_JSON_UTF8', 'ERR_JSON_SURROGATE', 'ERR_JSON_TRUNCATED', 'ERR_JSON_DEPTH', 'ERR_JSON_MEMBERS', 'ERR_JSON_NUMBER', 'ERR_JSON_NAME', 'ERR_JSON_NAMES'].map((kind) => `value ${kind}`),
  ...['read', 'ERR_JSON_SYNTAX', 'ERR_JSON_UTF8', 'ERR_JSON_SURROGATE', 'ERR_JSON_TRUNCATED', 'ERR_JSON_DEPTH', 'ERR_TWIN_FORM', 'ERR_TWIN_VERSION', 'read but for ERR_JSON_SIZE'].map((kind) => `answer ${kind}`),
  ...['read', 'ERR_JSON_SYNTAX', 'ERR_TWIN_FORM', 'ERR_TWIN_VERSION', 'read but for ERR_JSON_NAME'].map((kind) => `patch ${kind}`),
];

test('6,000 mutations of the corpus are read or refused as by Node, give the same in any pieces, and cost no name where they are refused', () => {
  const { inputs, seen } = fuzzInputs(jsonScanners, { seed: 1, runs: 6_000 });
  expect(inputs).toBe(6_000 + jsonScanners.corpus().length);
  expect(MUST_BE_SEEN.filter((kind) => !seen.has(kind))).toEqual([]);
  recordEvidence('json-fuzz-inputs', inputs);
});
