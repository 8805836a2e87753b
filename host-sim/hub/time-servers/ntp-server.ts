import { createSocket, type Socket } from 'node:dgram';
import { explainListenError, LOOPBACK } from '../listen.ts';

/** @see RFC 5905, 7.3: the header, without extensions. */
const PACKET_BYTES = 48;
const MODE_CLIENT = 3;
const MODE_SERVER = 4;
const STRATUM_PRIMARY = 1;
/** 2^-20 s: a millisecond clock is no better than that and NTP asks for no more. */
const PRECISION_LOG2 = -20;
const REFERENCE_ID = 'LOCL';
const FIELD = { poll: 2, precision: 3, referenceId: 12, reference: 16, originate: 24, receive: 32, transmit: 40 } as const;

/** 1900 to 1970, RFC 5905, 6: NTP seconds wrap in 2036, which is the client's to know. */
const UNIX_EPOCH_IN_NTP_SECONDS = 2_208_988_800;

/** NTP as a function: the answer to one datagram, or `undefined` for what is no query. */
export function answerNtp(query: Uint8Array, clock: { now(): number }): Uint8Array | undefined {
  const first = query[0] ?? 0;
  const version = (first >> 3) & 7;
  if (query.length < PACKET_BYTES || (first & 7) !== MODE_CLIENT || version < 1 || version > 4) return undefined;
  const answer = new Uint8Array(PACKET_BYTES);
  const view = new DataView(answer.buffer);
  view.setUint8(0, (version << 3) | MODE_SERVER);
  view.setUint8(1, STRATUM_PRIMARY);
  view.setUint8(FIELD.poll, query[FIELD.poll] ?? 0);
  view.setInt8(FIELD.precision, PRECISION_LOG2);
  answer.set(Buffer.from(REFERENCE_ID), FIELD.referenceId);
  // The client knows its query again by this.
  answer.set(query.subarray(FIELD.transmit, PACKET_BYTES), FIELD.originate);
  const nowMs = clock.now();
  for (const field of [FIELD.reference, FIELD.receive, FIELD.transmit]) writeTimestamp(view, field, nowMs);
  return answer;
}

function writeTimestamp(view: DataView, offset: number, unixMs: number): void {
  const seconds = Math.floor(unixMs / 1000);
  view.setUint32(offset, seconds + UNIX_EPOCH_IN_NTP_SECONDS);
  view.setUint32(offset + 4, Math.floor(((unixMs - seconds * 1000) / 1000) * 2 ** 32));
}

export interface NtpOptions {
  /** Two by default, as devices ask two servers. */
  readonly addresses?: readonly string[];
  /** 0 takes a free one, the same on every address. */
  readonly port: number;
  readonly clock: { now(): number };
}

export interface NtpServer {
  readonly addresses: readonly string[];
  readonly port: number;
  close(): Promise<void>;
}

const DEFAULT_ADDRESSES = [LOOPBACK, '127.0.0.2'] as const;

/** Answers NTP over UDP. Where the system has only one loopback address (macOS), the default is that one. @throws ERR_PORT_IN_USE, ERR_PORT_FORBIDDEN, ERR_ADDRESS */
export async function openNtpServer(options: NtpOptions): Promise<NtpServer> {
  const addresses = options.addresses ?? (await hasSecondLoopback() ? DEFAULT_ADDRESSES : [LOOPBACK]);
  const sockets: Socket[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))));
  };
  let { port } = options;
  try {
    for (const address of addresses) {
      const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
      sockets.push(socket);
      await bind(socket, address, port);
      port = socket.address().port;
      socket.on('message', (query, peer) => {
        const answer = answerNtp(query, options.clock);
        // Lost datagrams are UDP's nature: a failed send is one.
        if (answer !== undefined) socket.send(answer, peer.port, peer.address, () => {});
      });
      socket.on('error', () => {});
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { addresses, port, close };
}

function bind(socket: Socket, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', (error: NodeJS.ErrnoException) => reject(explainListenError(error, address, port)));
    socket.bind(port, address, resolve);
  });
}

/** Linux answers on all of 127.0.0.0/8, others on 127.0.0.1 only. */
async function hasSecondLoopback(): Promise<boolean> {
  const socket = createSocket('udp4');
  try {
    await bind(socket, DEFAULT_ADDRESSES[1], 0);
    return true;
  } catch {
    return false;
  } finally {
    socket.close();
  }
}
