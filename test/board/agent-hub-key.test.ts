import { createHmac } from 'node:crypto';

import { afterEach, beforeAll, expect, test } from '@jest/globals';

import { hubKeyLabel } from '../../firmware/agent/hub-key.ts';
import { HUB_NAME } from '../../host-sim/simulation/hub-side.ts';
import { DEVICE_ID, type DeviceSettings } from '../fakes/agent-board-device.ts';
import { openHubBoard } from '../fakes/agent-board-hub.ts';
import { buildAgent, type AgentBoard, type AgentPrograms } from '../fakes/agent-board.ts';

const SECRET = Uint8Array.from({ length: 32 }, (_, index) => 200 - index);
/** What the registry would be given: computed by Node, from the label as the design writes it. */
const hubKey = (n: number): Uint8Array => createHmac('sha256', SECRET).update(`latchkey-hub-key-v1\n${HUB_NAME}\n${DEVICE_ID}\n${n}`).digest();

let programs: AgentPrograms;
let board: AgentBoard;

beforeAll(async () => {
  programs = await buildAgent('32-bit');
}, 300_000);

afterEach(() => board.remove());

/** A board that holds the secret, at a hub that knows hub key `n`. */
async function start(n: number, settings: DeviceSettings): Promise<Awaited<ReturnType<typeof openHubBoard>>> {
  const world = await openHubBoard({ key: hubKey(n), keys: [SECRET], settings: { ttl: 20, interval: 1000, ...settings } });
  board = world.board;
  board.start(programs);
  return world;
}

test('a device signs with hub key n of its secret, and renews with it', async () => {
  expect(hubKeyLabel(HUB_NAME, DEVICE_ID, 3)).toBe(`latchkey-hub-key-v1\n${HUB_NAME}\n${DEVICE_ID}\n3`);
  const world = await start(3, { keyn: 3 });
  await board.untilEvent('renewed');
  expect(world.ledger.counts()).toMatchObject({ refused: 0 });
});

test.each<[string, DeviceSettings]>([['with another n', { keyn: 4 }], ['with the secret itself', {}]])('a device that signs %s is refused', async (_, settings) => {
  await start(3, settings);
  await board.untilEvent('refused', { returnCode: 5 });
});
