import { readFileSync } from 'node:fs';

import { expect, test } from '@jest/globals';

import { projectPath } from '../../host-sim/board/project-path.ts';
import { recordEvidence } from '../evidence.ts';
import { SignerHarness } from './signer-harness.ts';

interface MacVectors {
  readonly numberOfTests: number;
  readonly testGroups: readonly {
    readonly tagSize: number;
    readonly tests: readonly { readonly tcId: number; readonly key: string; readonly msg: string; readonly tag: string; readonly result: 'valid' | 'invalid' }[];
  }[];
}

/** Source: test/vectors/README.md. */
const vectors = JSON.parse(readFileSync(projectPath('test/vectors/wycheproof-hmac_sha256_test.json'), 'utf8')) as MacVectors;

test('every HMAC-SHA256 vector of Wycheproof comes out as it says', async () => {
  const harness = await SignerHarness.start('unused');
  let count = 0;
  const wrong: number[] = [];
  try {
    for (const { tagSize, tests } of vectors.testGroups) {
      for (const { tcId, key, msg, tag, result } of tests) {
        const { hex } = await harness.hmac(key, msg);
        const same = hex?.slice(0, tagSize / 4) === tag;
        if (same !== (result === 'valid')) wrong.push(tcId);
        count++;
      }
    }
  } finally {
    await harness.close();
  }
  expect(wrong).toEqual([]);
  expect(count).toBe(vectors.numberOfTests);
  recordEvidence('wycheproof-hmac', count);
});
