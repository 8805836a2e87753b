import type { IncomingMessage, ServerResponse } from 'node:http';
import { randomUUID } from 'node:crypto';
import { digestToken, type Permission } from '../access/sas.ts';
import type { AccessGrant, AccessRequest } from '../access/authorize.ts';
import { isIdentityName, type Identity } from '../identity.ts';
import { ServiceError } from '../service-error.ts';
import { checkApiVersion } from './api-version.ts';
import { formatError, UNAUTHORIZED } from './error-answer.ts';
import { readBytes, readJsonBody } from './json-body.ts';
import type { RestLimits } from './limits.ts';
import { parseRequestTarget, type RequestTarget } from './request-target.ts';
import type { RestConnection } from './rest-connection.ts';
import type { RestServerOptions } from './rest-server.ts';
import type { RestResponse, Route, RouteMatch, RouteTable } from './route.ts';

/** What an unknown path needs before it may be told unknown: any right of a service. */
const ANY_SERVICE: readonly Permission[] = ['RegistryRead', 'RegistryWrite', 'ServiceConnect'];

const JSON_TYPE = 'application/json; charset=utf-8';

/** Answers requests: rights first, then everything else, so that a stranger learns nothing. */
export class RequestHandler {
  readonly #options: RestServerOptions;
  readonly #routes: RouteTable;
  readonly #limits: RestLimits;

  constructor(options: RestServerOptions, routes: RouteTable, limits: RestLimits) {
    this.#options = options;
    this.#routes = routes;
    this.#limits = limits;
  }

