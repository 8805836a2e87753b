import { createRequire } from 'node:module';

import { describe, expect, test } from '@jest/globals';

import { AMENDMENTS, SHIMS } from '../../host-sim/bundling/codec-amendments.ts';
import { amend } from '../../host-sim/bundling/codec-plugin.ts';
import { projectPath } from '../../host-sim/board/project-path.ts';
import { bundleCodecs, loadCodecs } from './codec-realms.ts';

/** Codecs and framer, minified: mqtt-packet's parser, writer and constants are 29 KB of it. Flash on the chip, parse time on the board. */
const BUNDLE_BUDGET_BYTES = 48_000;

const require = createRequire(projectPath('package.json'));

interface Numbers {
  generateNumber(number: number): Uint8Array;
  generate4ByteBuffer(number: number): Uint8Array;
  genBufVariableByteInt(number: number): Uint8Array;
}

test(`bundles codecs and framer into less than ${BUNDLE_BUDGET_BYTES} bytes`, async () => {
  const bytes = Buffer.byteLength(await bundleCodecs());
  console.info(`codecs and framer, minified: ${bytes} bytes`);
  expect(bytes).toBeLessThan(BUNDLE_BUDGET_BYTES);
  expect(bytes).toBeGreaterThan(BUNDLE_BUDGET_BYTES / 2);
});

test('loads among the built-ins of ECMAScript alone, without one of Node or of a browser', async () => {
  const absent = ['Buffer', 'process', 'require', 'TextEncoder', 'TextDecoder', 'atob', 'btoa', 'setTimeout', 'queueMicrotask', 'console'];
  const guard = absent
    .map((name) => `Object.defineProperty(globalThis, '${name}', { get() { throw new Error('${name} was read') }, configurable: true });`)
    .join('');
  const codecs = await loadCodecs('bundled', guard);
  expect(new codecs.MqttPacketCodec().decode(Uint8Array.of(0xd0, 0))).toEqual({ type: 'pingresp' });
  expect(codecs.decodeBase64(codecs.encodeBase64(Uint8Array.of(1, 2, 3)))).toHaveLength(3);
});

describe('the numbers shim', () => {
  const shim = require(projectPath(`firmware/codecs/${SHIMS['./numbers']}`)) as Numbers;
  const original = require('mqtt-packet/numbers') as Numbers;

  test('writes every 16-bit number as mqtt-packet does', () => {
    for (let number = 0; number <= 0xffff; number++) {
      const [high, low] = shim.generateNumber(number);
      if (((high! << 8) | low!) !== number) throw new Error(`${number} became ${high}, ${low}`);
    }
    for (const number of [0, 1, 255, 256, 0x1234, 0xffff]) {
      expect([...shim.generateNumber(number)]).toEqual([...original.generateNumber(number)]);
    }
  });

  test.each([0, 1, 127, 128, 129, 255, 256, 16_383, 16_384, 16_385, 2_097_151, 2_097_152, 268_435_455])('[MQTT-2.2.3] writes remaining length %i as mqtt-packet does', (number) => {
    expect([...shim.genBufVariableByteInt(number)]).toEqual([...original.genBufVariableByteInt(number)]);
    expect([...shim.generate4ByteBuffer(number)]).toEqual([...original.generate4ByteBuffer(number)]);
  });
});

test.each([...new Set(AMENDMENTS.map(({ file }) => file))])('refuses to bundle %s when it is not the source that the amendments were written for', (file) => {
  const problem = { errors: [{ text: expect.stringContaining(`${file} is not as it was`) }] };
  expect(amend(file, 'module.exports = {}')).toEqual(problem);
});
