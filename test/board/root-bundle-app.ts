/// <reference path="../../firmware/ports/types/latchkey.d.ts" />
/// <reference path="../../firmware/ports/types/embedded.d.ts" />
import storage from 'embedded:storage/key-value';
import board from 'latchkey/board';
import * as verifier from 'latchkey/verify';

import { checkBundle } from '../../firmware/agent/roots/check-bundle.ts';

/**
 * What root-bundle.test.ts runs on the board: each case is a bundle in pieces (`{case}.{piece}`), the answer its code. Then `mutations` random
 * changes of the first one, of which none may be accepted.
 */

const texts = storage.open({ path: 'cases', mode: 'r', format: 'string' });
const blobs = storage.open({ path: 'cases', mode: 'r', format: 'buffer' });
const keys = new Uint8Array(blobs.read('keys') as ArrayBuffer);
const digest = new Uint8Array(blobs.read('digest') as ArrayBuffer);
const number = (key: string): number => Number(texts.read(key));

function bundleOf(name: string): Uint8Array {
  const whole = new Uint8Array(number(`${name}.n`));
  for (let at = 0, piece = 0; at < whole.length; piece++) {
    const bytes = new Uint8Array(blobs.read(`${name}.${piece}`) as ArrayBuffer);
    whole.set(bytes, at);
    at += bytes.length;
  }
  return whole;
}

function outcomeOf(bundle: Uint8Array, options: string): string {
  try {
    const read = checkBundle(bundle, {
      verifier,
      keys: { points: keys, threshold: 2 },
      version: 4,
      digest,
      hub: 'Latchkey-Hub.test',
      idScope: '0ne00000001',
      deviceId: 'therm-7-b',
      nowMs: options.includes('untimed') ? undefined : Date.UTC(2026, 10, 22),
      isInner: options.includes('inner'),
    });
    return read === undefined ? 'stored' : `version ${read.version}`;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
}

for (let index = 0; index < number('count'); index++) {
  board.print(JSON.stringify({ event: 'case', index, outcome: outcomeOf(bundleOf(String(index)), String(texts.read(`${index}.o`))) }));
}

let seed = 7;
function below(limit: number): number {
  seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
  return Math.floor((seed / 0x80000000) * limit);
}

const good = bundleOf('0');
const codes: Record<string, number> = {};
for (let left = number('mutations'); left > 0; ) {
  const mutated = good.slice(0, below(8) === 0 ? below(good.length) : good.length);
  for (let changes = 1 + below(3); changes > 0 && mutated.length > 0; changes--) {
    const at = below(mutated.length);
    mutated[at] = below(2) === 0 ? 0x20 + below(0x5f) : (mutated[at] ?? 0) ^ (1 << below(8));
  }
  let isSame = mutated.length === good.length;
  for (let i = 0; isSame && i < good.length; i++) isSame = mutated[i] === good[i];
  if (isSame) continue;
  left -= 1;
  const outcome = outcomeOf(mutated, '');
  codes[outcome] = (codes[outcome] ?? 0) + 1;
}
board.print(JSON.stringify({ event: 'mutations', codes }));
board.exit(0);
