interface Task {
  readonly dueMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** Time that stands still until it is told to go on; what is due at the same moment runs in the order it was planned. */
export class FakeTime {
  #nowMs = 0;
  #order = 0;
  readonly #tasks: Task[] = [];

  get nowMs(): number {
    return this.#nowMs;
  }

  /** The moment of the next task; Infinity when none is planned. */
  get nextDueMs(): number {
    return this.#tasks[0]?.dueMs ?? Infinity;
  }

  /** Plans `run`; the result cancels it. */
  after(delayMs: number, run: () => void): () => void {
    const task: Task = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, run };
    let at = this.#tasks.length;
    while (at > 0 && isAfter(this.#tasks[at - 1], task)) at -= 1;
    this.#tasks.splice(at, 0, task);
    return () => {
      const index = this.#tasks.indexOf(task);
      if (index >= 0) this.#tasks.splice(index, 1);
    };
  }

  /** Runs everything that falls due within `durationMs`. */
  advance(durationMs: number): void {
    this.runUntil(() => false, durationMs);
  }

  /** Runs until `holds`, at most `limitMs` long; whether it holds then. */
  runUntil(holds: () => boolean, limitMs: number): boolean {
    const endMs = this.#nowMs + limitMs;
    while (!holds()) {
      const task = this.#tasks[0];
      if (task === undefined || task.dueMs > endMs) {
        this.#nowMs = endMs;
        return holds();
      }
      this.#tasks.shift();
      this.#nowMs = task.dueMs;
      task.run();
    }
    return true;
  }
}

function isAfter(one: Task | undefined, other: Task): boolean {
  return one !== undefined && (one.dueMs > other.dueMs || (one.dueMs === other.dueMs && one.order > other.order));
}
