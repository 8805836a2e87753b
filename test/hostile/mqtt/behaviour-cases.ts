import { seededRandom } from '../../../host-sim/time/seeded-random.ts';
import type { DeviceSettings } from '../../fakes/agent-board-device.ts';
import type { PeerConnection, PeerScript } from '../../fakes/agent-board-peer.ts';
import { cloudMessage, packet, text } from './bytes.ts';

/** Two peers that differ in the defect only, which is not in the bytes of one packet. */
export interface BehaviourCase {
  readonly name: string;
  readonly good: PeerScript;
  readonly bad: PeerScript;
  /** What the agent says of the bad one; `undefined`: nothing, and the connection holds. */
  readonly says: Readonly<Record<string, unknown>> | undefined;
  /** Of a board of its own. */
  readonly settings?: DeviceSettings;
  /** How long the good one is watched; default 2 s. */
  readonly watchMs?: number;
}

/** Times of firmware/agent/limits.ts, met by a second. */
const OPEN_TIMEOUT_MS = 30_000;
const CONNACK_TIMEOUT_MS = 20_000;
const PUBACK_TIMEOUT_MS = 10_000;
const PING_TIMEOUT_MS = 10_000;
const MARGIN_MS = 1000;

const MESSAGE = packet(0x30, text('a'), '21');
const HALF_BYTES = 3;
const LARGE_BYTES = 100_000;
const GARBAGE_BYTES = 4096;
const FLOOD_BURSTS = 100;
const PACKETS_IN_BURST = 200;
const QUIET: DeviceSettings = { keepalive: 5, interval: 60_000 };

/** What comes behind the SUBACK. */
function afterGrant(action: (connection: PeerConnection) => void): PeerScript {
  return {
    onSubscribe(connection, subscribe) {
      connection.grant(subscribe);
      action(connection);
    },
  };
}

function afterConnack(action: (connection: PeerConnection) => void): PeerScript {
  return {
    onConnect(connection) {
      connection.accept();
      action(connection);
    },
  };
}

/** The same packets for a while, many at once. */
function flood(digits: string, bursts: number, packetsInBurst: number): PeerScript {
  return afterGrant((connection) => {
    for (let burst = 0; burst < bursts; burst++) connection.after(10 * burst, () => connection.writeHex(digits.repeat(packetsInBurst)));
  });
}

/** Half a packet; the rest, and everything else, after a pause. */
function halves(digits: string, splitAtByte: number, pauseMs: number | undefined): PeerScript {
  const all = digits.replaceAll(' ', '');
  return afterGrant((connection) => {
    connection.writeHex(all.slice(0, 2 * splitAtByte));
    connection.hold(pauseMs);
    connection.writeHex(all.slice(2 * splitAtByte));
  });
}

function garbage(): Uint8Array {
  const random = seededRandom(11);
  return Uint8Array.from({ length: GARBAGE_BYTES }, () => 256 * random());
}

const repeated = (digits: string, byteCount: number): string => digits.repeat(Math.floor(byteCount / (digits.replaceAll(' ', '').length / 2)));

