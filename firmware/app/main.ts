import board from 'latchkey/board';

import { LatchkeyError } from '../agent/errors.ts';
import { BoardPort } from '../ports/board/port.ts';
import { runApplication } from './run.ts';
import { passesSelfTest } from './self-test.ts';
import { readSettings } from './settings.ts';

const EXIT_CONFIG = 3;
/** The board's process ends and whoever started it starts it again, as a chip does by itself (host-sim/simulation/restart.ts). */
const EXIT_RESTART = 80;

const print = (line: string): void => board.print(line);

/** The application on the virtual board. */
function main(): void {
  if (!passesSelfTest([], print)) return board.exit(1);
  board.onStop = runApplication(readSettings(), {
    print,
    exit: (code) => board.exit(code),
    restart: () => board.exit(EXIT_RESTART),
    random: () => board.random(),
    openPort: (options) => new BoardPort(options),
  });
}

try {
  main();
} catch (error) {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'ERR_START';
  print(JSON.stringify({ event: 'error', code, message: error instanceof Error ? error.message : String(error) }));
  board.exit(error instanceof LatchkeyError ? EXIT_CONFIG : 1);
}
