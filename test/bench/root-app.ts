/// <reference path="../../firmware/ports/types/latchkey.d.ts" />
/// <reference path="../../firmware/ports/types/embedded.d.ts" />
import storage from 'embedded:storage/key-value';
import board from 'latchkey/board';
import * as verifier from 'latchkey/verify';

import { checkBundle } from '../../firmware/agent/roots/check-bundle.ts';

/** What root-rows.ts runs on the board: the agent's own check of one bundle, counted. The report at the end has its C heap. */

const texts = storage.open({ path: 'bench', mode: 'r', format: 'string' });
const blobs = storage.open({ path: 'bench', mode: 'r', format: 'buffer' });
const keys = new Uint8Array(blobs.read('keys') as ArrayBuffer);
const bundle = new Uint8Array(Number(texts.read('length')));
for (let at = 0, piece = 0; at < bundle.length; piece++) {
  const bytes = new Uint8Array(blobs.read(`${piece}`) as ArrayBuffer);
  bundle.set(bytes, at);
  at += bytes.length;
}

const before = board.computeUnits;
const read = checkBundle(bundle, {
  verifier,
  keys: { points: keys, threshold: 2 },
  version: 1,
  digest: undefined,
  hub: 'latchkey-hub.test',
  idScope: undefined,
  deviceId: 'bench-1',
  nowMs: Date.UTC(2026, 10, 22),
  isInner: false,
});
board.print(JSON.stringify({ event: 'counted', version: read?.version, units: (board.computeUnits - before) | 0 }));
board.exit(0);
