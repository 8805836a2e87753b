import { readdirSync } from 'node:fs';

import { projectPath } from '../../host-sim/board/project-path.ts';

/** A C function `LLVMFuzzerTestOneInput`, linked with parts of firmware/native under clang's sanitizers. */
export interface NativeTarget {
  readonly kind: 'native';
  readonly name: string;
  readonly what: string;
  /** C files from the project's root, the target's own first. */
  readonly sources: readonly string[];
  /** Functions of the C library that the target replaces. */
  readonly wraps: readonly string[];
  /** Longest input, in bytes. */
  readonly maxBytes: number;
  /** Folder with one input a file: bytes, or hexadecimal text when the name ends in `.hex`. */
  readonly corpus: string;
}

/** JavaScript of the firmware, run in Node. */
export interface ScriptTarget {
  readonly kind: 'script';
  readonly name: string;
  readonly what: string;
}

export type FuzzTarget = NativeTarget | ScriptTarget;

export const FUZZ_TARGETS: readonly FuzzTarget[] = [
  {
    kind: 'native',
    name: 'tls',
    what: 'TLS input (firmware/native/tls.c)',
    sources: ['test/fuzz/tls-input.c', ...nativeSources((name) => name.startsWith('tls') || name === 'byte-queue.c')],
    wraps: [],
    maxBytes: 20_000,
    corpus: 'test/fuzz/corpus/tls',
  },
  {
    kind: 'native',
    name: 'signer',
    what: 'signer (firmware/native/signer.c)',
    sources: ['test/fuzz/signer-input.c', ...nativeSources((name) => ['signer.c', 'resource.c', 'hmac.c'].includes(name))],
    wraps: [],
    maxBytes: 4096,
    corpus: 'test/fuzz/corpus/signer',
  },
  { kind: 'script', name: 'framer', what: 'framer and codec (firmware/agent/mqtt, firmware/codecs)' },
];

/** Without the JavaScript faces. */
function nativeSources(isWanted: (name: string) => boolean): string[] {
  return readdirSync(projectPath('firmware/native'))
    .filter((name) => name.endsWith('.c') && !name.endsWith('-xs.c') && isWanted(name))
    .map((name) => `firmware/native/${name}`);
}
