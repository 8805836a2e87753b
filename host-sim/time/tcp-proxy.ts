import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { Link, LinkConnection, LinkEnd } from './link.ts';

/** Bytes on their way above which a sender is not read from. */
const HIGH_WATER_BYTES = 4 * 1024 * 1024;
/** How often a sender that is not read from is looked at again. */
const BACKPRESSURE_POLL_MS = 5;

/** Where a proxy listens, or where it connects to. */
export interface TcpAddress {
  readonly address: string;
  readonly port: number;
}

/** A link in real time: a TCP port that forwards to another through the link. */
export interface TcpProxy extends TcpAddress {
  /** Ends every connection and the port. */
  close(): Promise<void>;
}

/** Reads `socket` into the link, not faster than the link forwards. */
function pump(socket: Socket, connection: LinkConnection, push: (bytes: Uint8Array) => void, end: () => void): void {
  socket.setNoDelay(true);
  socket.on('data', (bytes) => {
    push(bytes);
    if (connection.pendingBytes < HIGH_WATER_BYTES) return;
    socket.pause();
    const poll = setInterval(() => {
      if (connection.pendingBytes >= HIGH_WATER_BYTES / 2 && !socket.destroyed) return;
      clearInterval(poll);
      socket.resume();
    }, BACKPRESSURE_POLL_MS);
  });
  socket.on('end', end);
  socket.on('error', () => connection.cut());
}

/**
 * Listens on `listen` (port 0: any free one) and forwards to `target` through `link`.
 *
 * @throws the system's error, EADDRINUSE for one, when the port cannot be had
 */
export async function openTcpProxy(link: Link, target: TcpAddress, listen: TcpAddress = { address: '127.0.0.1', port: 0 }): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const track = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    return socket;
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    track(client);
    let upstream: Socket | undefined;
    const serverEnd: LinkEnd = {
      opened() {
        upstream = track(connect({ host: target.address, port: target.port, allowHalfOpen: true }));
        pump(upstream, connection, (bytes) => connection.dataFromServer(bytes), () => connection.endFromServer());
      },
      data: (bytes) => void upstream?.write(bytes),
      end: () => void upstream?.end(),
      reset: () => void upstream?.resetAndDestroy(),
    };
    const clientEnd: LinkEnd = {
      data: (bytes) => void client.write(bytes),
      end: () => void client.end(),
      reset: () => void client.resetAndDestroy(),
    };
    const connection = link.connect(clientEnd, serverEnd);
    pump(client, connection, (bytes) => connection.dataFromClient(bytes), () => connection.endFromClient());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen.port, listen.address, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    address: listen.address,
    port,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
