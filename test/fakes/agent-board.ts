import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { isReport, parseBoardLine, startDrivenBoard, type BoardExit, type BoardLine, type BoardReport, type DrivenBoard } from '../../host-sim/board/board.ts';
import { buildBoard, type BoardVariant } from '../../host-sim/board/build.ts';
import { buildFirmware } from '../../host-sim/board/bundle.ts';
import { VIRTUAL_START_MS } from '../../host-sim/simulation/world.ts';
import { Link } from '../../host-sim/time/link.ts';
import { VirtualClock } from '../../host-sim/time/virtual-clock.ts';
import { VirtualNetwork, type Endpoint } from '../../host-sim/time/virtual-network.ts';
import type { VirtualSocket } from '../../host-sim/time/virtual-socket.ts';
import { VirtualTime, type BoardHandle } from '../../host-sim/time/virtual-time.ts';
import { writeDevice, type DeviceContents } from './agent-board-device.ts';

/** The board's program and the two scripts of the firmware. */
export interface AgentPrograms {
  readonly program: string;
  readonly preload: string;
  readonly main: string;
}

/** Builds the board and the sample application, or another one, on it; what is built is found built. */
export async function buildAgent(variant: BoardVariant = '32-bit', app?: string): Promise<AgentPrograms> {
  const firmware = buildFirmware(app === undefined ? {} : { app });
  firmware.catch(() => {});
  return { program: await buildBoard({ variant }), ...(await firmware) };
}

/** A line of the board's output, with its moment in virtual time. */
export type TimedLine = BoardLine & { readonly atMs: number };

export interface AgentBoardOptions extends DeviceContents {
  readonly seed?: number;
  /** One-way. */
  readonly delayMs?: number;
  /** What the board's clock shows at start; default the right time. */
  readonly deviceClockMs?: number;
}

const KILLED_AFTER_MS = 600_000;
const LINES_IN_ERROR = 12;

/** The agent's own application on a board in virtual time, with a network that a test furnishes: `tcp`, `udp` and `names` may change at any time. */
export class AgentBoard {
  readonly clock = new VirtualClock(VIRTUAL_START_MS);
  readonly link: Link;
  readonly tcp = new Map<Endpoint, (socket: VirtualSocket) => void>();
  readonly udp = new Map<Endpoint, (request: Uint8Array) => Uint8Array | undefined>();
  readonly names = new Map<string, string>();
  /** Everything that the board printed, reports excepted. */
  readonly lines: TimedLine[] = [];
  /** Called for each of them. */
  onLine: (line: TimedLine) => void = () => {};
  readonly folder: string = mkdtempSync(join(tmpdir(), 'latchkey-agent-'));
  readonly #time: VirtualTime;
  readonly #options: AgentBoardOptions;
  #board: DrivenBoard | undefined;
  #handle: BoardHandle | undefined;
  #onReport: (report: BoardReport) => void = () => {};

  constructor(options: AgentBoardOptions) {
    this.#options = options;
    this.link = new Link({ clock: this.clock, delayMs: options.delayMs ?? 0 });
    this.#time = new VirtualTime(this.clock, new VirtualNetwork(this.link, this));
    writeDevice(this.folder, options);
  }

  /** Turns the board on; nothing happens before time runs. */
  start({ program, preload, main }: AgentPrograms): void {
    const { seed = 1, deviceClockMs } = this.#options;
    const board = startDrivenBoard({ program, preload, main, device: this.folder, seed });
    this.#board = board;
    this.#handle = this.#time.addBoard(board.channel, {
      onLine: (text) => this.#takeLine(parseBoardLine(text)),
      ...(deviceClockMs !== undefined && { wallMs: deviceClockMs }),
    });
  }

  /** Of its process. */
  get pid(): number {
    return this.#board!.pid;
  }

  get isRunning(): boolean {
    return this.#handle?.isClosed === false;
  }

  /** Lines with this `event`, from `sinceMs` on. */
  events(event: string, sinceMs = 0): TimedLine[] {
    return this.lines.filter((line) => line.event === event && line.atMs >= sinceMs);
  }

  /** Lets time pass until `predicate` holds. @throws Error with the last lines when the board ends, or when it takes too long in virtual time */
  async until(what: string, predicate: () => boolean, limitMs = KILLED_AFTER_MS): Promise<void> {
    const deadlineMs = this.clock.monotonicMs() + limitMs;
    let isLate = false;
    const cancel = this.clock.setTimer(limitMs, () => void (isLate = true));
    try {
      await this.#time.run(() => predicate() || isLate || !this.isRunning);
    } finally {
      cancel();
    }
    if (predicate()) return;
    const last = this.lines.slice(-LINES_IN_ERROR).map((line) => JSON.stringify(line)).join('\n');
    const why = this.isRunning ? `not within ${limitMs} ms (${deadlineMs} ms since start)` : `the board ended: ${JSON.stringify(await this.#board?.exited)}`;
    throw new Error(`${what}: ${why}\n${last}`);
  }

  /** Lets `ms` of virtual time pass. */
  async runFor(ms: number): Promise<void> {
    let isOver = false;
    this.clock.setTimer(ms, () => void (isOver = true));
    await this.until(`${ms} ms`, () => isOver, ms + 1);
  }

  /** Waits for a line with this event and these members that comes after now. */
  async untilEvent(event: string, members: Readonly<Record<string, unknown>> = {}, limitMs?: number): Promise<TimedLine> {
    const from = this.lines.length;
    const find = (): TimedLine | undefined => this.lines.slice(from).find((line) => line.event === event && Object.entries(members).every(([key, value]) => line[key] === value));
    await this.until(`${event} ${JSON.stringify(members)}`, () => find() !== undefined, limitMs);
    return find()!;
  }

  /** What the chip's flash holds now. */
  readFlash(): Uint8Array {
    return readFileSync(join(this.folder, 'flash.bin'));
  }

  /** Heap figures, after a garbage collection. Peaks are since the last report. */
  report(): Promise<BoardReport> {
    return new Promise((resolve) => {
      this.#onReport = resolve;
      this.#board?.channel.send({ type: 'report' });
    });
  }

  /** Stops the application in order: it waits for what is not acknowledged, 3 s at most, and says `done`. */
  async stop(): Promise<BoardExit> {
    this.#handle?.stop();
    if (this.isRunning) await this.#time.run(() => !this.isRunning);
    return this.#board!.exited;
  }

  /** For afterEach: ends the process if a test has failed before its stop, and removes the folder. */
  async remove(): Promise<void> {
    this.#board?.kill();
    await this.#board?.exited;
    rmSync(this.folder, { recursive: true, force: true });
  }

  #takeLine(line: BoardLine): void {
    if (isReport(line)) return this.#onReport(line);
    const timed = { ...line, atMs: this.clock.monotonicMs() };
    this.lines.push(timed);
    this.onLine(timed);
  }
}
