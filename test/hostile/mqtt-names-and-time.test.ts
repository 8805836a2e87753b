import { createServer, type TLSSocket } from 'node:tls';

import { afterEach, beforeAll, expect, test } from '@jest/globals';

import type { DevelopmentPki } from '../../certs/development-pki.ts';
import { answerNtp } from '../../host-sim/hub/time-servers/ntp-server.ts';
import type { VirtualSocket } from '../../host-sim/time/virtual-socket.ts';
import { HUB_NAME, type DeviceSettings } from '../fakes/agent-board-device.ts';
import { MqttPeer } from '../fakes/agent-board-peer.ts';
import { createTestPki } from '../fakes/agent-board-pki.ts';
import { AgentBoard, buildAgent, type AgentPrograms } from '../fakes/agent-board.ts';
import { recordEvidence } from '../evidence.ts';
import { DATE_CASES, NTP_CASES, dateHead, type DateCase, type NtpLie } from './mqtt/time-cases.ts';

const DATE_NAME = 'date.test';
const HUB_ADDRESS = '192.0.2.1';
const LIAR_ADDRESS = '192.0.2.66';
const NTP_ADDRESSES = ['192.0.2.2', '192.0.2.3'] as const;
const KEY = new Uint8Array(32).fill(0x5a);
const DAY_MS = 24 * 3600 * 1000;
/** So that one thing comes after the other. */
const DELAY_MS = 10;

let programs: AgentPrograms;
let right: DevelopmentPki;
/** The board trusts its root too. */
let otherName: DevelopmentPki;
let otherRoot: DevelopmentPki;
let board: AgentBoard;
let hub: MqttPeer;
let liesMet = 0;

beforeAll(async () => {
  programs = await buildAgent();
  right = await createTestPki([HUB_NAME, DATE_NAME]);
  otherName = await createTestPki(['other.azure-devices.net']);
  otherRoot = await createTestPki([HUB_NAME, DATE_NAME]);
}, 300_000);

afterEach(() => board.remove());

/** A board that is off, and an honest hub. */
function setUp(settings: DeviceSettings, deviceClockMs?: number): void {
  board = new AgentBoard({ roots: [right, otherName].map(({ root }) => root.certificateDer), keys: [KEY], settings, delayMs: DELAY_MS, ...(deviceClockMs !== undefined && { deviceClockMs }) });
  hub = new MqttPeer(right, board.clock);
  board.names.set(HUB_NAME, HUB_ADDRESS);
  board.tcp.set(`${HUB_ADDRESS}:8883`, hub.accept);
}

const tellTime = (lie: NtpLie): void => {
  for (const address of NTP_ADDRESSES) {
    board.udp.set(`${address}:123`, (query) => {
      const answer = answerNtp(query, board.clock);
      return answer === undefined ? undefined : lie(answer);
    });
  }
};

async function expectAllDelivered(): Promise<void> {
  expect(await board.stop()).toMatchObject({ code: 0 });
  const done = board.events('done')[0]!;
  expect(done['acked']).toBe(done['sent']);
  expect(hub.acknowledged.size).toBe(done['sent']);
  liesMet++;
}

const LYING_NAMES = [
  { name: 'a server with the certificate of another name', code: 'ERR_TLS_HOSTNAME', pki: () => otherName, address: LIAR_ADDRESS },
  { name: 'a server with the certificate of another root', code: 'ERR_TLS_UNTRUSTED_ISSUER', pki: () => otherRoot, address: LIAR_ADDRESS },
  { name: 'an address where nobody listens', code: 'ERR_TCP', pki: undefined, address: '192.0.2.99' },
  { name: 'no address', code: 'ERR_DNS', pki: undefined, address: '' },
] as const;

test.each(LYING_NAMES)('a DNS that leads to $name makes $code and no CONNECT, also with a session to resume; once it is right again, all arrives', async ({ code, pki, address }) => {
  setUp({ interval: 500 });
  const liar = pki === undefined ? undefined : new MqttPeer(pki(), board.clock);
  const twin = new MqttPeer(right, board.clock);
  board.start(programs);
  await board.untilEvent('connected');
  // The twin stands where the liar will stand, with the right certificate.
  board.tcp.set(`${LIAR_ADDRESS}:8883`, twin.accept);
  board.names.set(HUB_NAME, LIAR_ADDRESS);
  hub.dropConnections();
  await board.untilEvent('connected');
  expect(twin.connects).toHaveLength(1);
  for (const n of hub.acknowledged) twin.acknowledged.add(n);

  if (liar !== undefined) board.tcp.set(`${LIAR_ADDRESS}:8883`, liar.accept);
  board.names.set(HUB_NAME, address);
  twin.dropConnections();
  await board.untilEvent('open-failed', { code });
  await board.untilEvent('open-failed', { code });
  expect(board.events('open-failed').map((line) => line['code'])).toEqual(board.events('open-failed').map(() => code));
  expect(liar?.connections ?? []).toEqual([]);

  for (const n of twin.acknowledged) hub.acknowledged.add(n);
  board.names.set(HUB_NAME, HUB_ADDRESS);
  await board.untilEvent('connected');
  await expectAllDelivered();
});

