/**
 * Answers as Espressif's esptool 4.8.1 and 5.0.2 do: the lines, the progress and the failures that this project reads.
 * usage: node fake-esptool.mjs STATE.json ARGUMENTS…   The state file also records every call, and what was written.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const [stateFile = '', ...args] = process.argv.slice(2);
const state = JSON.parse(readFileSync(stateFile, 'utf8'));
const save = () => writeFileSync(stateFile, JSON.stringify(state));
state.calls.push({ args, environment: Object.values(process.env) });
save();

const say = (text) => process.stdout.write(`${text}\n`);
const fatal = (text) => {
  say(`\nA fatal error occurred: ${text}`);
  process.exit(2);
};
const option = (name) => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
const separator = state.major >= 5 ? '-' : '_';
const has = (command) => args.includes(command.replaceAll('-', separator));

say(`${state.major >= 5 ? 'esptool' : 'esptool.py'} v${state.major}.0.2`);
if (args[0] === 'version') {
  say(`${state.major}.0.2`);
  process.exit(0);
}
const port = option('--port');
const board = state.boards[port];
if (board === undefined) fatal(`Could not open ${port}, the port is busy or doesn't exist.\n([Errno 2] could not open port ${port}: [Errno 2] No such file or directory: '${port}')`);
if (board.denied) fatal(`Could not open ${port}, the port is busy or doesn't exist.\n([Errno 13] could not open port ${port}: [Errno 13] Permission denied: '${port}')`);
if (board.silent) fatal(`Failed to connect to ESP32: No serial data received.`);
if (option('--chip') !== undefined && option('--chip') !== board.family) fatal(`This chip is ${board.title}, not ${option('--chip')}. Wrong chip argument?`);
say(state.major >= 5 ? `Chip type:          ${board.title} (QFN32) (revision v0.4)` : `Chip is ${board.title} (QFN32) (revision v0.4)`);
say(state.major >= 5 ? `MAC:                ${board.mac}` : `MAC: ${board.mac}`);

if (has('chip-id')) process.exit(0);
if (has('erase-region')) {
  const [offset, size] = args.slice(args.indexOf(`erase${separator}region`) + 1);
  state.erased.push([Number(offset), Number(size)]);
  save();
  say(state.major >= 5 ? 'Flash memory region erased successfully in 0.1 seconds.' : 'Erase completed successfully in 0.1 seconds.');
} else if (has('write-flash')) {
  const pairs = args.slice(args.indexOf(`write${separator}flash`) + 1).filter((word) => !word.startsWith('--'));
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    const address = Number(pairs[i]);
    const bytes = readFileSync(pairs[i + 1]);
    for (const percent of [0, 25, 50, 75, 100]) {
      const at = `0x${(address + Math.floor((bytes.length * percent) / 100)).toString(16).padStart(8, '0')}`;
      say(state.major >= 5 ? `\rWriting at ${at} [=====>    ] ${percent.toFixed(1).padStart(5)}% ${bytes.length}/${bytes.length} bytes...` : `\rWriting at ${at}... (${percent} %)`);
      if (state.cutAt !== undefined && i / 2 === state.cutAt && percent === 50) {
        if (state.cut === 'killed') process.kill(process.pid, 'SIGKILL');
        fatal('The chip stopped responding.');
      }
    }
    state.written.push([address, bytes.length]);
    if (state.unverified !== i / 2) say('Hash of data verified.');
  }
  save();
} else fatal(`no such command in version ${state.major}`);
