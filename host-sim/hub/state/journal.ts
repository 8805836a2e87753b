import * as nodeFs from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** The calls that write a state file; a test puts a full disk here. */
export type StateFileSystem = Pick<
  typeof nodeFs,
  'openSync' | 'writeSync' | 'fsyncSync' | 'fsync' | 'ftruncateSync' | 'closeSync' | 'renameSync' | 'unlinkSync' | 'realpathSync' | 'readdirSync'
>;

/** What stands behind the name of a file that is being written: the process's id before it. */
const TEMPORARY = '.new';
const LEFTOVER = /^\d+\.new$/;

/** A file that lines are appended to, or that is replaced as a whole. What `append` has written survives the end of this process, however it comes. */
export class Journal {
  readonly #path: string;
  readonly #fs: StateFileSystem;
  #fd: number | undefined;
  #bytes = 0;

  /** @param path a link stays a link: what it points to is written */
  constructor(path: string, fs: StateFileSystem = nodeFs) {
    this.#fs = fs;
    this.#path = resolveLink(path, fs);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Puts a new file, mode 0600 from its first byte on, in place of the old one, in one step. @throws what the file system says; the old file is then untouched */
  replace(chunks: Iterable<string>): void {
    const replacement = this.beginReplacement();
    try {
      for (const chunk of chunks) replacement.write(chunk);
      this.adopt(replacement);
    } catch (error) {
      replacement.abandon();
      throw error;
    }
  }

  /** Begins a new file beside this one, which stays as it is and can be appended to. @throws what the file system says */
  beginReplacement(): Replacement {
    return new Replacement(`${this.#path}.${process.pid}${TEMPORARY}`, this.#fs);
  }

  /** Puts a new file in place of this one. @throws what the file system says; the old file is then untouched, and the new one to be abandoned */
  adopt(replacement: Replacement): void {
    const { fd, bytes } = replacement;
    this.#fs.fsyncSync(fd);
    this.#fs.renameSync(replacement.path, this.#path);
    flushFolder(dirname(this.#path), this.#fs);
    this.close();
    this.#fd = fd;
    this.#bytes = bytes;
  }

  /** Removes what a process that was killed has left half written. */
  removeLeftovers(): void {
    const folder = dirname(this.#path);
    const name = `${basename(this.#path)}.`;
    ignoreFailure(() => {
      for (const each of this.#fs.readdirSync(folder)) {
        if (each.startsWith(name) && LEFTOVER.test(each.slice(name.length))) ignoreFailure(() => this.#fs.unlinkSync(join(folder, each)));
      }
    });
  }

  /** @throws what the file system says; the file then ends where it did before */
  append(text: string): void {
    const fd = this.#fd;
    if (fd === undefined) throw new Error('the journal is closed');
    try {
      this.#bytes += writeWhole(this.#fs, fd, Buffer.from(text), this.#bytes);
    } catch (error) {
      // A part of a line would hide those behind it.
      ignoreFailure(() => this.#fs.ftruncateSync(fd, this.#bytes));
      throw error;
    }
  }

  /** Brings to the disk what was written, without waiting. */
  flush(done: (error: NodeJS.ErrnoException | null) => void): void {
    const fd = this.#fd;
    // A file that was replaced meanwhile has nothing to say.
    if (fd !== undefined) this.#fs.fsync(fd, (error) => done(fd === this.#fd ? error : null));
  }

  close(): void {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd === undefined) return;
    ignoreFailure(() => this.#fs.fsyncSync(fd));
    ignoreFailure(() => this.#fs.closeSync(fd));
  }
}

/** A new file that is to take the place of a journal. */
export class Replacement {
  readonly path: string;
  readonly fd: number;
  readonly #fs: StateFileSystem;
  #bytes = 0;

  /** @throws what the file system says */
  constructor(path: string, fs: StateFileSystem) {
    this.path = path;
    this.#fs = fs;
    this.fd = fs.openSync(path, 'w', 0o600);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @throws what the file system says */
  write(text: string): void {
    this.#bytes += writeWhole(this.#fs, this.fd, Buffer.from(text), this.#bytes);
  }

  /** Brings to the disk what was written, without waiting. */
  flush(done: (error: NodeJS.ErrnoException | null) => void): void {
    this.#fs.fsync(this.fd, done);
  }

  abandon(): void {
    ignoreFailure(() => this.#fs.closeSync(this.fd));
    ignoreFailure(() => this.#fs.unlinkSync(this.path));
  }
}

function writeWhole(fs: StateFileSystem, fd: number, bytes: Buffer, at: number): number {
  for (let written = 0; written < bytes.length; ) written += fs.writeSync(fd, bytes, written, bytes.length - written, at + written);
  return bytes.length;
}

function resolveLink(path: string, fs: StateFileSystem): string {
  try {
    return fs.realpathSync(path);
  } catch {
    return path;
  }
}

/** The new name must survive a power cut too; not every file system flushes a folder. */
function flushFolder(folder: string, fs: StateFileSystem): void {
  ignoreFailure(() => {
    const fd = fs.openSync(folder, 'r');
    try {
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  });
}

function ignoreFailure(action: () => void): void {
  try {
    action();
  } catch {
    // What failed before is what is reported.
  }
}
