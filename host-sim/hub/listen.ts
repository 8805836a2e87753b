import { isIP, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls';
import { HubError } from './hub-error.ts';
import type { HubLimits } from './limits.ts';

export interface ServerCredentials {
  /** Leaf first, then intermediates; PEM. */
  readonly certificateChain: string;
  readonly privateKey: string;
}

export interface ListenOptions {
  /** 0 takes a free one. */
  readonly port: number;
  /** IP address. Default 127.0.0.1. */
  readonly address?: string;
  readonly tls: ServerCredentials;
}

export interface Listener {
  readonly address: string;
  readonly port: number;
  /** Shows new connections another chain. */
  serve(tls: ServerCredentials): void;
  /** Stops listening and breaks what is connected. */
  close(): Promise<void>;
}

/** Where the connections of a TLS server go. */
export interface TlsSink {
  accept(stream: Duplex, peer: string): void;
  failed(peer: string, code: string, detail: string): void;
}

export const LOOPBACK = '127.0.0.1';

/**
 * A TLS 1.2+ server that hands plaintext streams to `sink`. It listens nowhere yet: give it ciphertext streams by
 * `emit('connection', stream)`, as a virtual network does, or call `listenTls`.
 */
export function createTlsServer(tls: ServerCredentials, limits: HubLimits, sink: TlsSink): Server {
  const server = createServer({
    ...secureContextOf(tls),
    handshakeTimeout: limits.connectTimeoutMs,
    noDelay: true,
  });
  server.maxConnections = limits.connections;
  server.on('secureConnection', (socket) => sink.accept(socket, formatPeer(socket)));
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => sink.failed(formatPeer(socket), error.code ?? 'ERR_TLS', error.message));
  return server;
}

/** @throws ERR_PORT_IN_USE, ERR_PORT_FORBIDDEN, ERR_ADDRESS */
export async function listenTls(options: ListenOptions, limits: HubLimits, sink: TlsSink): Promise<Listener> {
  const address = options.address ?? LOOPBACK;
  if (isIP(address) === 0) throw new HubError('ERR_ADDRESS', `no IP address: ${JSON.stringify(address)}`, 'use an address of this machine, such as 127.0.0.1');
  const server = createTlsServer(options.tls, limits, sink);
  const sockets = new Set<Socket>();
  const track = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  };
  server.on('connection', track);
  server.on('secureConnection', track);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explainListenError(error, address, options.port)));
    server.listen(options.port, address, resolve);
  });
  const bound = server.address() as AddressInfo;
  return {
    address: bound.address,
    port: bound.port,
    serve: (credentials) => server.setSecureContext(secureContextOf(credentials)),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function secureContextOf({ certificateChain, privateKey }: ServerCredentials): SecureContextOptions {
  return { cert: certificateChain, key: privateKey, minVersion: 'TLSv1.2' };
}

function formatPeer(socket: TLSSocket): string {
  return socket.remoteAddress === undefined ? 'unknown' : `${socket.remoteAddress}:${socket.remotePort}`;
}

/** What a failed `listen` or `bind` means to the user, with the way out. */
export function explainListenError(cause: NodeJS.ErrnoException, address: string, port: number): HubError {
  const where = `${address}:${port}`;
  switch (cause.code) {
    case 'EADDRINUSE':
      return new HubError('ERR_PORT_IN_USE', `${where} is in use`, 'end the program that has it (ss -ltnup shows it), or choose another --port; 0 takes a free one', { cause });
    case 'EACCES':
      return new HubError('ERR_PORT_FORBIDDEN', `this user may not open ${where}`, 'ports below 1024 need rights: choose another --port, or run with CAP_NET_BIND_SERVICE', { cause });
    case 'EADDRNOTAVAIL':
      return new HubError('ERR_ADDRESS', `${address} is no address of this machine`, 'use 127.0.0.1, or an address that "ip address" shows', { cause });
    default:
      return new HubError('ERR_ADDRESS', `cannot listen on ${where}: ${cause.code ?? cause.message}`, 'check --address and --port', { cause });
  }
}
