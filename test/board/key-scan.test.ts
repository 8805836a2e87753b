import { createHash, createHmac, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import type { DevelopmentPki } from '../../certs/development-pki.ts';
import { startDrivenBoard, parseBoardLine, type BoardLine } from '../../host-sim/board/board.ts';
import { writeKeyFile } from '../../host-sim/board/key-file.ts';
import { writeSettings } from '../../host-sim/board/settings.ts';
import { projectPath } from '../../host-sim/board/project-path.ts';
import { VIRTUAL_START_MS } from '../../host-sim/simulation/world.ts';
import { HUB_NAME } from '../fakes/agent-board-device.ts';
import { MqttPeer } from '../fakes/agent-board-peer.ts';
import { createTestPki } from '../fakes/agent-board-pki.ts';
import { AgentBoard, buildAgent, type AgentPrograms } from '../fakes/agent-board.ts';
import { recordEvidence } from '../evidence.ts';
import { formsOf, scanForKey, type KeyForm } from './key-scan.ts';
import { readProcessMemory } from './process-memory.ts';
import { compressSha256 } from './sha256-state.ts';

const KEY_BYTES = 32;
const HUB_ADDRESS = '192.0.2.1';
const RENEWALS = 5;

let folder: string;
let planter: AgentPrograms;
let agent: AgentPrograms;
let pki: DevelopmentPki;
let controlsFound = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'latchkey-key-scan-'));
  planter = await buildAgent('32-bit', projectPath('test/board/key-scan-app.ts'));
  agent = await buildAgent('32-bit');
  pki = await createTestPki();
}, 300_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the compression function gives the digest of a message of one block', () => {
  const block = Buffer.concat([Buffer.from('abc'), Buffer.of(0x80), Buffer.alloc(59), Buffer.of(24)]);
  expect(compressSha256(block)).toEqual(createHash('sha256').update('abc').digest());
});

/** Runs the planting application, and gives where it has left things. */
async function plant(what: string, key: Uint8Array): Promise<{ memory: Buffer; flash: Buffer; settings: Buffer; lines: readonly BoardLine[] }> {
  const device = join(folder, what);
  const mask = randomBytes(KEY_BYTES);
  const masked = Buffer.from(key.map((byte, index) => byte ^ mask[index]!));
  mkdirSync(device);
  writeKeyFile(join(device, 'keys.bin'), [{ slot: 0, keyBase64: Buffer.from(key).toString('base64'), prefixes: ['scan.test/devices/d'] }]);
  writeSettings(join(device, 'settings.kv'), { scan: { mask, masked, plant: Buffer.from(what), root: pki.root.certificateDer } });
  const lines: BoardLine[] = [];
  const board = startDrivenBoard({ ...planter, device, seed: 1 });
  await new Promise<void>((resolve, reject) => {
    board.channel.onFrame = (frame) => {
      if (frame.type === 'line') lines.push(parseBoardLine(frame.text));
      else if (frame.type === 'idle') resolve();
    };
    board.channel.onClose = () => reject(new Error('the board ended'));
    board.channel.send({ type: 'start', wallMs: VIRTUAL_START_MS });
    board.channel.send({ type: 'run', nowMs: 0 });
  });
  const memory = readProcessMemory(board.pid);
  board.kill();
  await board.exited;
  expect(lines).toContainEqual({ event: 'planted', plant: what, known: true });
  return { memory, flash: readFileSync(join(device, 'flash.bin')), settings: readFileSync(join(device, 'settings.kv')), lines };
}

const PLANTED: readonly (readonly [what: string, forms: readonly KeyForm[]])[] = [
  ['nothing', []],
  ['raw', ['raw']],
  ['garbage', ['raw']],
  ['half', ['raw']],
  ['c', ['raw']],
  ['swapped', ['raw, words swapped']],
  ['hex-lower', ['hex, lower case']],
  ['hex-upper', ['hex, upper case']],
  ['base64-0', ['base64']],
  ['base64-1', ['base64']],
  ['base64-2', ['base64']],
  ['inner-pad', ['xor 0x36']],
  ['inner-pad-swapped', ['xor 0x36, words swapped']],
  ['outer-pad', ['xor 0x5c']],
];

test.each(PLANTED)('a key planted as %s is found in memory as that and nothing else', async (what, forms) => {
  const key = randomBytes(KEY_BYTES);
  const { memory, flash, settings, lines } = await plant(what, key);
  expect(formsOf(scanForKey(memory, key))).toEqual(forms);
  for (const elsewhere of [flash, settings, Buffer.from(JSON.stringify(lines))]) expect(scanForKey(elsewhere, key)).toEqual([]);
  controlsFound += forms.length;
});

