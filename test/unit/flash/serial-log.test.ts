import { afterEach, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSerialLog } from '../../../host-sim/flashing/serial-log.ts';
import { listSerialPorts } from '../../../host-sim/flashing/serial-ports.ts';

/** A board at a pseudo-terminal: says its name, waits for a byte on stdin, then sends what it was given, in pieces. */
const BOARD = `
import os, sys, time, tty
master, slave = os.openpty()
print(os.ttyname(slave), flush=True)
for piece in sys.argv[1:]:
    sys.stdin.readline()
    os.write(master, piece.encode())
sys.stdin.readline()
`;

let board: ChildProcess | undefined;
afterEach(() => {
  board?.kill('SIGKILL');
  board = undefined;
});

async function startBoard(pieces: readonly string[]): Promise<{ port: string; next: () => void }> {
  const child = spawn('python3', ['-c', BOARD, ...pieces], { stdio: ['pipe', 'pipe', 'inherit'] });
  board = child;
  const port = await new Promise<string>((resolve) => child.stdout.once('data', (text: Buffer) => resolve(text.toString().trim())));
  return { port, next: () => void child.stdin.write('\n') };
}

async function firstLines(lines: AsyncIterable<string>, count: number): Promise<string[]> {
  const seen: string[] = [];
  for await (const line of lines) if (seen.push(line) === count) break;
  return seen;
}

test('lines of a serial port come whole, whatever the pieces and line ends', async () => {
  const { port, next } = await startBoard(['boo', 't\r\n\r\n{"event":', '"connected"}\nrest\r']);
  const log = await openSerialLog(port, 115_200, new AbortController().signal);
  for (let piece = 0; piece < 3; piece++) next();
  expect(await firstLines(log.lines, 3)).toEqual(['boot', '{"event":"connected"}', 'rest']);
  log.close();
});

test('a closed log ends, a board that goes away is an error', async () => {
  const first = await startBoard(['hello\n']);
  const closed = await openSerialLog(first.port, 115_200, new AbortController().signal);
  setTimeout(() => closed.close(), 50);
  expect(await firstLines(closed.lines, 9)).toEqual([]);
  const log = await openSerialLog(first.port, 115_200, new AbortController().signal);
  first.next();
  const lines = firstLines(log.lines, 9);
  setTimeout(() => board?.kill('SIGKILL'), 100);
  await expect(lines).rejects.toMatchObject({ code: 'ERR_NO_BOARD', message: expect.stringContaining('the board went away') });
});

test('an emulator that listens only after the log was asked for is waited for', async () => {
  const server = createServer((socket) => void socket.end('{"event":"connected"}\n'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const opened = openSerialLog(`socket://127.0.0.1:${port}`, 115_200, new AbortController().signal);
  setTimeout(() => server.listen(port, '127.0.0.1'), 250);
  const log = await opened;
  expect(await firstLines(log.lines, 1)).toEqual(['{"event":"connected"}']);
  log.close();
  await new Promise((resolve) => server.close(resolve));
});

test('a port that is none is told', async () => {
  const interrupted = AbortSignal.timeout(300);
  await expect(openSerialLog('/dev/ttyNONE', 115_200, interrupted)).rejects.toMatchObject({ code: 'ERR_NO_BOARD' });
});

test('ports are those of USB bridges and of chips with USB, each once', () => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-dev-'));
  for (const name of ['ttyUSB0', 'ttyACM1', 'ttyS0', 'tty', 'null', 'cu.usbserial-10', 'cu.Bluetooth']) writeFileSync(join(folder, name), '');
  mkdirSync(join(folder, 'serial'));
  symlinkSync(join(folder, 'ttyUSB0'), join(folder, 'ttyUSB9'));
  expect(listSerialPorts(folder).map((port) => port.slice(folder.length + 1))).toEqual(['cu.usbserial-10', 'ttyACM1', 'ttyUSB0']);
  expect(listSerialPorts(join(folder, 'none'))).toEqual([]);
  rmSync(folder, { recursive: true });
});
