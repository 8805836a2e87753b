/**
 * Makes the corpus of signer.c anew:
 *
 *   npx esbuild --bundle --platform=node --format=esm --packages=external test/fuzz/make-signer-corpus.ts --outfile=.build/make-signer-corpus.mjs && node .build/make-signer-corpus.mjs
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { formatKeyFile } from '../../host-sim/board/key-file.ts';
import { projectPath } from '../../host-sim/board/project-path.ts';

const CORPUS = projectPath('test/fuzz/corpus/signer');
const RESOURCE = 'hub.test/devices/dev1';
const SOON = 1_800_000_000;

/** Keys that are none: the same byte over and over. */
const key = (byte: number, length = 32): string => Buffer.alloc(length, byte).toString('base64');

const keyFile = formatKeyFile([
  { slot: 0, keyBase64: key(1), prefixes: [RESOURCE] },
  { slot: 1, keyBase64: key(2, 64), prefixes: ['0ne000A247E/registrations/dev1', 'hub.test'] },
  { slot: 2, privateKeyBase64: key(3, 100) },
]);

const record = formatKeyFile([{ slot: 0, keyBase64: key(1), prefixes: [RESOURCE] }]).subarray(9);
const slotTwice = Buffer.concat([Buffer.from('LKKEYS1\n\x02'), record, record]);

function input(slot: number, expiry: number, text: string, file: Buffer = keyFile): Buffer {
  const command = Buffer.alloc(9);
  command.writeUInt8(slot, 0);
  command.writeBigInt64LE(BigInt(expiry), 1);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(file.length);
  return Buffer.concat([length, file, command, Buffer.from(text, 'latin1')]);
}

rmSync(CORPUS, { recursive: true, force: true });
mkdirSync(CORPUS, { recursive: true });
for (const [name, bytes] of Object.entries({
  signed: input(0, SOON, RESOURCE),
  encoded: input(0, SOON, encodeURIComponent(RESOURCE)),
  below: input(0, SOON, `${RESOURCE}/modules/m%20`),
  'other-device': input(0, SOON, 'hub.test/devices/dev10'),
  'second-prefix': input(1, SOON, 'HUB.test/devices/x'),
  registration: input(1, SOON, '0ne000A247E%2fregistrations%2fdev1'),
  'private-key': input(2, SOON, RESOURCE),
  'empty-slot': input(3, SOON, RESOURCE),
  'derived-slot': input(8, SOON, RESOURCE),
  'no-slot': input(16, SOON, RESOURCE),
  'far-expiry': input(0, Number.MAX_SAFE_INTEGER, RESOURCE),
  'bad-escape': input(0, SOON, `${RESOURCE}%2`),
  'cut-file': input(0, SOON, RESOURCE, keyFile.subarray(0, 40)),
  'slot-twice': input(0, SOON, RESOURCE, slotTwice), // found by fuzzing: to erase the first uncovered the second
  'no-file': input(0, SOON, RESOURCE, Buffer.alloc(0)),
})) writeFileSync(join(CORPUS, name), bytes);
