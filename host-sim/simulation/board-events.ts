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
  #sent = 0;
  #acked = 0;
  #hasFailed = false;
  #hasEnded = false;

  constructor(deviceId: string, tell: Tell) {
    this.deviceId = deviceId;
    this.#tell = tell;
  }

  /** Messages that the agent's `send()` accepted, and those that it saw acknowledged. */
  get counts(): { readonly sent: number; readonly acked: number } {
    return { sent: this.#sent, acked: this.#acked };
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
    if (typeof line['sent'] === 'number') this.#sent = line['sent'];
    if (typeof line['acked'] === 'number') this.#acked = line['acked'];
    const event = typeof line.event === 'string' ? line.event : 'line';
    this.#tell({ source: 'device', device: this.deviceId, body: { ...line, event } });
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
