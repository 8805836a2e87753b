/// <reference path="../../firmware/ports/types/embedded.d.ts" />
/// <reference path="../../firmware/ports/types/latchkey.d.ts" />
import flash from 'embedded:storage/flash';
import storage from 'embedded:storage/key-value';
import board from 'latchkey/board';
import { derive, signSas } from 'latchkey/signer';
import Tls from 'latchkey/tls';

/**
 * Leaves a key in one form in one place, for the positive controls of key-scan.test.ts. The key comes masked, and byte by byte it is
 * made into that form alone: what the scan finds is what was planted.
 */

const KEY_BYTES = 32;
const FLASH_UNIT_BYTES = 16;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;
const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

const settings = storage.open({ path: 'scan', mode: 'r', format: 'buffer' });
const mask = new Uint8Array(settings.read('mask') as ArrayBuffer);
const masked = new Uint8Array(settings.read('masked') as ArrayBuffer);
const plant = String.fromCharCode(...new Uint8Array(settings.read('plant') as ArrayBuffer));

const byteAt = (index: number): number => (index < KEY_BYTES ? (mask[index] ?? 0) ^ (masked[index] ?? 0) : 0);
const kept: unknown[] = [];

/** What key-scan.test.ts binds the device's key to; RAM slots follow the eight of the store. */
const RESOURCE = 'scan.test%2Fdevices%2Fd';
const EXPIRY_SECONDS = 1_800_000_000;
const RAM_SLOT = 8;
const LABEL = 'scan';

function hex(digits: string): string {
  let text = '';
  for (let i = 0; i < KEY_BYTES; i++) text += (digits[byteAt(i) >> 4] ?? '') + (digits[byteAt(i) & 15] ?? '');
  return text;
}

/** With `before` bytes in front of the key. */
function base64(before: number): string {
  const byte = (index: number): number => (index < before ? 0x40 : byteAt(index - before));
  let text = '';
  for (let i = 0; i < KEY_BYTES + before; i += 3) {
    const group = (byte(i) << 16) | (byte(i + 1) << 8) | byte(i + 2);
    for (const shift of [18, 12, 6, 0]) text += BASE64[(group >> shift) & 63] ?? '';
  }
  return text;
}

function bytes(pad: number, from = 0, count = KEY_BYTES): Uint8Array {
  const made = new Uint8Array(count);
  for (let i = 0; i < count; i++) made[i] = byteAt(from + i) ^ pad;
  return made;
}

function swapped(pad: number): Uint8Array {
  const made = new Uint8Array(KEY_BYTES);
  for (let i = 0; i < KEY_BYTES; i++) made[i ^ 3] = byteAt(i) ^ pad;
  return made;
}

function plantInFlash(): void {
  const partition = flash.open({ path: 'latchkey' });
  partition.eraseBlock(0);
  for (let at = 0; at < KEY_BYTES; at += FLASH_UNIT_BYTES) partition.write(bytes(0, at, FLASH_UNIT_BYTES), at);
}

/** Into C memory, a byte at a time: JavaScript never holds two of them together. */
function plantInC(): Tls {
  const engine = new Tls({ host: 'nobody.test', roots: [settings.read('root') as ArrayBuffer] });
  for (let i = 0; i < KEY_BYTES; i++) engine.feed(Uint8Array.of(byteAt(i)));
  return engine;
}

const PLANTERS: Readonly<Record<string, () => void>> = {
  nothing: () => {},
  raw: () => kept.push(bytes(0)),
  garbage: () => void bytes(0),
  half: () => kept.push(bytes(0, 16, 16)),
  swapped: () => kept.push(swapped(0)),
  'hex-lower': () => kept.push(hex('0123456789abcdef')),
  'hex-upper': () => kept.push(hex('0123456789ABCDEF')),
  'base64-0': () => kept.push(base64(0)),
  'base64-1': () => kept.push(base64(1)),
  'base64-2': () => kept.push(base64(2)),
  'inner-pad': () => kept.push(bytes(INNER_PAD)),
  'outer-pad': () => kept.push(bytes(OUTER_PAD)),
  'inner-pad-swapped': () => kept.push(swapped(INNER_PAD)),
  c: () => kept.push(plantInC()),
  flash: plantInFlash,
  settings: () => storage.open({ path: 'scan', mode: 'r+', format: 'string' }).write('leak', hex('0123456789abcdef')),
  line: () => board.print(JSON.stringify({ event: 'leak', text: base64(0) })),
};

/** What the signer does, with the device's own key: nothing runs after it that could cover its traces. */
const USES: Readonly<Record<string, () => void>> = {
  sign: () => void signSas(0, RESOURCE, EXPIRY_SECONDS),
  derive: () => {
    derive(0, LABEL, RAM_SLOT);
    signSas(RAM_SLOT, RESOURCE, EXPIRY_SECONDS);
  },
};

PLANTERS[plant]?.();
board.onStop = () => board.exit(kept.length > 1 ? 1 : 0);
board.print(JSON.stringify({ event: 'planted', plant, known: plant in PLANTERS || plant in USES }));
USES[plant]?.();
