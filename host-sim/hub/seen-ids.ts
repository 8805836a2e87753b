/** Ids that end in a number are kept as ranges: a run of counted messages then needs a few words, however long it is. */
const COUNTED = /^(.*?)(0|[1-9][0-9]{0,14})$/s;

/** A set of message ids that only grows. */
export class SeenIds {
  readonly #ranges = new Map<string, Ranges>();
  readonly #others = new Set<string>();

  /** @returns whether it is new */
  add(id: string): boolean {
    const match = COUNTED.exec(id);
    if (match === null) {
      const isNew = !this.#others.has(id);
      this.#others.add(id);
      return isNew;
    }
    const [, prefix = '', digits = ''] = match;
    let ranges = this.#ranges.get(prefix);
    if (ranges === undefined) this.#ranges.set(prefix, (ranges = new Ranges()));
    return ranges.add(Number(digits));
  }
}

/** Whole numbers as sorted, disjoint, half-open ranges. */
class Ranges {
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  add(value: number): boolean {
    const at = this.#findAfter(value);
    const isAfterPrevious = at > 0 && this.#ends[at - 1] === value;
    const isBeforeNext = this.#starts[at] === value + 1;
    if (at > 0 && value < (this.#ends[at - 1] as number)) return false;
    if (isAfterPrevious && isBeforeNext) {
      this.#ends[at - 1] = this.#ends[at] as number;
      this.#starts.splice(at, 1);
      this.#ends.splice(at, 1);
    } else if (isAfterPrevious) this.#ends[at - 1] = value + 1;
    else if (isBeforeNext) this.#starts[at] = value;
    else {
      this.#starts.splice(at, 0, value);
      this.#ends.splice(at, 0, value + 1);
    }
    return true;
  }

  /** Index of the first range that starts after `value`; looked for from the end, where counted ids arrive. */
  #findAfter(value: number): number {
    if (this.#starts.length === 0 || value >= (this.#starts.at(-1) as number)) return this.#starts.length;
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#starts[middle] as number) <= value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
