import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { runCommand } from '../../host-sim/board/run-command.ts';
import { SetupError } from '../../host-sim/debian-packages.mjs';

const PROBE = `#include <stddef.h>
#include <stdint.h>
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return data == NULL && size > 0; }
`;

/** @throws SetupError with the one line to type, when there is no clang or it comes without libFuzzer */
export async function checkClang(): Promise<void> {
  const { code, output: version } = await runCommand('clang', ['-dumpversion']);
  if (code !== 0) {
    throw new SetupError('fuzzing the C code needs clang with libFuzzer, and there is no clang', 'type: sudo apt-get update && sudo apt-get install -y clang llvm');
  }
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-fuzz-'));
  try {
    const source = join(folder, 'probe.c');
    writeFileSync(source, PROBE);
    if ((await runCommand('clang', ['-fsanitize=fuzzer,address,undefined', source, '-o', join(folder, 'probe')])).code === 0) return;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const major = version.trim().split('.')[0] ?? '';
  throw new SetupError('clang comes without libFuzzer here', `type: sudo apt-get update && sudo apt-get install -y libclang-rt-${major}-dev`);
}