  async handle(request: IncomingMessage, response: ServerResponse, connection: RestConnection): Promise<void> {
    const target = parseRequestTarget(request.url ?? '');
    const method = request.method ?? '';
    // RFC 9112, section 3.2: a request without a Host is answered 400.
    if (target === undefined || request.headers.host === undefined) return this.#send(request, response, { status: 400, headers: { Connection: 'close' } });
    if (this.#options.admits?.(request) === false) return this.#send(request, response, { status: 403, headers: { Connection: 'close' } });
    if (isDateRequest(method, target)) return this.#send(request, response, { status: 200 });
    const match = this.#routes.match(method, target.segments);
    const route = match.kind === 'route' ? match.route : undefined;
    const grant = this.#authorize(request, target, match, connection.peer);
    if (grant === undefined) return this.#sendError(request, response, UNAUTHORIZED, route);
    const identity = readIdentity(match);
    const answered = { event: 'requestAnswered', peer: connection.peer, method, route: route?.path ?? '', ...identity, ...(grant.policy === undefined ? {} : { policy: grant.policy }) } as const;
    try {
      const result = await this.#perform(request, response, target, match, grant);
      this.#options.emit({ ...answered, status: result.status });
      this.#send(request, response, result);
    } catch (error) {
      if (response.destroyed) return;
      const known = this.#explain(error, answered);
      this.#options.emit({ ...answered, status: known.status, code: known.code, detail: known.message });
      if (match.kind === 'method-not-allowed') response.setHeader('Allow', match.allow.join(', '));
      this.#sendError(request, response, known, route);
    }
  }

  #authorize(request: IncomingMessage, target: RequestTarget, match: RouteMatch, peer: string): AccessGrant | undefined {
    const token = request.headers.authorization;
    const route = match.kind === 'route' ? match.route : undefined;
    const identity = route?.deviceFacing === true ? readIdentity(match) : undefined;
    const wanted: AccessRequest = {
      token,
      resource: { host: this.#options.hubName, segments: target.segments },
      permissions: route?.permissions ?? ANY_SERVICE,
      ...(identity === undefined ? {} : { identity }),
    };
    const decision = this.#options.authorize(wanted);
    if (decision.accepted) return decision;
    const { accepted: _, ...why } = decision;
    this.#options.emit({
      event: 'requestRefused', peer, method: request.method ?? '', ...(route === undefined ? {} : { route: route.path }), ...why,
      ...(token === undefined ? {} : { token: digestToken(token) }),
    });
    return undefined;
  }

  /** @throws ServiceError */
  async #perform(request: IncomingMessage, response: ServerResponse, target: RequestTarget, match: RouteMatch, grant: AccessGrant): Promise<RestResponse> {
    if (match.kind === 'not-found') throw new ServiceError(404, 404_000, 'GenericNotFound', 'There is no such operation.');
    if (match.kind === 'method-not-allowed') throw new ServiceError(405, 405_000, 'GenericMethodNotAllowed', `This resource takes ${match.allow.join(', ')}.`);
    const { route, params } = match;
    if (this.#options.isVersioned !== false) checkApiVersion(target.query);
    for (const name of ['deviceId', 'moduleId']) {
      const id = params[name];
      if (id !== undefined && !isIdentityName(id)) throw new ServiceError(400, 400_004, 'ArgumentInvalid', `The ${name} is not valid.`);
    }
    if (route.throttle !== undefined) this.#options.throttles?.take(route.throttle);
    if (request.headers.expect !== undefined) response.writeContinue();
    const bodyBytes = Math.min(route.maxBodyBytes ?? Infinity, this.#limits.bodyBytes);
    const body = route.bodyForm === 'bytes' ? await readBytes(request, bodyBytes) : await readJsonBody(request, { bodyBytes, jsonDepth: this.#limits.jsonDepth });
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    return route.handle({
      method: route.method, route: route.path, params, query: target.query, headers: request.headers, rawHeaders: request.rawHeaders, body, grant,
      nowMs: this.#options.now(), gone: gone.signal,
    });
  }

  #explain(error: unknown, { peer, method, route }: { readonly peer: string; readonly method: string; readonly route: string }): ServiceError {
    if (error instanceof ServiceError) return error;
    this.#options.emit({ event: 'requestFailed', peer, method, route, detail: error instanceof Error ? `${error.name}: ${error.message}` : 'not an error' });
    return new ServiceError(500, 500_001, 'ServerError', 'The hub failed; its events say why.');
  }

  #sendError(request: IncomingMessage, response: ServerResponse, error: ServiceError, route: Route | undefined): void {
    // The same shape for everybody who is refused: the shape of an operation would tell that it exists.
    const answer = formatError(error, this.#options.now(), error === UNAUTHORIZED ? 'coded' : route?.errorForm);
    this.#write(request, response, answer.status, { 'Content-Type': JSON_TYPE, ...answer.headers }, Buffer.from(answer.body));
  }

  #send(request: IncomingMessage, response: ServerResponse, { status, headers = {}, body, bytes }: RestResponse): void {
    if (bytes !== undefined || body === undefined) this.#write(request, response, status, headers, bytes);
    else this.#write(request, response, status, { 'Content-Type': JSON_TYPE, ...headers }, Buffer.from(JSON.stringify(body)));
  }

  #write(request: IncomingMessage, response: ServerResponse, status: number, headers: Readonly<Record<string, string>>, bytes: Buffer | undefined): void {
    if (response.destroyed || response.headersSent) return;
    response.sendDate = false;
    response.setHeader('Date', new Date(this.#options.now()).toUTCString());
    response.setHeader('x-ms-request-id', randomUUID());
    response.setHeader('Cache-Control', 'no-store');
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (status !== 204) response.setHeader('Content-Length', bytes?.length ?? 0);
    if (!canDropBody(request, this.#limits.droppedBytes)) response.setHeader('Connection', 'close');
    response.writeHead(status);
    response.end(request.method === 'HEAD' ? undefined : bytes);
  }
}

/** Whether what is left of the body may be read and forgotten, so that the connection lives on; else it ends with the answer. */
function canDropBody(request: IncomingMessage, droppedBytes: number): boolean {
  if (request.complete) return true;
  const length = request.headers['content-length'];
  return request.headers.expect === undefined && request.headers['transfer-encoding'] === undefined && Number(length ?? 0) <= droppedBytes;
}

/** Anybody may ask for the time: the root answers nothing else. */
function isDateRequest(method: string, { segments }: RequestTarget): boolean {
  return (method === 'GET' || method === 'HEAD') && segments.length === 1 && segments[0] === '';
}

function readIdentity(match: RouteMatch): Identity | undefined {
  if (match.kind !== 'route') return undefined;
  const { deviceId, moduleId } = match.params;
  if (deviceId === undefined) return undefined;
  return moduleId === undefined ? { deviceId } : { deviceId, moduleId };
}