test.each(NTP_CASES)('NTP that tells $name is not believed: a board of 1970 opens no TLS, says why, and comes online once NTP is right', async ({ lie, says }) => {
  setUp({ interval: 500, ntp0: NTP_ADDRESSES[0], ntp1: NTP_ADDRESSES[1] }, 0);
  let opened = 0;
  hub.script = { onTcp: (socket, peer) => (opened++, peer.secure(socket)) };
  tellTime(lie);
  board.start(programs);
  await board.untilEvent('clock-trouble', says);
  await board.runFor(60_000);
  expect(opened).toBe(0);
  expect(board.events('clock').map(({ level }) => level)).toEqual(['unset']);

  tellTime((answer) => answer);
  await board.untilEvent('clock', { level: 'network' });
  await board.untilEvent('connected');
  await expectAllDelivered();
});

test('of two NTP servers an hour apart the earlier one is believed, and it is said; two that agree are believed in silence', async () => {
  for (const apartMs of [3_600_000, 0]) {
    setUp({ interval: 500, ntp0: NTP_ADDRESSES[0], ntp1: NTP_ADDRESSES[1] }, 0);
    NTP_ADDRESSES.forEach((address, index) => board.udp.set(`${address}:123`, (query) => answerNtp(query, { now: () => board.clock.now() + index * apartMs })));
    board.start(programs);
    await board.untilEvent('connected');
    expect(board.events('clock-trouble')).toEqual(apartMs === 0 ? [] : [expect.objectContaining({ code: 'ERR_NTP_DISAGREES', detail: apartMs })]);
    await expectAllDelivered();
    if (apartMs > 0) await board.remove();
  }
});

/** An HTTPS server in the virtual network. */
function httpsServer(pki: DevelopmentPki, answer: (socket: TLSSocket) => void): (socket: VirtualSocket) => void {
  const server = createServer({ cert: pki.serverChainPem, key: pki.server.privateKeyPem });
  server.on('tlsClientError', () => {});
  server.on('secureConnection', (socket) => {
    socket.on('error', () => {});
    socket.once('data', () => answer(socket));
  });
  return (socket) => {
    socket.on('error', () => {});
    server.emit('connection', socket);
  };
}

function pkiOf({ certificate }: DateCase): DevelopmentPki {
  if (certificate === undefined) return right;
  return certificate === 'of another name' ? otherName : otherRoot;
}

test.each(DATE_CASES)('HTTPS that tells $name confirms no clock and keeps nobody offline; a right one confirms it', async (given) => {
  setUp({ interval: 60_000, ntp0: NTP_ADDRESSES[0], ntp1: NTP_ADDRESSES[1], date: DATE_NAME }, 0);
  tellTime((answer) => answer);
  board.names.set(DATE_NAME, LIAR_ADDRESS);
  board.tcp.set(`${LIAR_ADDRESS}:443`, httpsServer(pkiOf(given), given.lie));
  board.start(programs);
  await board.untilEvent('clock-trouble', { code: given.code });
  if (board.events('connected').length === 0) await board.untilEvent('connected');
  expect(board.events('clock').map(({ level }) => level)).toEqual(['unset', 'network']);

  board.tcp.set(`${LIAR_ADDRESS}:443`, httpsServer(right, (socket) => void socket.end(dateHead(`Date: ${new Date(board.clock.now()).toUTCString()}`))));
  await board.untilEvent('clock', { level: 'confirmed' }, 1.1 * DAY_MS);
  await expectAllDelivered();
});

test('every lie was met', () => {
  // Of the disagreement the good twin is a board of its own.
  const lies = LYING_NAMES.length + NTP_CASES.length + 1 + DATE_CASES.length;
  expect(liesMet).toBe(lies + 1);
  recordEvidence('name-and-time-lies', lies);
});
