import { EventEmitter } from 'node:events';

/** What rhea takes for the client's socket: the gate puts checked frames in, and what rhea writes goes out at the other side. */
export class RheaSocket extends EventEmitter {
  readonly #write: (bytes: Buffer) => void;
  readonly #end: () => void;
  #isEnded = false;

  constructor(write: (bytes: Buffer) => void, end: () => void) {
    super();
    this.#write = write;
    this.#end = end;
  }

  /** Bytes for rhea, whole frames only. */
  deliver(bytes: Buffer): void {
    if (!this.#isEnded) this.emit('data', bytes);
  }

  /** The client is gone: rhea forgets its timers. */
  finish(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.emit('end');
  }

  write(bytes: Buffer): boolean {
    if (!this.#isEnded) this.#write(bytes);
    return true;
  }

  end(): void {
    this.#end();
  }

  destroy(): void {
    this.#end();
  }

  /** What rhea calls the connection in its log. */
  get_id_string(): string {
    return 'hub';
  }
}
