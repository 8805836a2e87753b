import { parseArgs } from 'node:util';

import { measureBlocks } from './js-coverage.ts';
import { FuzzFailure, fuzzFramerAndCodec } from './js-framer-codec.ts';

/** `--seconds N --seed N`: fuzzes framer and codec, then says what was seen and which blocks of them were not reached. */
const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string', default: '1' } } });
const seconds = Number(values.seconds);
const seed = Number(values.seed);

try {
  const { result, files } = measureBlocks(import.meta.url, ['firmware/'], () =>
    fuzzFramerAndCodec({ seed, runs: Infinity, untilMs: Date.now() + seconds * 1000 }),
  );
  console.log(`framer and codec: ${result.inputs} inputs in ${seconds} s, seed ${seed}`);
  for (const [kind, count] of [...result.seen].sort()) console.log(`  ${String(count).padStart(9)} ${kind}`);
  for (const { file, blocks, reached, missed } of files) {
    console.log(`  ${file}: ${reached} of ${blocks} blocks reached`);
    for (const line of missed) console.log(`      not: ${line}`);
  }
} catch (error) {
  if (!(error instanceof FuzzFailure)) throw error;
  console.log(`framer and codec: seed ${seed}: ${error.message}`);
  console.log(error.cause);
  process.exitCode = 1;
}
