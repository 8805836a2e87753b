import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../time/clock.ts';
import type { AccessDenial, AccessGrant, AccessRequest } from '../access/authorize.ts';
import type { Hub } from '../hub.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import { listenTls, LOOPBACK, type Listener, type ServerCredentials } from '../listen.ts';
import { RestServer } from '../rest/rest-server.ts';
import { faultRoutes } from './fault-routes.ts';

/** 256 bits, as the keys of devices. */
const TOKEN_BYTES = 32;
/** Names of loopback that the certificate carries; a page of another origin has another `Host`. */
const HOST_NAMES = ['127.0.0.1', 'localhost'];

export interface AdminServer {
  readonly port: number;
  /** Of this run. */
  readonly token: string;
  close(): Promise<void>;
}

/**
 * The admin API: HTTPS on loopback, for whoever has the token of this run. It answers no other `Host` than its own and
 * no page of another origin, and sends no CORS header.
 * @throws ERR_PORT_IN_USE, ERR_ADDRESS
 */
export async function openAdminServer(hub: Hub, clock: Clock, tls: ServerCredentials, port = 0): Promise<AdminServer> {
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  const place: { listener?: Listener } = {};
  const server = new RestServer({
    hubName: hub.hubName, clock, now: () => clock.now(), routes: faultRoutes(hub.faults), isVersioned: false,
    admits: (request) => admits(request, place.listener?.port ?? 0),
    authorize: (request) => authorizeBearer(request, token),
    emit: (event) => hub.emit(event),
  });
  const listener = await listenTls({ port, address: LOOPBACK, tls }, DEFAULT_LIMITS, {
    accept: (stream, peer) => server.accept(stream, peer),
    failed: (peer, code, detail) => hub.emit({ event: 'tlsFailed', peer, code, detail }),
  });
  place.listener = listener;
  return {
    port: listener.port,
    token,
    async close() {
      server.close();
      await listener.close();
    },
  };
}

function admits({ headers }: IncomingMessage, port: number): boolean {
  const { host, origin } = headers;
  const hosts = HOST_NAMES.map((name) => `${name}:${port}`);
  return host !== undefined && hosts.includes(host.toLowerCase()) && (origin === undefined || hosts.some((each) => origin.toLowerCase() === `https://${each}`));
}

/** RFC 6750, section 2.1. */
function authorizeBearer({ token: header, resource }: AccessRequest, token: string): AccessGrant | AccessDenial {
  const given = header === undefined ? '' : Buffer.from(header).toString();
  if (!isEqual(given, `Bearer ${token}`)) return { accepted: false, reason: given === '' ? 'token-missing' : 'signature-wrong', status: 401, code: 401_002, detail: "not the admin token of this run" };
  return { accepted: true, scope: resource, expirySeconds: Number.MAX_SAFE_INTEGER, key: 'primary', policy: 'admin' };
}

/** In a time that says nothing of how much is right. */
function isEqual(given: string, expected: string): boolean {
  const [a, b] = [given, expected].map((text) => createHash('sha256').update(text).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}
