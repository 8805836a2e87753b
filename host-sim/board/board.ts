import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Duplex, Readable } from 'node:stream';

import { formatCreation, readCreation } from './creation.ts';
import type { Creation } from './creation.ts';
import { DriverChannel } from './driver-channel.ts';

export interface BoardOptions {
  /** The program, from `buildBoard`. */
  readonly program: string;
  /** The two scripts, from `buildFirmware`. */
  readonly preload: string;
  readonly main: string;
  /** Folder of the device: flash, settings and keys. Made when absent. */
  readonly device: string;
  /** Default: the creation block of `manifests/manifest.json`. */
  readonly creation?: Creation;
  /** Makes `board.random()` the same sequence each time. Default: from the system. */
  readonly seed?: number;
  /** Name to dotted IPv4 address, asked before the system's resolver. */
  readonly hosts?: Readonly<Record<string, string>>;
  /** Cuts the power at the n-th flash write (counted from 1); the board then exits with `EXIT_POWER_CUT`. */
  readonly cut?: { readonly at: number; readonly seed: number };
  /** Writes a memory dump there at exit. */
  readonly dump?: string;
  /** Called with each chunk of stderr. */
  readonly onTalk?: (text: string) => void;
}

export interface RealBoardOptions extends BoardOptions {
  /** The wall clock at start; default the system's. */
  readonly wallMs?: number;
  /** Called for every line of stdout. */
  readonly onLine?: (line: BoardLine) => void;
}

/** A stdout line: an object, most often with an `event`. */
export type BoardLine = Readonly<Record<string, unknown>> & { readonly event?: unknown };

/** Heap figures, after one garbage collection. Those that count come from the 32-bit program. */
export interface BoardReport {
  readonly event: 'report';
  readonly bits: 32 | 64;
  /** Of the firmware's machine: slots in use, bytes of one slot, bytes of chunks in use, and both together. */
  readonly slots: number;
  readonly slotBytes: number;
  readonly chunkBytes: number;
  readonly heapBytes: number;
  /** High-water marks since the start or the report before, garbage included. */
  readonly peakSlots: number;
  readonly peakChunkBytes: number;
  readonly peakHeapBytes: number;
  /** What the machine took for slots and chunks; it gives nothing back. */
  readonly reservedBytes: number;
  /** Deepest use of the XS stack, in slots. */
  readonly stackPeak: number;
  /** Property names that the machine added to those in flash; they are never given back. */
  readonly keys: number;
  /** Flash objects that were written to and so have a copy in RAM. */
  readonly aliases: number;
  readonly garbageCollections: number;
  /** C heap of TLS and the natives; `null` in the `asan` variant. */
  readonly cHeapBytes: number | null;
  /** Since the start or the report before. */
  readonly cHeapPeakBytes: number | null;
  /** Units so far, natives charged; 32-bit, wraps. */
  readonly computeUnits: number;
}

export interface BoardExit {
  /** `null` when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The end of stderr. */
  readonly talk: string;
}

/** Exit code of a board whose power was cut by `BoardOptions.cut`. */
export const EXIT_POWER_CUT = 90;
/** Exit code of a board on which C or XS itself wrote to flash; what JavaScript tries throws. */
export const EXIT_FLASH_WRITE = 91;

/** A board that runs in real time. */
export interface Board {
  readonly pid: number;
  /** Settles once the process is gone and its output read. */
  readonly exited: Promise<BoardExit>;
  /** Asks the firmware to stop; kills the process after `limitMs` (default 5000). */
  stop(limitMs?: number): Promise<BoardExit>;
  /** @throws Error when the board ends before it answers. */
  report(): Promise<BoardReport>;
}

/** A board whose time and sockets come from a driver. */
export interface DrivenBoard {
  readonly pid: number;
  readonly channel: DriverChannel;
  readonly exited: Promise<BoardExit>;
  /** Ends the process at once. */
  kill(): void;
}

const DEFAULT_STOP_LIMIT_MS = 5000;
/** How much of stderr `BoardExit.talk` keeps. */
const TALK_TAIL_CHARACTERS = 8192;

/** Starts a board in real time, with real sockets. */
export function startBoard(options: RealBoardOptions): Board {
  const args = programArguments(options);
  if (options.wallMs !== undefined) args.push('--wall', String(options.wallMs));
  const child = spawn(options.program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const reportWaiters: ((report: BoardReport) => void)[] = [];
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (text) => {
    const line = parseBoardLine(text);
    if (isReport(line)) for (const waiter of reportWaiters.splice(0)) waiter(line);
    options.onLine?.(line);
  });
  const linesRead = new Promise<void>((resolve) => lines.once('close', resolve));
  const exited = watchExit(child, child.stderr, options.onTalk).then(async (exit) => {
    await linesRead;
    return exit;
  });

  return {
    pid: pidOf(child),
    exited,
    async stop(limitMs = DEFAULT_STOP_LIMIT_MS) {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
      try {
        return await exited;
      } finally {
        clearTimeout(timer);
      }
    },
    report() {
      return new Promise((resolve, reject) => {
        reportWaiters.push(resolve);
        child.kill('SIGUSR1');
        exited.then(({ code, talk }) => reject(new Error(`the board ended (code ${code}) before its report\n${talk}`)), reject);
      });
    },
  };
}

/** Starts a board that waits for `start` and `run` frames on its channel. */
export function startDrivenBoard(options: BoardOptions): DrivenBoard {
  const args = [...programArguments(options), '--driver-fd', '3'];
  const child = spawn(options.program, args, { stdio: ['ignore', 'ignore', 'pipe', 'pipe'] });
  const channel = new DriverChannel(child.stdio[3] as Duplex);
  const exited = watchExit(child, child.stderr as Readable, options.onTalk);
  return { pid: pidOf(child), channel, exited, kill: () => void child.kill('SIGKILL') };
}

/** A line that is no JSON object becomes `{ event: 'unreadable', text }`: what firmware prints must not end the host. */
export function parseBoardLine(text: string): BoardLine {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as BoardLine;
  } catch {
    // Said below.
  }
  return { event: 'unreadable', text };
}

export function isReport(line: BoardLine): line is BoardLine & BoardReport {
  return line.event === 'report';
}

function programArguments(options: BoardOptions): string[] {
  const { preload, main, device, creation = readCreation(), seed, hosts = {}, cut, dump } = options;
  const args = ['--preload', preload, '--main', main, '--device', device, '--creation', formatCreation(creation)];
  if (seed !== undefined) args.push('--seed', String(seed));
  for (const [name, address] of Object.entries(hosts)) args.push('--hosts', `${name}=${address}`);
  if (cut !== undefined) args.push('--cut-at', String(cut.at), '--cut-seed', String(cut.seed));
  if (dump !== undefined) args.push('--dump', dump);
  return args;
}

function watchExit(child: ChildProcess, stderr: Readable, onTalk?: (text: string) => void): Promise<BoardExit> {
  let talk = '';
  stderr.setEncoding('utf8');
  stderr.on('data', (text: string) => {
    talk = (talk + text).slice(-TALK_TAIL_CHARACTERS);
    onTalk?.(text);
  });
  const exited = new Promise<BoardExit>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, talk }));
  });
  exited.catch(() => {}); // pidOf throws too
  return exited;
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error('the board did not start: is the program there?');
  return child.pid;
}
