import * as nodeFs from 'node:fs';
import type { Clock } from '../../time/clock.ts';
import { HubError } from '../hub-error.ts';
import type { Durable, DurableRecord } from './durable.ts';
import { takeLock } from './file-lock.ts';
import { Journal, type StateFileSystem } from './journal.ts';
import { formatLine, HEADER, parseLines } from './record-lines.ts';
import { Rewriting } from './rewriting.ts';
import { isVersion1, migrateVersion1 } from './version-1.ts';

/** The file is written anew when it is so many times as long as when that was done last, and not before it has so many bytes. */
const COMPACT_FACTOR = 4;
const COMPACT_BYTES = 1024 * 1024;

/** A kill loses nothing, for the kernel has every record; a power cut loses this much at most. */
const FLUSH_AFTER_MS = 1_000;

/** How often a file that could not be written is tried again. */
const RETRY_AFTER_MS = 5_000;

export interface StateFileOptions {
  readonly clock: Clock;
  /** Hears of a file that can no longer be written, and of its next success. */
  readonly onSaved?: (error: HubError | undefined) => void;
  readonly fs?: StateFileSystem;
}

/**
 * What a hub keeps over its end: a journal of records. Every record is in the file before the call that changed its store
 * returns, hence before a client hears of it. One process at a time has a file.
 */
export class StateFile {
  readonly path: string;
  /** What of the file's end was not whole, and is gone: a write that a power cut or a kill interrupted. */
  readonly droppedBytes: number;
  readonly #options: StateFileOptions;
  readonly #journal: Journal;
  readonly #unlock: () => void;
  #loaded: ReadonlyMap<string, unknown>;
  #durables: readonly Durable[] = [];
  #stopListening: readonly (() => void)[] = [];
  #compactedBytes = 0;
  #rewriting: Rewriting | undefined;
  #isFailing = false;
  #cancelFlush: (() => void) | undefined;
  #cancelRetry: () => void = () => {};

  /** Reads the file; there may be none yet. @throws ERR_STATE_FILE */
  constructor(path: string, options: StateFileOptions) {
    this.path = path;
    this.#options = options;
    this.#unlock = takeLock(path);
    try {
      const { records, droppedBytes } = load(path, options.clock.now());
      this.#loaded = records;
      this.droppedBytes = droppedBytes;
    } catch (error) {
      this.#unlock();
      throw error;
    }
    this.#journal = new Journal(path, options.fs);
    this.#journal.removeLeftovers();
  }

  /** What was kept of the store with this prefix. */
  *recordsOf(prefix: string): Iterable<DurableRecord> {
    for (const [key, value] of this.#loaded) {
      if (key.startsWith(`${prefix}/`)) yield [key, value];
    }
  }

  /**
   * Writes these stores now, so that a disk that is full is told before anything starts, and every change of them from now on.
   * @throws ERR_STATE_WRITE; ERR_STATE_FILE when the file holds records of a store that is not among them
   */
  keep(durables: readonly Durable[]): void {
    for (const key of this.#loaded.keys()) {
      if (!durables.some(({ prefix }) => key.startsWith(`${prefix}/`))) {
        throw new HubError('ERR_STATE_FILE', `${this.path} holds ${JSON.stringify(key.slice(0, key.indexOf('/')))} records, which this hub does not know`, 'use the version of Latchkey that wrote the file, or move the file away');
      }
    }
    this.#loaded = new Map();
    this.#durables = durables;
    try {
      this.#compact();
    } catch (cause) {
      throw explainWriteError(cause as NodeJS.ErrnoException, this.path);
    }
    this.#stopListening = durables.map((durable) => durable.onRecord((key, value) => this.#append(key, value)));
  }

  /** Flushes the file and gives it free. */
  close(): void {
    for (const stop of this.#stopListening) stop();
    this.#cancelRetry();
    this.#cancelFlush?.();
    this.#endRewriting();
    if (this.#isFailing) this.#try(() => this.#compact());
    this.#journal.close();
    this.#unlock();
  }

  #append(key: string, value: unknown): void {
    // What could not be written is not in the file: only the whole of the stores makes it true again.
    if (this.#isFailing) return;
    this.#try(() => {
      const line = formatLine(key, value);
      this.#journal.append(line);
      this.#rewriting?.changed(line);
      this.#flushSoon();
      if (this.#rewriting === undefined && this.#journal.bytes > Math.max(COMPACT_BYTES, COMPACT_FACTOR * this.#compactedBytes)) this.#rewrite();
    });
  }

  /** Before anything runs, and when what is in the file is not the truth any more. */
  #compact(): void {
    this.#endRewriting();
    this.#journal.replace(formatAll(this.#durables));
    this.#compactedBytes = this.#journal.bytes;
  }

