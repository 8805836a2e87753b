/** The network cable of one board. While it is pulled nothing reaches anybody, and no name resolves. */
export class Cable {
  readonly #onPull = new Set<() => void>();
  #isPlugged = true;

  get isPlugged(): boolean {
    return this.#isPlugged;
  }

  /** Breaks what is open. */
  pull(): void {
    this.#isPlugged = false;
    for (const listener of this.#onPull) listener();
  }

  plug(): void {
    this.#isPlugged = true;
  }

  /** Called at every pull. */
  onPull(listener: () => void): void {
    this.#onPull.add(listener);
  }
}
