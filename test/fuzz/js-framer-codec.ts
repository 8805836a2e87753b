import { cutsOf, readCorpus, type ScriptFuzzer } from './js-fuzz.ts';
import { runFramerAndCodec } from './js-framer-oracle.ts';

/** First bytes, lengths around their limits, wildcards, bytes of UTF-8. */
const TELLING = [0x00, 0x01, 0x02, 0x03, 0x20, 0x23, 0x2b, 0x30, 0x32, 0x34, 0x36, 0x3b, 0x40, 0x7f, 0x80, 0x81, 0x90, 0xb0, 0xbf, 0xc3, 0xd0, 0xed, 0xf0, 0xff];

/**
 * Framer and codec. All three cuts must give the same frames and the same ERR_PROTOCOL, no array above the limit may be held, and
 * mqtt-packet on Node must read the same packets.
 */
export const framerAndCodec: ScriptFuzzer = {
  corpus: () => readCorpus('framer'),
  maxInputBytes: 2048,
  telling: TELLING,
  run(input, random, seen) {
    let whole: string | undefined;
    for (const pieces of cutsOf(input, random)) {
      const frames = JSON.stringify(runFramerAndCodec(pieces, whole === undefined ? seen : new Map()));
      whole ??= frames;
      if (frames !== whole) throw new Error('frames depend on the chunks');
    }
  },
};
