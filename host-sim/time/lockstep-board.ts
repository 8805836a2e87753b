import type { BoardFrame, HostFrame } from '../board/driver-frames.ts';

/** What the driver needs of a board's channel; `DriverChannel` is one. */
export interface BoardChannel {
  onFrame: (frame: BoardFrame) => void;
  onClose: (error?: Error) => void;
  send(frame: HostFrame): void;
}

/** A driven board that takes turns: it gets a batch of events and the time, and answers with what it did once it is idle. */
export class LockstepBoard {
  /** Called for frames that come outside of a turn: answers to `report` and `dump`. */
  onStray: (frame: BoardFrame) => void = () => {};

  readonly #channel: BoardChannel;
  readonly #inbox: HostFrame[] = [];
  #frames: BoardFrame[] = [];
  #endTurn: (() => void) | undefined;
  /** The first turn is due at once: it runs the firmware's main script. */
  #wakeAtMs = 0;
  #isClosed = false;
  #failure: Error | undefined;

  constructor(channel: BoardChannel, wallMs: number) {
    this.#channel = channel;
    channel.onFrame = (frame) => this.#receive(frame);
    channel.onClose = (error) => this.#close(error);
    channel.send({ type: 'start', wallMs });
  }

  /** When the board wants its next turn; +Infinity when nothing but an event can wake it, or when it is gone. */
  get wakeAtMs(): number {
    return this.#isClosed ? Infinity : this.#wakeAtMs;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Why the channel closed, when it was not an orderly end. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Keeps an event for the next turn. */
  post(frame: HostFrame): void {
    if (!this.#isClosed) this.#inbox.push(frame);
  }

  needsTurn(nowMs: number): boolean {
    return !this.#isClosed && (this.#inbox.length > 0 || this.#wakeAtMs <= nowMs);
  }

  /** Hands over the kept events, and returns the frames that the board sent until it was idle, or gone. */
  async takeTurn(nowMs: number): Promise<readonly BoardFrame[]> {
    if (this.#endTurn !== undefined) throw new Error('the board is still in its turn');
    for (const frame of this.#inbox.splice(0)) this.#channel.send(frame);
    const ended = new Promise<void>((resolve) => {
      this.#endTurn = resolve;
    });
    this.#channel.send({ type: 'run', nowMs });
    if (this.#isClosed) this.#finishTurn();
    await ended;
    const frames = this.#frames;
    this.#frames = [];
    return frames;
  }

  #receive(frame: BoardFrame): void {
    if (this.#endTurn === undefined) return this.onStray(frame);
    if (frame.type !== 'idle') return void this.#frames.push(frame);
    this.#wakeAtMs = frame.wakeAtMs;
    this.#finishTurn();
  }

  #close(error: Error | undefined): void {
    this.#isClosed = true;
    this.#failure = error;
    this.#finishTurn();
  }

  #finishTurn(): void {
    this.#endTurn?.();
    this.#endTurn = undefined;
  }
}