  #rewrite(): void {
    try {
      this.#rewriting = new Rewriting(this.#options.clock, this.#journal, formatAll(this.#durables), (isDone) => this.#rewritten(isDone));
    } catch {
      this.#rewritten(false);
    }
  }

  #rewritten(isDone: boolean): void {
    this.#rewriting = undefined;
    // Without room for a second file the first one goes on growing, and is tried again at twice its size.
    this.#compactedBytes = isDone ? this.#journal.bytes : (2 * this.#journal.bytes) / COMPACT_FACTOR;
  }

  #endRewriting(): void {
    this.#rewriting?.abandon();
    this.#rewriting = undefined;
  }

  #flushSoon(): void {
    this.#cancelFlush ??= this.#options.clock.setTimer(FLUSH_AFTER_MS, () => {
      this.#cancelFlush = undefined;
      this.#journal.flush((error) => {
        if (error !== null) this.#fail(error);
      });
    });
  }

  #try(write: () => void): void {
    try {
      write();
      if (this.#isFailing) this.#options.onSaved?.(undefined);
      this.#isFailing = false;
    } catch (error) {
      this.#fail(error as NodeJS.ErrnoException);
    }
  }

  #fail(cause: NodeJS.ErrnoException): void {
    if (!this.#isFailing) this.#options.onSaved?.(explainWriteError(cause, this.path));
    this.#isFailing = true;
    this.#endRewriting();
    this.#cancelRetry();
    this.#cancelRetry = this.#options.clock.setTimer(RETRY_AFTER_MS, () => this.#try(() => this.#compact()));
  }
}

/** Some lines at a time: not a write for each, and not more than a few milliseconds' work; a twin may have 300 KB. */
const LINES_A_CHUNK = 256;
const CHARACTERS_A_CHUNK = 256 * 1024;

function* formatAll(durables: readonly Durable[]): Iterable<string> {
  let lines = [HEADER];
  let characters = 0;
  for (const durable of durables) {
    for (const [key, value] of durable.records()) {
      const line = formatLine(key, value);
      characters += line.length;
      if (lines.push(line) < LINES_A_CHUNK && characters < CHARACTERS_A_CHUNK) continue;
      yield lines.join('');
      lines = [];
      characters = 0;
    }
  }
  yield lines.join('');
}

/** @throws ERR_STATE_FILE; the message holds no key */
function load(path: string, nowMs: number): { readonly records: ReadonlyMap<string, unknown>; readonly droppedBytes: number } {
  const bytes = read(path);
  if (bytes === undefined) return { records: new Map(), droppedBytes: 0 };
  const header = Buffer.from(HEADER);
  if (!bytes.subarray(0, header.length).equals(header)) {
    const text = bytes.toString();
    if (isVersion1(text)) return { records: migrateVersion1(text, path, nowMs), droppedBytes: 0 };
    throw new HubError('ERR_STATE_FILE', `${path} is no state file of this hub`, 'move the file away to start with an empty hub, or give another --state');
  }
  const { records, wholeBytes, brokenLine } = parseLines(bytes.subarray(header.length));
  if (brokenLine !== undefined) {
    throw new HubError('ERR_STATE_FILE', `${path} is damaged at line ${brokenLine}, and whole lines follow it`, `restore a copy of the file, or move it away to start with an empty hub; without line ${brokenLine} it can be read, but that record is then lost`);
  }
  return { records, droppedBytes: bytes.length - header.length - wholeBytes };
}

/** @returns `undefined` when there is no such file */
function read(path: string): Buffer | undefined {
  try {
    // A device or a pipe has no end, or no beginning that could be replaced.
    if (!nodeFs.statSync(path).isFile()) throw Object.assign(new Error('not a file'), { code: 'not a file' });
    return nodeFs.readFileSync(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new HubError('ERR_STATE_FILE', `cannot read ${path}: ${(cause as NodeJS.ErrnoException).code}`, 'check the path and its rights', { cause });
  }
}

function explainWriteError(cause: NodeJS.ErrnoException, path: string): HubError {
  const isFull = cause.code === 'ENOSPC' || cause.code === 'EDQUOT' || cause.code === 'EFBIG';
  const remedy = isFull ? 'free some space; what is on the disk is the state of before' : 'check the folder and its rights; what is on the disk is the state of before';
  return new HubError('ERR_STATE_WRITE', `cannot save ${path}: ${isFull ? 'the disk is full' : (cause.code ?? cause.message)}`, remedy, { cause });
}
