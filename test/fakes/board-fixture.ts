import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll } from '@jest/globals';

import { isReport, startBoard, startDrivenBoard } from '../../host-sim/board/board.ts';
import type { Board, BoardExit, BoardLine, BoardOptions, BoardReport, DrivenBoard, RealBoardOptions } from '../../host-sim/board/board.ts';
import { buildBoard } from '../../host-sim/board/build.ts';
import type { BoardVariant } from '../../host-sim/board/build.ts';
import type { Creation } from '../../host-sim/board/creation.ts';

/** The first build compiles XS. */
const BUILD_LIMIT_MS = 300_000;

/** Roomy, and allowed to grow: for tests that are not about memory. */
export const ROOMY: Creation = {
  chunk: { initial: 32_768, incremental: 1024 },
  heap: { initial: 2048, incremental: 64 },
  stack: 512,
  keys: { initial: 32, incremental: 32 },
};

/** What every fixture script finds in scope. */
const PRELUDE = `"use strict"; (() => {
const board = hostModules["latchkey/board"].default;
const timer = hostModules["timer"].default;
const time = hostModules["time"].default;
const TCP = hostModules["embedded:io/socket/tcp"].default;
const UDP = hostModules["embedded:io/socket/udp"].default;
const Resolver = hostModules["embedded:network/dns/resolver/udp"].default;
const flash = hostModules["embedded:storage/flash"].default;
const storage = hostModules["embedded:storage/key-value"].default;
const print = (value) => board.print(JSON.stringify(value));
const caught = (action) => { try { return { value: action() }; } catch (error) { return { error: error.name + ": " + error.message }; } };
const text = (bytes) => String.fromCharCode(...new Uint8Array(bytes));
const bytes = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0));
`;

export interface FixtureRun {
  readonly lines: readonly BoardLine[];
  /** The last one: a report is printed at exit. */
  readonly report: BoardReport | undefined;
  readonly exit: BoardExit;
}

export type FixtureOptions = Partial<Omit<RealBoardOptions, 'program' | 'preload' | 'main' | 'onLine'>> & {
  /** Body of the script that is evaluated in flash. */
  readonly preload?: string;
};

/** Boards of one variant that run scripts given as text, each with a device folder of its own. */
export class BoardFixture {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'latchkey-board-'));
  readonly #ends: (() => void)[] = [];
  #program = '';
  #count = 0;

  async build(variant: BoardVariant): Promise<void> {
    this.#program = await buildBoard({ variant });
  }

  /** Ends what a failed test left running. */
  remove(): void {
    for (const end of this.#ends) end();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A folder for a device; the board makes it. */
  newDevice(): string {
    return join(this.folder, `device-${this.#count++}`);
  }

  options(main: string, { preload = '', ...options }: FixtureOptions = {}): BoardOptions {
    const scripts = { main: join(this.folder, `main-${this.#count}.js`), preload: join(this.folder, `preload-${this.#count}.js`) };
    writeFileSync(scripts.main, `${PRELUDE}${main}\n})();`);
    writeFileSync(scripts.preload, `${PRELUDE}${preload}\n})();`);
    return { program: this.#program, ...scripts, device: this.newDevice(), creation: ROOMY, ...options };
  }

  start(main: string, onLine: (line: BoardLine, board: Board) => void, options?: FixtureOptions): Board {
    const board: Board = startBoard({ ...this.options(main, options), onLine: (line) => onLine(line, board) });
    this.#endAfterTests(board.exited, () => void board.stop(0));
    return board;
  }

  #endAfterTests(exited: Promise<BoardExit>, end: () => void): void {
    let isOver = false;
    void exited.finally(() => (isOver = true));
    this.#ends.push(() => isOver || end());
  }

  /** Resolves with the board once it printed a line; rejects when it ended before. */
  async startAndWait(main: string, onLine: (line: BoardLine) => void = () => {}): Promise<Board> {
    let up = (): void => {};
    const printed = new Promise<void>((resolve) => (up = resolve));
    const board = this.start(main, (line) => {
      onLine(line);
      if (!isReport(line)) up();
    });
    const ended = board.exited.then(({ code, talk }) => {
      throw new Error(`the board ended (code ${code}) before it printed a line\n${talk}`);
    });
    ended.catch(() => {});
    await Promise.race([printed, ended]);
    return board;
  }

  /** Runs until the script exits. */
  async run(main: string, options?: FixtureOptions): Promise<FixtureRun> {
    const lines: BoardLine[] = [];
    const board = this.start(main, (line) => void lines.push(line), options);
    const exit = await board.exited;
    const report = lines.filter(isReport).at(-1);
    return { lines: lines.filter((line) => !isReport(line)), report, exit };
  }

  startDriven(main: string, options?: FixtureOptions): DrivenBoard {
    const board = startDrivenBoard(this.options(main, options));
    this.#endAfterTests(board.exited, () => board.kill());
    return board;
  }
}

/** Builds before the tests of a file, and cleans up after them. */
export function useBoard(variant: BoardVariant = '64-bit'): BoardFixture {
  const fixture = new BoardFixture();
  beforeAll(() => fixture.build(variant), BUILD_LIMIT_MS);
  afterAll(() => fixture.remove());
  return fixture;
}
