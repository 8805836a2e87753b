import type { Clock } from './clock.ts';

interface Timer {
  readonly dueMs: number;
  /** Timers due at the same moment fire in the order in which they were set. */
  readonly order: number;
  callback: (() => void) | undefined;
}

const isBefore = (a: Timer, b: Timer): boolean => a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);

/** A clock that stands still until it is told to jump. Its timers are a binary heap; cancelled ones are dropped when they surface. */
export class VirtualClock implements Clock {
  readonly #startWallMs: number;
  readonly #heap: Timer[] = [];
  #nowMs = 0;
  #timersSet = 0;

  /** @param startWallMs milliseconds since 1970 at monotonic 0 */
  constructor(startWallMs: number) {
    this.#startWallMs = startWallMs;
  }

  now(): number {
    return this.#startWallMs + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  /** How many timers were ever set: a sign of activity for `settle`. */
  get timersSet(): number {
    return this.#timersSet;
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    if (Number.isNaN(delayMs)) throw new RangeError('delayMs is not a number');
    const timer: Timer = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#timersSet++, callback };
    this.#push(timer);
    return () => {
      timer.callback = undefined;
    };
  }

  /** When the next timer is due, +Infinity when there is none. */
  nextDueMs(): number {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      if (first.callback !== undefined) return first.dueMs;
      this.#pop();
    }
    return Infinity;
  }

  /** @throws RangeError when a timer would be jumped over, or time would go back */
  jumpTo(nowMs: number): void {
    if (nowMs < this.#nowMs) throw new RangeError(`time would go back from ${this.#nowMs} ms to ${nowMs} ms`);
    if (nowMs > this.nextDueMs()) throw new RangeError(`${nowMs} ms is after the timer due at ${this.nextDueMs()} ms`);
    this.#nowMs = nowMs;
  }

  /** Fires what is due now, without the timers that this sets; false when nothing is. */
  fireDue(): boolean {
    const setBefore = this.#timersSet;
    let anyFired = false;
    while (this.nextDueMs() <= this.#nowMs && (this.#heap[0] as Timer).order < setBefore) {
      const timer = this.#pop();
      const callback = timer.callback;
      timer.callback = undefined;
      callback?.();
      anyFired = true;
    }
    return anyFired;
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let index = heap.push(timer) - 1;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex] as Timer;
      if (isBefore(parent, timer)) break;
      heap[index] = parent;
      heap[parentIndex] = timer;
      index = parentIndex;
    }
  }

  #pop(): Timer {
    const heap = this.#heap;
    const first = heap[0] as Timer;
    const last = heap.pop() as Timer;
    if (first === last) return first;
    let index = 0;
    for (;;) {
      let childIndex = 2 * index + 1;
      const left = heap[childIndex];
      if (left === undefined) break;
      const right = heap[childIndex + 1];
      if (right !== undefined && isBefore(right, left)) childIndex++;
      const child = heap[childIndex] as Timer;
      if (!isBefore(child, last)) break;
      heap[index] = child;
      index = childIndex;
    }
    heap[index] = last;
    return first;
  }
}
