import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** Bundles by version. */
export type FindBundle = (version: number) => Uint8Array | undefined;

/** `/{version}.json`, no leading zero. */
const PATH = /^\/(?:[^?#]*\/)?([1-9]\d{0,9})\.json$/;
const LIMITS = { maxHeaderSize: 4096, requestTimeout: 10_000, headersTimeout: 10_000, keepAliveTimeout: 1 } as const;

/**
 * Answers `GET /{version}.json` with a bundle and everything else with an error: what devices ask for over plain HTTP, since the signatures
 * are what counts. It knows nobody and keeps nothing; any web server with the same files does as well.
 */
export class BundleServer {
  readonly #find: FindBundle;
  readonly #onRequest: (path: string, status: number) => void;
  readonly #server: Server;

  constructor(find: FindBundle, onRequest: (path: string, status: number) => void = () => {}) {
    this.#find = find;
    this.#onRequest = onRequest;
    this.#server = createServer(LIMITS, (request, response) => this.#answer(request, response));
    this.#server.on('clientError', (_error, socket) => socket.destroy());
  }

  /** The plaintext stream of a client. */
  accept(stream: Duplex): void {
    this.#server.emit('connection', stream);
  }

  /** A listening server is its owner's affair: `listener` is for `net.createServer` or the like. */
  get listener(): Server {
    return this.#server;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { method, url = '/' } = request;
    const version = PATH.exec(url)?.[1];
    const bundle = version === undefined ? undefined : this.#find(Number(version));
    const status = method !== 'GET' && method !== 'HEAD' ? 405 : bundle === undefined ? 404 : 200;
    const body = status === 200 && bundle !== undefined ? bundle : Buffer.from(`{"error":${status}}\n`);
    this.#onRequest(url.slice(0, 200), status);
    response.writeHead(status, {
      'Content-Type': 'application/json',
      'Content-Length': body.length,
      'Cache-Control': 'no-cache',
      Connection: 'close',
      ...(status === 405 ? { Allow: 'GET, HEAD' } : {}),
    });
    response.end(method === 'HEAD' ? undefined : body);
  }
}
