import { expect, test } from '@jest/globals';

import { recordEvidence } from '../evidence.ts';
import { framerAndCodec } from '../fuzz/js-framer-codec.ts';
import { fuzzInputs } from '../fuzz/js-fuzz.ts';

/** Every way that the corpus and its neighbours are answered; `npm run fuzz` goes on for minutes. */
const MUST_BE_SEEN = [
  'packet',
  'oversize',
  'large-begun',
  'large-ended',
  'connack',
  'publish',
  'puback',
  'suback',
  'unsuback',
  'pingresp',
  'refused: a PUBLISH has QoS N',
  'refused: a PUBLISH of QoS N has the DUP flag',
  'refused: a packet of type N has flags N, not N',
  'refused: a packet of type N has a remaining length of N',
  'refused: packet type N is never sent to this client',
  'refused: the remaining length of a packet has more than N bytes',
  'refused: a PUBLISH has an empty topic',
  'refused: a PUBLISH has packet id N',
  'refused: the topic of a PUBLISH is longer than the packet',
  'refused: the topic of a PUBLISH has a wildcard or a NUL',
  'refused: the topic of a PUBLISH is empty, or has a wildcard or a NUL',
  'refused: the topic of a PUBLISH is not well-formed UTF-N',
  'refused: text is not well-formed UTF-N',
  'refused: a publish has no packet id above N',
  'refused: an MQTT packet is malformed',
];

test('3,000 mutations of the corpus give the same frames in any chunks, packets that mqtt-packet agrees with, or ERR_PROTOCOL', () => {
  const { inputs, seen } = fuzzInputs(framerAndCodec, { seed: 1, runs: 3_000 });
  expect(inputs).toBe(3_000 + framerAndCodec.corpus().length);
  expect(MUST_BE_SEEN.filter((kind) => !seen.has(kind))).toEqual([]);
  recordEvidence('framer-fuzz-inputs', inputs);
});