export const BEHAVIOUR_CASES: readonly BehaviourCase[] = [
  {
    name: 'a server that accepts TCP and is silent',
    good: { onTcp: (socket, peer) => void peer.clock.setTimer(OPEN_TIMEOUT_MS - MARGIN_MS, () => peer.secure(socket)) },
    bad: { onTcp: () => {} },
    says: { event: 'open-failed', code: 'ERR_TIMEOUT' },
  },
  {
    name: 'a server that closes TCP at once',
    good: {},
    bad: { onTcp: (socket, peer) => void peer.clock.setTimer(1, () => socket.destroy()) },
    says: { event: 'open-failed', code: 'ERR_TLS_CLOSED' },
  },
  {
    name: 'a server that speaks MQTT without TLS',
    good: {},
    bad: { onTcp: (socket) => void socket.write(Buffer.of(0x20, 2, 0, 0)) },
    says: { event: 'open-failed', code: 'ERR_TLS_PROTOCOL' },
  },
  {
    name: 'a server that ends TLS before the CONNACK',
    good: {},
    bad: { onSecure: (connection) => void connection.socket.end() },
    says: { event: 'open-failed', code: 'ERR_LINK_ENDED' },
  },
  {
    name: 'a server that never answers CONNECT',
    good: { onConnect: (connection) => connection.after(CONNACK_TIMEOUT_MS - MARGIN_MS, () => connection.accept()) },
    bad: { onConnect: () => {} },
    says: { event: 'open-failed', code: 'ERR_TIMEOUT' },
  },
  {
    name: 'a server that ends the connection right after the CONNACK',
    good: {},
    bad: afterConnack((connection) => void connection.socket.end()),
    says: { event: 'disconnected', code: 'ERR_LINK_ENDED' },
  },
  {
    name: 'a server that is gone right after the CONNACK, without close_notify',
    good: {},
    bad: afterConnack((connection) => connection.after(1, () => connection.socket.destroy())),
    says: { event: 'disconnected', code: 'ERR_LINK_LOST' },
  },
  {
    name: 'a server that acknowledges nothing',
    good: { onPublish: (connection, publish) => connection.after(PUBACK_TIMEOUT_MS - MARGIN_MS, () => connection.acknowledge(publish)) },
    bad: { onPublish: () => {} },
    says: { event: 'disconnected', code: 'ERR_HUB_SILENT' },
    watchMs: 2 * PUBACK_TIMEOUT_MS,
  },
  {
    name: 'a server that closes in the middle of a packet',
    good: halves(MESSAGE, HALF_BYTES, 5000),
    bad: afterGrant((connection) => {
      connection.writeHex(MESSAGE.replaceAll(' ', '').slice(0, 2 * HALF_BYTES));
      connection.socket.end();
    }),
    watchMs: 8000,
    says: { event: 'disconnected', code: 'ERR_LINK_ENDED' },
  },
  {
    name: 'garbage behind the SUBACK',
    good: afterGrant((connection) => connection.writeHex(repeated(MESSAGE, GARBAGE_BYTES))),
    bad: afterGrant((connection) => connection.write(garbage())),
    says: { event: 'disconnected', code: 'ERR_PROTOCOL' },
  },
  {
    name: 'endless PUBACKs for unknown ids',
    good: flood('40 02 ff fe', 1, 1),
    bad: flood('40 02 ff fe', FLOOD_BURSTS, PACKETS_IN_BURST),
    says: undefined,
  },
  {
    name: 'endless PINGRESPs',
    good: flood('d0 00', 1, 1),
    bad: flood('d0 00', FLOOD_BURSTS, PACKETS_IN_BURST),
    says: undefined,
  },
  {
    name: 'endless empty messages',
    good: flood(cloudMessage(0), 1, 1),
    bad: flood(cloudMessage(0), FLOOD_BURSTS, 10),
    says: undefined,
  },
  {
    name: 'ten times as many messages at once as IoT Hub keeps for a device',
    good: flood(cloudMessage(10, 1), 1, 50),
    bad: flood(cloudMessage(10, 1), 1, 500),
    says: { event: 'disconnected', code: 'ERR_LINK_STALLED' },
  },
  {
    name: 'a packet that never ends',
    good: halves(cloudMessage(LARGE_BYTES), LARGE_BYTES, PUBACK_TIMEOUT_MS - MARGIN_MS),
    bad: halves(cloudMessage(LARGE_BYTES), LARGE_BYTES, undefined),
    says: { event: 'disconnected', code: 'ERR_HUB_SILENT' },
    watchMs: 2 * PUBACK_TIMEOUT_MS,
  },
  {
    name: 'a server that answers no ping',
    good: { onPing: (connection) => connection.after(PING_TIMEOUT_MS - MARGIN_MS, () => connection.send({ cmd: 'pingresp' })) },
    bad: { onPing: () => {} },
    says: { event: 'disconnected', code: 'ERR_HUB_SILENT' },
    settings: QUIET,
    watchMs: 120_000,
  },
];
