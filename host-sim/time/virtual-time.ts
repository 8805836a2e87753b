import type { BoardFrame } from '../board/driver-frames.ts';
import type { Cable } from './cable.ts';
import { LockstepBoard, type BoardChannel } from './lockstep-board.ts';
import { settle } from './settle.ts';
import type { VirtualClock } from './virtual-clock.ts';
import type { BoardSockets, VirtualNetwork } from './virtual-network.ts';

/** Rounds at one moment after which something is taken to wake itself for ever. */
const MAX_ROUNDS_AT_ONE_MOMENT = 10_000;

/** What a board is to be given besides its channel. */
export interface DrivenBoardOptions {
  /** A line of the board's stdout. */
  readonly onLine?: (text: string) => void;
  /** The board ended; `error` when it broke the protocol of the channel. */
  readonly onClosed?: (error: Error | undefined) => void;
  /** What the board's clock shows at monotonic 0, when it is not the right time. */
  readonly wallMs?: number;
  /** Its network cable; one that is never pulled, when not given. */
  readonly cable?: Cable;
  /** Any other frame that is neither line nor network, the answer to `dump`. */
  readonly onFrame?: (frame: BoardFrame) => void;
}

/** A board under the driver. */
export interface BoardHandle {
  /** Asks the firmware to stop, at the present moment. */
  stop(): void;
  readonly isClosed: boolean;
}

interface Seat extends DrivenBoardOptions {
  readonly board: LockstepBoard;
  readonly sockets: BoardSockets;
}

/**
 * The driver of virtual time. Time jumps to the smallest wake-up of clock and boards, and only when every board has answered that it
 * is idle, the hub's side is quiet (see settle.ts) and no byte is due. Boards work at the same time, but what they sent is taken in
 * the order in which they were added: the same seed gives the same run.
 */
export class VirtualTime {
  readonly #clock: VirtualClock;
  readonly #network: VirtualNetwork;
  readonly #seats: Seat[] = [];
  #foreignMovement = 0;

  constructor(clock: VirtualClock, network: VirtualNetwork) {
    this.#clock = clock;
    this.#network = network;
  }

  /** Puts a board that waits for its `start` under this driver. */
  addBoard(channel: BoardChannel, options: DrivenBoardOptions = {}): BoardHandle {
    const board = new LockstepBoard(channel, options.wallMs ?? this.#clock.now() - this.#clock.monotonicMs());
    const sockets = this.#network.attach((frame) => board.post(frame), options.cable);
    const seat: Seat = { ...options, board, sockets };
    board.onStray = (frame) => this.#take(seat, frame);
    this.#seats.push(seat);
    return {
      stop: () => board.post({ type: 'stop' }),
      get isClosed() {
        return board.isClosed;
      },
    };
  }

  /** To be called by whatever moves in this process and is neither the clock nor the network: its turns are waited for. */
  readonly moved = (): void => {
    this.#foreignMovement++;
  };

  /**
   * Runs until `isFinished` says so (asked whenever time is about to jump) or until nothing can happen any more.
   *
   * @returns whether `isFinished` ended it
   */
  async run(isFinished: () => boolean): Promise<boolean> {
    await settle(this.#movement);
    for (;;) {
      await this.#finishMoment();
      if (isFinished()) return true;
      const nextMs = this.#nextWakeUpMs();
      if (nextMs === Infinity) return false;
      this.#clock.jumpTo(Math.max(nextMs, this.#clock.monotonicMs()));
    }
  }

  /** Everything that happens without time passing. */
  async #finishMoment(): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    for (let round = 0; round < MAX_ROUNDS_AT_ONE_MOMENT; round++) {
      const boardsRan = await this.#runBoards(nowMs);
      if (this.#clock.fireDue()) await settle(this.#movement);
      else if (!boardsRan) return;
    }
    throw new Error(`time stands still at ${nowMs} ms: something wakes itself again and again without a delay`);
  }

  async #runBoards(nowMs: number): Promise<boolean> {
    for (const seat of this.#seats.filter(({ board }) => board.isClosed)) this.#removeBoard(seat);
    const ready = this.#seats.filter((seat) => seat.board.needsTurn(nowMs));
    if (ready.length === 0) return false;
    const turns = await Promise.all(ready.map(async (seat) => ({ seat, frames: await seat.board.takeTurn(nowMs) })));
    for (const { seat, frames } of turns) {
      for (const frame of frames) this.#take(seat, frame);
    }
    return true;
  }

  #take(seat: Seat, frame: BoardFrame): void {
    if (frame.type === 'line') return void seat.onLine?.(frame.text);
    seat.sockets.handle(frame);
    seat.onFrame?.(frame);
  }

  #removeBoard(seat: Seat): void {
    this.#seats.splice(this.#seats.indexOf(seat), 1);
    seat.sockets.close();
    seat.onClosed?.(seat.board.failure);
  }

  #nextWakeUpMs(): number {
    return Math.min(this.#clock.nextDueMs(), ...this.#seats.map((seat) => seat.board.wakeAtMs));
  }

  readonly #movement = (): number => this.#network.movement + this.#clock.timersSet + this.#foreignMovement;
}
