/**
 * Answers as Espressif's espefuse 4.8.1 and 5.0.2 do (seen with their --virt): the lines, the JSON and the refusals that this project reads.
 * usage: node fake-espefuse.mjs STATE.json ARGUMENTS…   The state file also records every call.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const [stateFile = '', ...args] = process.argv.slice(2);
const state = JSON.parse(readFileSync(stateFile, 'utf8'));
const save = () => writeFileSync(stateFile, JSON.stringify(state));
state.calls.push({ args, environment: Object.values(process.env) });
save();

const fatal = (text) => {
  process.stdout.write(`\nA fatal error occurred: ${text}\n`);
  process.exit(2);
};
const option = (name) => args[args.indexOf(name) + 1];
const separator = state.major >= 5 ? '-' : '_';

process.stdout.write(`${state.major >= 5 ? 'espefuse' : 'espefuse.py'} v${state.major}.0.2\n\n`);
if (state.fault !== undefined) fatal(state.fault);
if (option('--chip') !== state.chip) fatal(`This chip is ${state.chip}, not ${option('--chip')}. Wrong chip argument?`);

const hidden = '?? '.repeat(32).trim();
if (args.includes('summary')) {
  const fields = { MAC: { value: `${state.mac} (OK)`, readable: true, writeable: true } };
  for (const [index, block] of state.blocks.entries()) {
    const bytes = Buffer.from(block.key, 'hex').toString('hex').match(/../g).join(' ');
    fields[`BLOCK_KEY${index}`] = { value: block.readable ? bytes : hidden, readable: block.readable, writeable: block.writeable };
    fields[`KEY_PURPOSE_${index}`] = { value: block.purpose, readable: true, writeable: block.purpose === 'USER' };
  }
  process.stdout.write(`=== Run "summary" command ===\n${JSON.stringify(fields, undefined, 4)}\n`);
} else if (args.includes(`burn${separator}key`)) {
  const groups = args.slice(args.indexOf(`burn${separator}key`) + 1);
  const burns = [];
  for (let i = 0; i + 2 < groups.length; i += 3) {
    const index = Number(/^BLOCK_KEY(\d)$/.exec(groups[i])?.[1] ?? fatal(`no block ${groups[i]}`));
    const key = readFileSync(groups[i + 1]);
    if (key.length !== 32) fatal(`Incorrect key file size ${key.length}. Key file must be 32 bytes (256 bits) of raw binary key data.`);
    if (!state.blocks[index].readable) fatal(`\tBLOCK_KEY${index} is read-protected.\tBurn in this case may damage an already written value.(use '--force-write-always' option to ignore it)`);
    burns.push({ index, key: key.toString('hex'), purpose: groups[i + 2] });
  }
  if (state.burnFault !== undefined) fatal(state.burnFault);
  for (const { index, key, purpose } of burns) state.blocks[index] = { key, purpose, readable: state.leavesReadable === true, writeable: false };
  save();
  process.stdout.write('BURN BLOCK8  - OK (write block == read block)\nSuccessful.\n');
} else fatal(`no such command in version ${state.major}`);
