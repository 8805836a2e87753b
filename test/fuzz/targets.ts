import { nativeTargets, type NativeTarget } from './native-targets.ts';

/** JavaScript of the firmware, run in Node by script-process.ts. */
export interface ScriptTarget {
  readonly name: 'framer-codec' | 'json';
}

export type FuzzTarget =
  /** `LLVMFuzzerTestOneInput` over firmware/native, by libFuzzer under AddressSanitizer and UndefinedBehaviorSanitizer. */
  | { readonly kind: 'native'; readonly name: string; readonly native: NativeTarget }
  | ({ readonly kind: 'script' } & ScriptTarget);

export const FUZZ_TARGETS: readonly FuzzTarget[] = [
  ...nativeTargets.map((native) => ({ kind: 'native' as const, name: native.name, native })),
  { kind: 'script', name: 'framer-codec' },
  { kind: 'script', name: 'json' },
];
