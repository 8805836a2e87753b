import { createHmac, randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { writeKeyFile } from '../../host-sim/board/key-file.ts';
import { useBoard } from '../fakes/board-fixture.ts';

const RESOURCE = 'hub.test/devices/dev1';
const key = randomBytes(32);
const fixture = useBoard('32-bit');

/** Runs `body` on a board whose slot 0 signs for RESOURCE; gives the lines it printed. */
async function run(body: string): Promise<readonly unknown[]> {
  const device = fixture.newDevice();
  mkdirSync(device, { mode: 0o700 });
  writeKeyFile(join(device, 'keys.bin'), [{ slot: 0, keyBase64: key.toString('base64'), prefixes: [RESOURCE] }]);
  const { lines, exit } = await fixture.run(`
    const { signSas, derive, erase, backend } = hostModules["latchkey/signer"];
    const now = Math.floor(Date.now() / 1000);
    const kind = (action) => { try { return { value: action() }; } catch (error) { return { name: error.name, code: error.code, message: error.message }; } };
    ${body}
    board.exit(0);
  `, { device });
  expect(exit.code).toBe(0);
  return lines;
}

test('signSas gives the signature that Node computes, and charges for it', async () => {
  const lines = await run(`
    const before = board.computeUnits;
    const signature = signSas(0, "${RESOURCE}", now + 60);
    print({ signature, expiry: now + 60, units: board.computeUnits - before });
  `);
  const { signature, expiry, units } = lines[0] as { signature: string; expiry: number; units: number };
  expect(signature).toBe(createHmac('sha256', key).update(`${RESOURCE}\n${expiry}`).digest('base64'));
  expect(units).toBeGreaterThan(5 * 85);
  expect(units).toBeLessThan(20_000); // the budget for a whole token
});

test('derive, backend and erase answer as their types say', async () => {
  const lines = await run(`
    print({ answers: [backend(0), backend(1), backend(8), derive(0, "label", 8), backend(8), signSas(8, "${RESOURCE}", now + 60).length,
      erase(8), backend(8), erase(0), backend(0)].map((value) => value === undefined ? "undefined" : value) });
  `);
  expect(lines).toEqual([{ answers: ['file', 'undefined', 'undefined', 'undefined', 'derived', 44, 'undefined', 'undefined', 'undefined', 'undefined'] }]);
});

test.each([
  ['an empty slot', 'signSas(1, "hub.test/devices/dev1", now + 60)', 'Error', 'ERR_SIGNER_SLOT'],
  ['another resource', 'signSas(0, "hub.test/devices/dev2", now + 60)', 'Error', 'ERR_SIGNER_RESOURCE'],
  ['a resource with a NUL', 'signSas(0, "hub.test/devices/dev1\\0", now + 60)', 'Error', 'ERR_SIGNER_RESOURCE'],
  ['an expiry in 400 days', 'signSas(0, "hub.test/devices/dev1", now + 400 * 86400)', 'Error', 'ERR_SIGNER_EXPIRY'],
  ['an expiry with a fraction', 'signSas(0, "hub.test/devices/dev1", now + 0.5)', 'RangeError', undefined],
  ['an expiry of NaN', 'signSas(0, "hub.test/devices/dev1", NaN)', 'RangeError', undefined],
  ['a slot of -1', 'signSas(-1, "hub.test/devices/dev1", now)', 'RangeError', undefined],
  ['a slot of 16', 'backend(16)', 'RangeError', undefined],
  ['a slot that is text', 'backend("0")', 'TypeError', undefined],
  ['a resource that is an object', 'signSas(0, { toString() { return "hub.test/devices/dev1"; } }, now)', 'TypeError', undefined],
  ['two arguments', 'signSas(0, "hub.test/devices/dev1")', 'TypeError', undefined],
  ['a label that is empty', 'derive(0, "", 8)', 'Error', 'ERR_SIGNER_LABEL'],
  ['a derived key in a slot of the file', 'derive(0, "label", 1)', 'Error', 'ERR_SIGNER_SLOT'],
])('%s is refused', async (_, expression, name, code) => {
  expect(await run(`print(kind(() => ${expression}));`)).toEqual([expect.objectContaining(code === undefined ? { name } : { name, code })]);
});

test('there is nothing in the module but these six', async () => {
  expect(await run('print({ names: Object.getOwnPropertyNames(hostModules["latchkey/signer"]).sort() });')).toEqual([{ names: ['backend', 'check', 'derive', 'erase', 'selfTest', 'signSas'] }]);
});

test('check and selfTest pass on the board, and answer nothing', async () => {
  expect(await run('const { check, selfTest } = hostModules["latchkey/signer"]; print({ answers: [kind(check), kind(selfTest)] });')).toEqual([{ answers: [{}, {}] }]);
});
