import type { Style } from '../terminal/cli-context.ts';

/** All that flashing tells. */
export type FlashEvent =
  | { readonly event: 'board'; readonly port: string; readonly chip: string; readonly mac?: string | undefined }
  | { readonly event: 'plan'; readonly file: string; readonly from: number; readonly to: number }
  | { readonly event: 'erased'; readonly partition: string; readonly from: number; readonly to: number }
  | { readonly event: 'progress'; readonly file: string; readonly percent: number }
  | { readonly event: 'verified'; readonly files: number; readonly byteCount: number }
  /** A whole flash was written to a file; the lines that start an emulated chip with it. */
  | { readonly event: 'merged'; readonly file: string; readonly files: number; readonly next?: readonly string[] | undefined }
  /** A line of the board's log, as it came. */
  | { readonly event: 'log'; readonly line: string }
  | { readonly event: 'online'; readonly afterMs: number };

/** A line for a person; undefined: it shows in another way. */
export function describeFlashEvent(event: FlashEvent, style: Style): string | undefined {
  switch (event.event) {
    case 'board': return `board ${event.mac ?? ''} at ${event.port}: ${event.chip}`;
    case 'plan': return `write ${hex(event.from)}-${hex(event.to)}  ${event.file}`;
    case 'erased': return `erased ${hex(event.from)}-${hex(event.to)}  ${event.partition}`;
    case 'progress': return `${String(event.percent).padStart(3)} %  ${event.file}`;
    case 'verified': return `${event.files} files, ${event.byteCount} bytes: the chip has compared their digests`;
    case 'merged': return [`${event.files} files merged into ${event.file}`, ...(event.next === undefined ? [] : ['next:', ...event.next.map((line) => `  ${line}`)])].join('\n');
    case 'log': return style.dim(`  ${printable(event.line)}`);
    case 'online': return style.green(`online after ${(event.afterMs / 1000).toFixed(1)} s`);
  }
}

/** A board, or noise on its line, does not steer the terminal. */
function printable(line: string): string {
  return [...line].map((character) => (character < ' ' || (character >= '\u007f' && character <= '\u009f') ? '\ufffd' : character)).join('');
}

const hex = (address: number): string => `0x${address.toString(16).padStart(6, '0')}`;
