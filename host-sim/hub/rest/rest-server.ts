import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../time/clock.ts';
import type { AccessDenial, AccessGrant, AccessRequest } from '../access/authorize.ts';
import { DEFAULT_REST_LIMITS, type RestLimits } from './limits.ts';
import { RequestHandler } from './request-handler.ts';
import { RestConnection } from './rest-connection.ts';
import type { RestEvent } from './rest-events.ts';
import type { Throttles } from '../throttles/throttles.ts';
import { RouteTable, type Route } from './route.ts';

export interface RestServerOptions {
  readonly hubName: string;
  readonly clock: Clock;
  /** The hub's clock with its offset, milliseconds since 1970. */
  readonly now: () => number;
  readonly routes: readonly Route[];
  readonly authorize: (request: AccessRequest) => AccessGrant | AccessDenial;
  /** The rates of the hub; none when not given. */
  readonly throttles?: Throttles | undefined;
  readonly emit: (event: RestEvent | { readonly event: 'connectionRejected'; readonly peer: string; readonly limit: number }) => void;
  readonly limits?: Partial<RestLimits>;
  /** Whether a request may be looked at at all; others are answered 403 before anything of them is read. */
  readonly admits?: (request: IncomingMessage) => boolean;
  /** Whether requests must say which version of IoT Hub's API they speak. Default: they must. */
  readonly isVersioned?: boolean;
}

/** The service API over HTTP/1.1. It takes the plaintext side of TLS connections, listens nowhere and has no timers but the hub's clock. */
export class RestServer {
  readonly #options: RestServerOptions;
  readonly #limits: RestLimits;
  readonly #server: Server;
  readonly #connections = new Map<Duplex, RestConnection>();

  constructor(options: RestServerOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_REST_LIMITS, ...options.limits };
    const handler = new RequestHandler(options, new RouteTable(options.routes), this.#limits);
    const take = (request: IncomingMessage, response: ServerResponse): void => {
      const connection = this.#connections.get(request.socket);
      if (connection?.begin(request, response) === true) void handler.handle(request, response, connection);
    };
    // Node's own time-outs need a listening server and its clock; `RestConnection` watches instead.
    this.#server = createServer({ maxHeaderSize: this.#limits.headerBytes, headersTimeout: 0, requestTimeout: 0, keepAliveTimeout: 0, insecureHTTPParser: false, requireHostHeader: false });
    this.#server.timeout = 0;
    this.#server.maxHeadersCount = this.#limits.headerCount;
    this.#server.on('request', take);
    // A body is asked for after its request was authorized.
    this.#server.on('checkContinue', take);
    this.#server.on('checkExpectation', (_request, response) => void response.writeHead(417, { Connection: 'close', 'Content-Length': 0 }).end());
    this.#server.on('clientError', (error: NodeJS.ErrnoException, stream) => this.#connections.get(stream)?.breakOff(error));
  }

  /** The server owns the stream from now on. */
  accept(stream: Duplex, peer: string): void {
    if (this.#connections.size >= this.#limits.connections) {
      stream.on('error', () => {});
      stream.destroy();
      this.#options.emit({ event: 'connectionRejected', peer, limit: this.#limits.connections });
      return;
    }
    const { clock, emit } = this.#options;
    this.#connections.set(stream, new RestConnection(stream, peer, { clock, limits: this.#limits, emit }));
    stream.once('close', () => this.#connections.delete(stream));
    this.#server.emit('connection', stream);
  }

  /** Breaks every connection. */
  close(): void {
    for (const stream of this.#connections.keys()) stream.destroy();
  }
}