test('a key planted in flash, settings and output is found there', async () => {
  const key = randomBytes(KEY_BYTES);
  expect(formsOf(scanForKey((await plant('flash', key)).flash, key))).toEqual(['raw']);
  expect(formsOf(scanForKey(decodeSettings((await plant('settings', key)).settings), key))).toEqual(['hex, lower case']);
  expect(formsOf(scanForKey(Buffer.from(JSON.stringify((await plant('line', key)).lines)), key))).toEqual(['base64']);
  controlsFound += 3;
});

test('a state of HMAC in a text is found', () => {
  const key = randomBytes(KEY_BYTES);
  const padded = Buffer.alloc(64, 0x36).map((byte, index) => byte ^ (key[index] ?? 0));
  const memory = Buffer.concat([randomBytes(100), compressSha256(padded), randomBytes(100)]);
  expect(formsOf(scanForKey(memory, key))).toEqual(['inner HMAC state']);
  controlsFound++;
});

test.each(['sign', 'derive'])('right after the signer was used to %s, the key it used is nowhere in memory', async (what) => {
  const key = randomBytes(KEY_BYTES);
  const { memory, lines } = await plant(what, key);
  expect(lines.map(({ event }) => event)).toEqual(['planted']);
  expect(formsOf(scanForKey(memory, key))).toEqual([]);
  expect(formsOf(scanForKey(memory, createHmac('sha256', key).update('scan').digest()))).toEqual([]);
});

test('the connected agent leaves its key nowhere: not in memory after renewals, not in flash, settings or output; no line holds a signature', async () => {
  const key = randomBytes(KEY_BYTES);
  const board = new AgentBoard({ roots: [pki.root.certificateDer], keys: [key], settings: { ttl: 5, interval: 100 } });
  try {
    const peer = new MqttPeer(pki, board.clock);
    board.names.set(HUB_NAME, HUB_ADDRESS);
    board.tcp.set(`${HUB_ADDRESS}:8883`, peer.accept);
    board.start(agent);
    const memories: Buffer[] = [];
    const look = (): void => void memories.push(readProcessMemory(board.pid));
    await board.untilEvent('connected');
    look();
    await board.until(`${RENEWALS} renewals`, () => board.events('renewed').length >= RENEWALS);
    look();
    peer.script = { onConnect: (connection) => connection.send({ cmd: 'connack', returnCode: 5, sessionPresent: false }) };
    await board.untilEvent('refused');
    look();
    await board.stop();

    const passwords = peer.connects.map(({ password }) => String(password));
    const signatures = passwords.map((password) => decodeURIComponent(/sig=([^&]+)/.exec(password)![1]!));
    // The scan looks for the key that really signed.
    expect(signatures[0]).toBe(signatureOf(passwords[0]!, key));
    const text = JSON.stringify(board.lines);
    expect(text).not.toMatch(/sig=|SharedAccess/);
    for (const signature of signatures) {
      expect(text).not.toContain(signature);
      expect(text).not.toContain(encodeURIComponent(signature));
    }

    const settings = readFileSync(join(board.folder, 'settings.kv'));
    const places = { flash: readFileSync(join(board.folder, 'flash.bin')), settings, 'settings, decoded': decodeSettings(settings), output: Buffer.from(text) };
    for (const bytes of [...memories, ...Object.values(places)]) expect(scanForKey(bytes, key)).toEqual([]);
    expect(memories).toHaveLength(3);
    // A control of this very memory: what the agent certainly holds is in it.
    expect(memories[1]!.includes(HUB_NAME)).toBe(true);
    expect(controlsFound).toBe(PLANTED.length - 1 + 4);
    recordEvidence('key-scan-controls', controlsFound);
  } finally {
    await board.remove();
  }
});

/** By Node. */
function signatureOf(token: string, key: Uint8Array): string {
  const [, resource, expiry] = /sr=([^&]+)&.*se=(\d+)/.exec(token)!;
  return createHmac('sha256', key).update(`${resource}\n${expiry}`).digest('base64');
}

/** The values of a settings file, which holds them in base64. */
function decodeSettings(file: Buffer): Buffer {
  const values = file.toString('utf8').split('\n').map((line) => line.split('\t').at(-1) ?? '');
  return Buffer.concat(values.map((value) => Buffer.from(value, 'base64')));
}
