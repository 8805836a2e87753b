import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { startBoard, type BoardLine } from '../../host-sim/board/board.ts';
import { buildBoard } from '../../host-sim/board/build.ts';
import { buildFirmware } from '../../host-sim/board/bundle.ts';
import { writeSettings } from '../../host-sim/board/settings.ts';
import { Dps } from '../../host-sim/dps/dps.ts';
import { generateKeyPair } from '../../host-sim/hub/access/symmetric-key.ts';
import { openNtpServer, type NtpServer } from '../../host-sim/hub/time-servers/ntp-server.ts';
import { decodeNvs } from '../../host-sim/nvs/nvs-reader.ts';
import { deriveNvsKeys } from '../../host-sim/nvs/nvs-keys.ts';
import { realClock } from '../../host-sim/time/real-clock.ts';
import { HUB_NAME, openLocalHub, type LocalHub } from '../conformance/local-hub.ts';
import { recordEvidence } from '../evidence.ts';
import { runCommandLine } from '../fakes/cli-run.ts';

/*
 * The images that provisioning makes for a chip, read by the same firmware on the virtual board: its settings out of NVS, its key out of the
 * partition. What differs on the chip is who reads them.
 */

const folder = mkdtempSync(join(tmpdir(), 'latchkey-provisioned-'));
const out = join(folder, 'images');
let local: LocalHub;
let ntp: NtpServer;

beforeAll(async () => {
  local = await openLocalHub();
  ntp = await openNtpServer({ port: 0, clock: realClock });
  writeFileSync(join(folder, 'root.pem'), local.pki.root.certificatePem);
  writeFileSync(join(folder, 'device.txt'), `HostName=${HUB_NAME};DeviceId=dev1`);
});

afterAll(async () => {
  await ntp.close();
  await local.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The records of a `signer` partition as the board's key file: the same, without CRC and padding. */
function toKeyFile(partition: Buffer): Buffer {
  let end = 9;
  for (let record = 0; record < partition.readUInt8(8); record++) end += 6 + partition.readUInt16LE(end + 2) + partition.readUInt16LE(end + 4);
  return partition.subarray(0, end);
}

function writeBoard(device: string, signer: Buffer, nvsKey: string): void {
  mkdirSync(device, { mode: 0o700 });
  const entries = decodeNvs(readFileSync(join(out, 'nvs.bin')), deriveNvsKeys(readFileSync(nvsKey)));
  writeSettings(join(device, 'settings.kv'), {
    latchkey: Object.fromEntries(entries.flatMap(({ namespace, key, type, value }) => (namespace === 'latchkey' && (type === 'string' || type === 'blob') ? [[key, value]] : []))),
  });
  writeFileSync(join(device, 'keys.bin'), toKeyFile(signer), { mode: 0o600 });
}

/** Turns the board on until it is connected. */
async function runUntilConnected(device: string): Promise<readonly BoardLine[]> {
  const { preload, main } = await buildFirmware();
  const lines: BoardLine[] = [];
  const board = startBoard({
    program: await buildBoard({ variant: '64-bit' }), preload, main, device,
    onLine: (line) => {
      lines.push(line);
      if (line.event === 'connected' || line.event === 'credential-refused' || line.event === 'error') board.stop();
    },
  });
  await board.exited;
  return lines;
}

const provision = (args: readonly string[], identity: readonly string[] = ['--connection-string-file', join(folder, 'device.txt')]) => runCommandLine([
  'provision', '--chip', 'esp32c3-qemu', '--release', '--key-store', 'partition', '--ethernet', ...identity, '--telemetry-interval', '1s', '--out', out,
  '--gateway', `localhost:${local.port}`, '--root', join(folder, 'root.pem'), ...ntp.addresses.flatMap((address) => ['--ntp', `${address}:${ntp.port}`]), ...args,
]);

test('encrypted settings, a local hub as gateway, a secret: the firmware comes online with hub key 1, and with key 2 once its settings say so', async () => {
  const nvsKey = join(folder, 'nvs.key');
  expect(await provision(['--new-key', '--save-nvs-key', nvsKey])).toMatchObject({ exitCode: 0, stderr: '' });
  const key = (name: string): Uint8Array => Buffer.from(readFileSync(join(out, name), 'utf8'), 'base64');
  local.hub.registry.add({ deviceId: 'dev1' }, { keys: { primary: key('primary.key'), secondary: key('secondary.key') } });
  const signer = readFileSync(join(out, 'signer.bin'));
  for (const [number, used] of [['1', 'primary'], ['2', 'secondary']] as const) {
    if (number === '2') expect(await provision(['--keep-key', '--key-number', '2', '--nvs-key', nvsKey])).toMatchObject({ exitCode: 0, stderr: '' });
    const device = join(folder, `board${number}`);
    writeBoard(device, signer, nvsKey);
    const lines = await runUntilConnected(device);
    expect(lines.map(({ event }) => event)).toContain('connected');
    expect(local.eventsOf('connected').at(-1)).toMatchObject({ key: used });
  }
  recordEvidence('provisioned-board-online', 2);
});

test('a scope, a registration id and a group key lead to a board that registers itself and comes online, and no image holds the group key', async () => {
  const group = generateKeyPair();
  const dps = new Dps({ idScope: '0ne0000C0DE', clock: realClock, hubs: [local.hub], assigningMs: 100, retryAfterSeconds: 1 });
  try {
    dps.enrolments.set({ id: 'fleet', type: 'group', keys: group });
    const { port } = await dps.listen({ port: 0, tls: { certificateChain: local.pki.serverChainPem, privateKey: local.pki.server.privateKeyPem } });
    const [nvsKey, groupKey] = [join(folder, 'dps-nvs.key'), join(folder, 'group.key')];
    writeFileSync(groupKey, Buffer.from(group.primary).toString('base64'));
    const identity = ['--dps-scope', '0ne0000C0DE', '--dps-registration', 'board-9', '--dps-key-file', groupKey, '--dps-group', '--dps-host', `localhost:${port}`, '--hub', HUB_NAME];
    expect(await provision(['--save-nvs-key', nvsKey], identity)).toMatchObject({ exitCode: 0, stderr: '' });
    for (const name of ['nvs.bin', 'signer.bin']) expect(readFileSync(join(out, name)).includes(Buffer.from(group.primary))).toBe(false);
    const device = join(folder, 'registered');
    writeBoard(device, readFileSync(join(out, 'signer.bin')), nvsKey);
    const events = (await runUntilConnected(device)).map(({ event }) => event);
    expect(events).toEqual(expect.arrayContaining(['registering', 'registered', 'connected']));
    expect(local.eventsOf('connected').at(-1)).toMatchObject({ deviceId: 'board-9', key: 'primary' });
    // Turned on again it knows its hub.
    expect((await runUntilConnected(device)).map(({ event }) => event)).not.toContain('registering');
    recordEvidence('provisioned-board-dps', 1);
  } finally {
    await dps.close();
  }
});
