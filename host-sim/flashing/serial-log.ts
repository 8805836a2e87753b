import { closeSync, constants, openSync } from 'node:fs';
import { connect } from 'node:net';
import type { Readable } from 'node:stream';
import { ReadStream } from 'node:tty';
import { setTimeout as delay } from 'node:timers/promises';
import { runCommand } from '../board/run-command.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';

/** The console of ESP-IDF. */
export const DEFAULT_LOG_BAUD = 115_200;
/** A chip with USB of its own vanishes and comes back when it restarts. */
const OPEN_TIMEOUT_MS = 5000;
const RETRY_MS = 100;
/** A line that never ends is no log. */
const MAX_LINE_CHARACTERS = 4096;
const SOCKET = /^socket:\/\/([^:/]+):(\d+)$/;

export interface SerialLog {
  /** Until `close`. @throws ERR_NO_BOARD when the board goes away */
  readonly lines: AsyncIterable<string>;
  close(): void;
}

/**
 * Opens the log of a board: a serial port, or `socket://host:port` as an emulator has it.
 * @throws ERR_NO_BOARD
 */
export async function openSerialLog(port: string, baud: number, interrupted: AbortSignal): Promise<SerialLog> {
  const socket = SOCKET.exec(port);
  const stream = await keepTrying(port, interrupted, () => (socket === null ? openOnce(port, baud) : connectOnce(socket[1] ?? '', Number(socket[2]))));
  let isClosed = false;
  const close = (): void => {
    isClosed = true;
    interrupted.removeEventListener('abort', close);
    stream.destroy();
  };
  interrupted.addEventListener('abort', close, { once: true });
  return { lines: splitLines(stream, port, () => isClosed), close };
}

/** A board comes back after its restart, an emulator listens a moment after it was started. */
async function keepTrying(port: string, interrupted: AbortSignal, open: () => Promise<Readable>): Promise<Readable> {
  const giveUpMs = Date.now() + OPEN_TIMEOUT_MS;
  for (;;) {
    try {
      return await open();
    } catch (cause) {
      if (Date.now() > giveUpMs || interrupted.aborted) {
        throw new CliError('ERR_NO_BOARD', EXIT.unreachable, `the log at ${port} cannot be opened`, 'plug the board in again, and close every other program that has the port open', { cause });
      }
      await delay(RETRY_MS);
    }
  }
}

function connectOnce(host: string, port: number): Promise<Readable> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    // Stays: who reads the lines learns of a later error by reading.
    socket.on('error', reject);
    socket.once('connect', () => resolve(socket));
  });
}

async function openOnce(port: string, baud: number): Promise<Readable> {
  const file = openSync(port, constants.O_RDONLY | constants.O_NOCTTY | constants.O_NONBLOCK);
  // -hupcl: closing the port does not reset the board.
  const { code, output } = await runCommand('stty', [process.platform === 'darwin' ? '-f' : '-F', port, String(baud), 'raw', '-echo', '-hupcl', 'clocal']);
  if (code !== 0) {
    closeSync(file);
    throw new Error(output);
  }
  return new ReadStream(file);
}

/** Ends when the log was closed here; a board that goes away is an error. */
async function* splitLines(stream: Readable, port: string, isClosed: () => boolean): AsyncGenerator<string> {
  stream.setEncoding('utf8');
  let rest = '';
  let cause: unknown;
  try {
    for await (const text of stream) {
      const lines = (rest + String(text)).split(/\r\n|[\r\n]/);
      rest = (lines.pop() ?? '').slice(-MAX_LINE_CHARACTERS);
      for (const line of lines) if (line !== '') yield line;
    }
  } catch (error) {
    cause = error;
  }
  if (isClosed()) return;
  throw new CliError('ERR_NO_BOARD', EXIT.unreachable, `the log at ${port} has ended: the board went away`, 'plug it in again, then: latchkey flash --log-only', { cause });
}
