/** What must be done to mqtt-packet and tweetnacl-util so that they run on XS; `codec-plugin.ts` does it with esbuild. */

/** What the packages import, and the file in `firmware/codecs` that stands in for it. */
export const SHIMS: Readonly<Record<string, string>> = {
  buffer: 'shims/buffer.cjs',
  bl: 'shims/bl.cjs',
  events: 'shims/events.cjs',
  debug: 'shims/debug.cjs',
  'process-nextick-args': 'shims/process-nextick-args.cjs',
  // A module of mqtt-packet itself.
  './numbers': 'shims/numbers.cjs',
  'latchkey:base64-buffer': 'shims/base64-buffer.cjs',
};

/** A change to the source of a package. */
export interface Amendment {
  /** Inside `node_modules`. */
  readonly file: string;
  /** Global; must match `count` times, else the package is not the one that this was written for. */
  readonly find: RegExp;
  readonly count: number;
  readonly replace: string;
}

/** A line that does nothing but write debug output: a third of the parser's compute units goes into preparing it. */
const DEBUG_LINE = /^ *debug\(.*\)$/gm;

export const AMENDMENTS: readonly Amendment[] = [
  {
    // A cache with an entry for every remaining length that was ever sent. Preloaded it lies in flash; what is added to
    // it lies in RAM and never leaves, some 150 bytes for each length.
    file: 'mqtt-packet/writeToStream.js',
    find: /^ *if \(num < 16384\) varByteIntCache\[num\] = buffer$/gm,
    count: 1,
    replace: '',
  },
  { file: 'mqtt-packet/writeToStream.js', find: DEBUG_LINE, count: 12, replace: '' },
  { file: 'mqtt-packet/parser.js', find: DEBUG_LINE, count: 46, replace: '' },
  {
    // The package looks for the globals `atob` and `Buffer` as it loads; XS has neither.
    file: 'tweetnacl-util/nacl-util.js',
    find: /^\/\/ Public domain\.$/gm,
    count: 1,
    replace: "var Buffer = require('latchkey:base64-buffer').Buffer, atob;",
  },
];
