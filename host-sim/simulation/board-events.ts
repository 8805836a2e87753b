import { parseBoardLine, type BoardExit, type BoardLine } from '../board/board.ts';
import type { Tell } from './events.ts';

/** Exit codes of a board whose firmware ended as it should. */
const EXIT_DONE = 0;
/** The application refused its configuration, and has said why in an `error` line. */
const EXIT_CONFIG = 3;

/** What one device has said of itself, and how it ended. */
export class DeviceRecord {
  readonly deviceId: string;
  readonly #tell: Tell;
  /** Of this life, and of those before a restart. */
  #counts = { sent: 0, acked: 0 };
  #earlier = { sent: 0, acked: 0 };
  #hasFailed = false;
  #hasEnded = false;

  constructor(deviceId: string, tell: Tell) {
    this.deviceId = deviceId;
    this.#tell = tell;
  }

  /** Messages that the agent's `send()` accepted, and those that it saw acknowledged. */
  get counts(): { readonly sent: number; readonly acked: number } {
    return { sent: this.#earlier.sent + this.#counts.sent, acked: this.#earlier.acked + this.#counts.acked };
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** It ended by itself and not well. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  takeText(text: string): void {
    this.takeLine(parseBoardLine(text));
  }

  takeLine(line: BoardLine): void {
    const { sent, acked } = line;
    if (typeof sent === 'number') this.#counts = { ...this.#counts, sent };
    if (typeof acked === 'number') this.#counts = { ...this.#counts, acked };
    const event = typeof line.event === 'string' ? line.event : 'line';
    this.#tell({ source: 'device', device: this.deviceId, body: { ...line, event } });
  }

  /** The firmware has ended itself in order to start anew. */
  takeRestart(): void {
    this.#earlier = this.counts;
    this.#counts = { sent: 0, acked: 0 };
    this.#tell({ source: 'board', device: this.deviceId, body: { event: 'restarting' } });
  }

  takeExit(exit: BoardExit, wasKilled: boolean): void {
    this.#hasEnded = true;
    this.#hasFailed = !wasKilled && exit.code !== EXIT_DONE;
    const isExplained = exit.code === EXIT_DONE || exit.code === EXIT_CONFIG;
    this.#tell({
      source: 'board',
      device: this.deviceId,
      body: { event: 'ended', exitCode: exit.code, signal: exit.signal, talk: isExplained ? '' : exit.talk.trimEnd() },
    });
  }
}
