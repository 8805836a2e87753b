import * as nodeFs from 'node:fs';
import { dirname } from 'node:path';

/** The calls that write a state file; a test puts a full disk here. */
export type StateFileSystem = Pick<
  typeof nodeFs,
  'openSync' | 'writeSync' | 'fsyncSync' | 'fsync' | 'ftruncateSync' | 'closeSync' | 'renameSync' | 'unlinkSync' | 'realpathSync'
>;

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
    const temporary = `${this.#path}.${process.pid}.new`;
    let fd: number | undefined;
    let bytes = 0;
    try {
      fd = this.#fs.openSync(temporary, 'w', 0o600);
      for (const chunk of chunks) bytes += this.#write(fd, Buffer.from(chunk));
      this.#fs.fsyncSync(fd);
      this.#fs.renameSync(temporary, this.#path);
    } catch (error) {
      if (fd !== undefined) ignoreFailure(() => this.#fs.closeSync(fd as number));
      ignoreFailure(() => this.#fs.unlinkSync(temporary));
      throw error;
    }
    flushFolder(dirname(this.#path), this.#fs);
    this.close();
    this.#fd = fd;
    this.#bytes = bytes;
  }

  /** @throws what the file system says; the file then ends where it did before */
  append(text: string): void {
    const fd = this.#fd;
    if (fd === undefined) throw new Error('the journal is closed');
    try {
      this.#bytes += this.#write(fd, Buffer.from(text));
    } catch (error) {
      // A part of a line would hide those behind it.
      ignoreFailure(() => this.#fs.ftruncateSync(fd, this.#bytes));
      throw error;
    }
  }

  /** Brings to the disk what was written, without waiting. */
  flush(done: (error: NodeJS.ErrnoException | null) => void): void {
    if (this.#fd !== undefined) this.#fs.fsync(this.#fd, done);
  }

  close(): void {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd === undefined) return;
    ignoreFailure(() => this.#fs.fsyncSync(fd));
    ignoreFailure(() => this.#fs.closeSync(fd));
  }

  #write(fd: number, bytes: Buffer): number {
    for (let written = 0; written < bytes.length; ) {
      const position = fd === this.#fd ? this.#bytes + written : null;
      written += this.#fs.writeSync(fd, bytes, written, bytes.length - written, position);
    }
    return bytes.length;
  }
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
