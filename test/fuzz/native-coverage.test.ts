import { expect, test } from '@jest/globals';

import { parseCoverage } from './native-coverage.ts';

/** As clang 14's libFuzzer writes it. */
const OUTPUT = `
#153	DONE   cov: 234 ft: 400 corp: 66/17Kb exec/s: 0 rss: 29Mb
COVERAGE:
COVERED_FUNC: hits: 48 edges: 39/44 resource_decode /p/firmware/native/resource.c:16
  UNCOVERED_PC: /p/firmware/native/resource.c:29
  UNCOVERED_PC: /p/firmware/native/resource.c:29
COVERED_FUNC: hits: 4 edges: 4/10 compute_hmac_sha256 /p/firmware/native/hmac.c:11
  UNCOVERED_PC: /usr/include/psa/crypto_struct.h:434
  UNCOVERED_PC: /p/firmware/native/hmac.c:21
  UNCOVERED_PC: /p/firmware/native/hmac.c:0
UNCOVERED_FUNC: hits: 0 edges: 0/3 resource_covers /p/firmware/native/resource.c:50
COVERED_FUNC: hits: 66 edges: 19/29 LLVMFuzzerTestOneInput /p/test/fuzz/signer.c:73
`;

test("edges are summed by file; places in headers and in the target itself are not the firmware's", () => {
  expect(parseCoverage(OUTPUT, '/p')).toEqual([
    { file: 'firmware/native/resource.c', reached: 39, of: 47, missed: ['line 29', 'resource_covers, line 50'] },
    { file: 'firmware/native/hmac.c', reached: 4, of: 10, missed: ['line 21'] },
  ]);
});
