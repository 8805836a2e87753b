import type { Duplex } from 'node:stream';
import type { Clock } from '../../time/clock.ts';

/** Enough for any request line and headers of a client that wants the date; more is answered 431. */
const MAX_REQUEST_BYTES = 8_192;

/** From the open connection to a whole request, and from the answer to the client's end. */
const REQUEST_TIMEOUT_MS = 10_000;

const HEADERS_END = '\r\n\r\n';

/**
 * Answers one HTTPS request with the `Date` of a clock: what lets a device confirm its own. `acceptHttps` takes the plaintext
 * side of a TLS connection and answers in the turn in which the request is complete.
 */
export class DateServer {
  readonly #clock: Clock;
  /** Whose time it tells, milliseconds since 1970: not the same as `clock` where a fault sets it wrong. */
  readonly #now: () => number;

  constructor(clock: Clock, now: () => number = () => clock.now()) {
    this.#clock = clock;
    this.#now = now;
  }

  acceptHttps(stream: Duplex): void {
    let request = '';
    let isAnswered = false;
    let cancelTimer = this.#clock.setTimer(REQUEST_TIMEOUT_MS, () => stream.destroy());
    stream.on('error', () => stream.destroy());
    stream.on('close', () => cancelTimer());
    stream.on('end', () => stream.end());
    stream.on('data', (chunk: Buffer) => {
      if (isAnswered) return;
      request += chunk.toString('latin1');
      const isComplete = request.includes(HEADERS_END);
      if (!isComplete && request.length <= MAX_REQUEST_BYTES) return;
      isAnswered = true;
      cancelTimer();
      cancelTimer = this.#clock.setTimer(REQUEST_TIMEOUT_MS, () => stream.destroy());
      stream.end(answerHttp(isComplete ? request : undefined, this.#now()));
    });
  }
}

/** @param request everything up to the empty line; `undefined` when that did not come within the limit */
function answerHttp(request: string | undefined, nowMs: number): string {
  return [`HTTP/1.1 ${chooseStatus(request)}`, `Date: ${new Date(nowMs).toUTCString()}`, 'Content-Length: 0', 'Cache-Control: no-store', 'Connection: close', '', ''].join('\r\n');
}

function chooseStatus(request: string | undefined): string {
  if (request === undefined) return '431 Request Header Fields Too Large';
  const [method, target, version, ...rest] = request.slice(0, request.indexOf('\r\n')).split(' ');
  if (target === undefined || rest.length > 0 || !/^HTTP\/1\.[01]$/.test(version ?? '')) return '400 Bad Request';
  return method === 'GET' || method === 'HEAD' ? '200 OK' : '405 Method Not Allowed\r\nAllow: GET, HEAD';
}
