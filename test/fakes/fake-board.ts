import { Duplex } from 'node:stream';
import type { BoardFrame, HostFrame } from '../../host-sim/board/driver-frames.ts';
import type { BoardChannel } from '../../host-sim/time/lockstep-board.ts';
import { settle } from '../../host-sim/time/settle.ts';

/** What a program on a fake board can do. */
export interface FakeBoardApi {
  readonly nowMs: number;
  readonly wallMs: number;
  print(text: string): void;
  setTimer(delayMs: number, callback: () => void): void;
  /** A TCP connection as a stream; `error` when it fails. */
  connect(address: string, port: number): Duplex;
  sendDatagram(address: string, port: number, bytes: Uint8Array, onAnswer: (bytes: Uint8Array) => void): void;
  resolve(name: string, onResolved: (address: string) => void): void;
  exit(): void;
}

/** A board that speaks the driver's frames but runs a function of the test in this process instead of firmware. */
export class FakeBoard implements BoardChannel {
  onFrame: (frame: BoardFrame) => void = () => {};
  onClose: (error?: Error) => void = () => {};
  /** Called when the driver asks the firmware to stop. */
  onStop: () => void = () => {};

  readonly #program: (api: FakeBoardApi) => void;
  readonly #sockets = new Map<number, Duplex>();
  readonly #datagramAnswers = new Map<number, (bytes: Uint8Array) => void>();
  readonly #resolutions = new Map<number, (address: string) => void>();
  #timers: { readonly dueMs: number; readonly callback: () => void }[] = [];
  #events: (() => void)[] = [];
  #hasStarted = false;
  #wallMs = 0;
  #nowMs = 0;
  #nextId = 1;
  #movement = 0;

  constructor(program: (api: FakeBoardApi) => void) {
    this.#program = program;
  }

  send(frame: HostFrame): void {
    switch (frame.type) {
      case 'start':
        this.#wallMs = frame.wallMs;
        return;
      case 'run':
        this.#nowMs = frame.nowMs;
        return void this.#run();
      case 'stop':
        return void this.#events.push(() => this.onStop());
      case 'tcp-connected':
        return void this.#events.push(() => this.#sockets.get(frame.id)?.emit('connect'));
      case 'tcp-data':
        return void this.#events.push(() => this.#sockets.get(frame.id)?.push(Buffer.from(frame.bytes)));
      case 'tcp-closed':
        return void this.#events.push(() => this.#sockets.get(frame.id)?.push(null));
      case 'tcp-failed':
        return void this.#events.push(() => this.#sockets.get(frame.id)?.destroy(new Error('tcp-failed')));
      case 'udp-data':
        return void this.#events.push(() => this.#datagramAnswers.get(frame.id)?.(frame.bytes));
      case 'resolved':
        return void this.#events.push(() => this.#resolutions.get(frame.id)?.(frame.address));
      default:
        throw new Error(`the fake board does not do "${frame.type}"`);
    }
  }

  async #run(): Promise<void> {
    if (!this.#hasStarted) this.#events.push(() => this.#program(this.#api()));
    this.#hasStarted = true;
    for (;;) {
      for (const event of this.#events.splice(0)) event();
      await settle(() => this.#movement);
      const due = this.#timers.filter(({ dueMs }) => dueMs <= this.#nowMs);
      if (due.length === 0) break;
      this.#timers = this.#timers.filter(({ dueMs }) => dueMs > this.#nowMs);
      for (const { callback } of due) callback();
    }
    this.onFrame({ type: 'idle', wakeAtMs: Math.min(Infinity, ...this.#timers.map(({ dueMs }) => dueMs)) });
  }

  #send(frame: BoardFrame): void {
    this.#movement++;
    this.onFrame(frame);
  }

  #api(): FakeBoardApi {
    const board = this;
    return {
      get nowMs() {
        return board.#nowMs;
      },
      get wallMs() {
        return board.#wallMs + board.#nowMs;
      },
      print: (text) => board.#send({ type: 'line', text }),
      setTimer: (delayMs, callback) => void board.#timers.push({ dueMs: board.#nowMs + delayMs, callback }),
      connect: (address, port) => board.#connect(address, port),
      sendDatagram(address, port, bytes, onAnswer) {
        const id = board.#nextId++;
        board.#datagramAnswers.set(id, onAnswer);
        board.#send({ type: 'udp-send', id, address, port, bytes });
      },
      resolve(name, onResolved) {
        const id = board.#nextId++;
        board.#resolutions.set(id, onResolved);
        board.#send({ type: 'resolve', id, name });
      },
      exit: () => board.onClose(),
    };
  }

  #connect(address: string, port: number): Duplex {
    const id = this.#nextId++;
    const socket = new Duplex({
      allowHalfOpen: false,
      read: () => {},
      write: (chunk: Buffer, _encoding, callback) => {
        this.#send({ type: 'tcp-write', id, bytes: chunk });
        callback();
      },
      destroy: (error, callback) => {
        this.#sockets.delete(id);
        this.#send({ type: 'tcp-close', id });
        callback(error);
      },
    });
    this.#sockets.set(id, socket);
    this.#send({ type: 'tcp-open', id, address, port });
    return socket;
  }
}
