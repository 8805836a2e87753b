import type { IncomingHttpHeaders } from 'node:http';
import type { AccessGrant } from '../access/authorize.ts';
import type { Permission } from '../access/sas.ts';
import type { ThrottledOperation } from '../throttles/limits.ts';
import type { ErrorForm } from './error-answer.ts';

/** A request that is authorized, with its body read. */
export interface RestRequest {
  readonly method: string;
  /** As the route has it, such as `/devices/:deviceId`. */
  readonly route: string;
  /** What stood where the route has a name, percent-decoded once; `deviceId` and `moduleId` are valid ids. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** Names as the client wrote them, each followed by its value. */
  readonly rawHeaders: readonly string[];
  /** Of a route of `bytes` a Buffer; else parsed JSON, bounded in size and depth; a value of anybody's making, with own `__proto__` members if the client sent such. `undefined` without a body. */
  readonly body: unknown;
  readonly grant: AccessGrant;
  /** The hub's clock, milliseconds since 1970. */
  readonly nowMs: number;
  /** Aborted when the client is gone before its answer. */
  readonly gone: AbortSignal;
}

export interface RestResponse {
  readonly status: number;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as they are, instead of `body`. */
  readonly bytes?: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One operation of the service API. */
export interface Route {
  readonly method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  /** Segments behind the host, `:name` for any one segment. A literal segment goes before a name. */
  readonly path: string;
  /** A policy needs one of these. */
  readonly permissions: readonly Permission[];
  /** The identity named by `:deviceId` and `:moduleId` may call it with its own keys: a device-facing endpoint. */
  readonly deviceFacing?: true;
  /** What the body is. Default `json`. */
  readonly bodyForm?: 'json' | 'bytes';
  /** How IoT Hub words the errors of this operation. Default `coded`. */
  readonly errorForm?: ErrorForm;
  /** What it counts as where the hub has its rates. */
  readonly throttle?: ThrottledOperation;
  /** Bytes of body that this operation takes, where the common bound is too wide. */
  readonly maxBodyBytes?: number;
  /** @throws ServiceError */
  handle(request: RestRequest): RestResponse | Promise<RestResponse>;
}

/** What a request line asks for. */
export type RouteMatch =
  | { readonly kind: 'route'; readonly route: Route; readonly params: Readonly<Record<string, string>> }
  | { readonly kind: 'method-not-allowed'; readonly allow: readonly string[] }
  | { readonly kind: 'not-found' };

export class RouteTable {
  readonly #routes: readonly (readonly [route: Route, pattern: readonly string[]])[];

  constructor(routes: readonly Route[]) {
    this.#routes = routes.map((route) => [route, route.path.split('/').slice(1)]);
  }

  /** @param segments of the path, each percent-decoded */
  match(method: string, segments: readonly string[]): RouteMatch {
    const fitting = this.#routes.filter(([, pattern]) => fits(pattern, segments));
    const [best] = fitting.filter(([route]) => route.method === method).sort(([, a], [, b]) => countNames(a) - countNames(b));
    if (best !== undefined) return { kind: 'route', route: best[0], params: readParams(best[1], segments) };
    if (fitting.length === 0) return { kind: 'not-found' };
    return { kind: 'method-not-allowed', allow: [...new Set(fitting.map(([route]) => route.method))] };
  }
}

function fits(pattern: readonly string[], segments: readonly string[]): boolean {
  return pattern.length === segments.length && pattern.every((part, index) => part.startsWith(':') || part === segments[index]);
}

function countNames(pattern: readonly string[]): number {
  return pattern.filter((part) => part.startsWith(':')).length;
}

function readParams(pattern: readonly string[], segments: readonly string[]): Readonly<Record<string, string>> {
  const params: Record<string, string> = {};
  pattern.forEach((part, index) => {
    if (part.startsWith(':')) params[part.slice(1)] = segments[index] ?? '';
  });
  return params;
}
