import type { Clock } from '../../time/clock.ts';
import type { Journal, Replacement } from './journal.ts';

/**
 * Writes a journal anew while it goes on being used: some lines at a time, everything else having its turn between them. What changes meanwhile is
 * appended to the old file, which counts until the end, and is kept for the end of the new one, where it stands behind what it changes.
 */
export class Rewriting {
  readonly #clock: Clock;
  readonly #journal: Journal;
  readonly #chunks: Iterator<string>;
  readonly #onEnd: (isDone: boolean) => void;
  readonly #replacement: Replacement;
  readonly #changes: string[] = [];
  #cancelTurn: () => void = () => {};
  #isOver = false;

  /**
   * @param chunks whole lines, read bit by bit from stores that go on changing
   * @param onEnd called once, unless it is abandoned; `false`: the disk did not take it, and the old file stays
   * @throws what the file system says
   */
  constructor(clock: Clock, journal: Journal, chunks: Iterable<string>, onEnd: (isDone: boolean) => void) {
    this.#clock = clock;
    this.#journal = journal;
    this.#chunks = chunks[Symbol.iterator]();
    this.#onEnd = onEnd;
    this.#replacement = journal.beginReplacement();
    this.#wait();
  }

  /** A line was appended to the old file. */
  changed(line: string): void {
    this.#changes.push(line);
  }

  /** The old file stays. */
  abandon(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelTurn();
    this.#replacement.abandon();
  }

  #wait(): void {
    this.#cancelTurn = this.#clock.setTimer(0, () => this.#attempt(() => this.#goOn()));
  }

  #goOn(): void {
    const { value, done } = this.#chunks.next();
    if (done !== true) {
      this.#replacement.write(value);
      return this.#wait();
    }
    // The bulk goes to the disk without anybody waiting; what is left for `adopt` is small.
    this.#replacement.flush((error) => {
      if (!this.#isOver) this.#attempt(() => this.#finish(error));
    });
  }

  #finish(error: Error | null): void {
    if (error !== null) throw error;
    this.#replacement.write(this.#changes.join(''));
    this.#journal.adopt(this.#replacement);
    this.#isOver = true;
    this.#onEnd(true);
  }

  #attempt(act: () => void): void {
    try {
      act();
    } catch {
      this.abandon();
      this.#onEnd(false);
    }
  }
}
