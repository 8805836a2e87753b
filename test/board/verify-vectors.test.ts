import { readFileSync } from 'node:fs';

import { expect, test } from '@jest/globals';

import { projectPath } from '../../host-sim/board/project-path.ts';
import { recordEvidence } from '../evidence.ts';
import { useBoard } from '../fakes/board-fixture.ts';

/** ECDSA P-256 with r and s, 64 bytes (RFC 7518 3.4), as Wycheproof has it. */
interface Vectors {
  readonly numberOfTests: number;
  readonly testGroups: readonly {
    readonly publicKey: { readonly uncompressed: string };
    readonly tests: readonly { readonly tcId: number; readonly msg: string; readonly sig: string; readonly result: 'valid' | 'invalid' }[];
  }[];
}

const VECTORS_PER_BOARD = 64;

const { testGroups, numberOfTests } = JSON.parse(readFileSync(projectPath('test/vectors/wycheproof-ecdsa_secp256r1_sha256_p1363_test.json'), 'utf8')) as Vectors;
const vectors = testGroups.flatMap(({ publicKey, tests }) => tests.map(({ tcId, msg, sig, result }) => ({ id: tcId, key: publicKey.uncompressed.slice(2), msg, sig, valid: result === 'valid' })));

const board = useBoard('32-bit');

test('every Wycheproof vector of ECDSA P-256 with SHA-256 gives its stated result on the board', async () => {
  const found = new Map<number, boolean>();
  for (let from = 0; from < vectors.length; from += VECTORS_PER_BOARD) {
    const some = vectors.slice(from, from + VECTORS_PER_BOARD).map(({ id, key, msg, sig }) => [id, key, msg, sig]);
    const { lines, exit } = await board.run(`
      const { verifyEs256 } = hostModules["latchkey/verify"];
      const hex = (text) => Uint8Array.from({ length: text.length / 2 }, (_, i) => parseInt(text.slice(2 * i, 2 * i + 2), 16));
      for (const [id, key, msg, sig] of ${JSON.stringify(some)}) print({ event: "vector", id, valid: verifyEs256(hex(key), hex(msg), hex(sig)) });
      board.exit(0);
    `);
    expect(exit).toMatchObject({ code: 0 });
    for (const { id, valid } of lines) found.set(Number(id), valid === true);
  }
  expect(vectors.filter(({ id, valid }) => found.get(id) !== valid)).toEqual([]);
  expect(found.size).toBe(numberOfTests);
  recordEvidence('wycheproof-ecdsa-board', found.size);
});
