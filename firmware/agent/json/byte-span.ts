const NOTHING = new Uint8Array(0);
/** What most names and values need. */
const FIRST_BUFFER_BYTES = 64;

/**
 * Bytes that begin in one piece of a stream and end in it or a later one. They are copied only where a piece ends between, into a
 * buffer that grows to the limit and is used again.
 */
export class ByteSpan {
  /** Once finished, what was spanned is `bytes` from `start` to `end`. Valid until the next `begin`, and as long as the piece. */
  bytes: Uint8Array = NOTHING;
  start = 0;
  end = 0;

  #isOpen = false;
  #maxBytes = 0;
  #buffer: Uint8Array = NOTHING;
  /** Bytes in the buffer; -1 once there were more than the limit. */
  #held = 0;

  begin(mark: number, maxBytes: number): void {
    this.#isOpen = true;
    this.#maxBytes = maxBytes;
    this.#held = 0;
    this.start = mark;
  }

  /** `piece` is used up: what of it belongs here is copied. */
  carry(piece: Uint8Array): void {
    if (!this.#isOpen) return;
    this.#copy(piece, piece.length);
    this.start = 0;
  }

  /** Returns whether the span is within its limit. */
  finish(piece: Uint8Array, mark: number): boolean {
    this.#isOpen = false;
    if (this.#held === 0) {
      this.bytes = piece;
      this.end = mark;
      return mark - this.start <= this.#maxBytes;
    }
    this.#copy(piece, mark);
    this.bytes = this.#buffer;
    this.start = 0;
    this.end = this.#held;
    return this.#held >= 0;
  }

  #copy(piece: Uint8Array, end: number): void {
    if (this.#held < 0 || this.start === end) return;
    const length = this.#held + end - this.start;
    if (length > this.#maxBytes) {
      this.#held = -1;
      return;
    }
    if (length > this.#buffer.length) this.#grow(length);
    this.#buffer.set(piece.subarray(this.start, end), this.#held);
    this.#held = length;
  }

  #grow(length: number): void {
    let size = Math.max(this.#buffer.length, FIRST_BUFFER_BYTES);
    while (size < length) size *= 2;
    const grown = new Uint8Array(Math.min(size, Math.max(this.#maxBytes, length)));
    grown.set(this.#buffer.subarray(0, this.#held));
    this.#buffer = grown;
  }
}
