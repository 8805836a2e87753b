import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../time/clock.ts';
import type { RestLimits } from './limits.ts';
import type { RequestFault, RestEvent } from './rest-events.ts';

export interface RestConnectionHost {
  readonly clock: Clock;
  readonly limits: RestLimits;
  emit(event: RestEvent): void;
}

/** One client's connection: the times and numbers that it may take, one timer for all. */
export class RestConnection {
  readonly peer: string;
  readonly #stream: Duplex;
  readonly #host: RestConnectionHost;
  /** Requests without an answer that is complete. */
  #open = 0;
  /** Of these, the ones whose answer is on its way. */
  #answering = 0;
  /** Whose body is not complete, answered or not. */
  #receiving: IncomingMessage | undefined;
  /** The last answer has left; the client may still be sending. */
  #isParting = false;
  #cancelTimer: () => void = () => {};

  constructor(stream: Duplex, peer: string, host: RestConnectionHost) {
    this.peer = peer;
    this.#stream = stream;
    this.#host = host;
    // Without a listener an error would end the process.
    stream.on('error', () => {});
    stream.once('close', () => this.#cancelTimer());
    this.#watch();
  }

  /** A request's headers are complete. @returns whether to go on */
  begin(request: IncomingMessage, response: ServerResponse): boolean {
    if (this.#isParting) {
      this.#end(undefined);
      return false;
    }
    this.#open += 1;
    if (this.#open > this.#host.limits.pipelined) {
      this.#end('too-many-requests-waiting');
      return false;
    }
    if (!request.complete) {
      this.#receiving = request;
      // Node calls this behind an answer that ends the connection.
      request.socket.destroySoon = () => this.#part();
      request.once('end', () => {
        if (this.#receiving === request) this.#receiving = undefined;
        this.#watch();
      });
    }
    response.once('prefinish', () => {
      this.#answering += 1;
      this.#watch();
    });
    response.once('close', () => {
      this.#open -= 1;
      this.#answering -= 1;
      this.#watch();
    });
    this.#watch();
    return true;
  }

  /** What came is no HTTP, or the client went away in the middle of it. */
  breakOff(error: NodeJS.ErrnoException): void {
    if (!this.#stream.writable || this.#stream.destroyed || error.code === 'ECONNRESET') {
      this.#stream.destroy();
      return;
    }
    const isTooLarge = error.code === 'HPE_HEADER_OVERFLOW';
    const status = isTooLarge ? 431 : 400;
    this.#tell(isTooLarge ? 'headers-too-large' : 'malformed', error.code);
    this.#stream.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
    this.#allow(this.#host.limits.answerTimeoutMs);
  }

  /**
   * Says good-bye and hears the client out for a while: a connection that is closed with bytes unread is reset, and the answer lost with it.
   * @see https://www.rfc-editor.org/rfc/rfc9112#section-9.6
   */
  #part(): void {
    if (this.#receiving === undefined) return void this.#stream.end(() => this.#stream.destroy());
    this.#isParting = true;
    this.#receiving.once('end', () => this.#stream.destroy());
    this.#stream.end();
    this.#allow(this.#host.limits.partingMs);
  }

  /** Sets the time that what is due next may take; handling a request has its own bounds. */
  #watch(): void {
    const { headTimeoutMs, bodyTimeoutMs, answerTimeoutMs } = this.#host.limits;
    if (this.#isParting) return;
    if (this.#receiving !== undefined) this.#allow(bodyTimeoutMs, 'too-slow', 'the body is not complete');
    else if (this.#answering > 0) this.#allow(answerTimeoutMs, 'client-does-not-read');
    else if (this.#open > 0) this.#cancelTimer();
    else this.#allow(headTimeoutMs);
  }

  /** The connection breaks unless something else happens within this time; without a fault it does so without a word. */
  #allow(timeoutMs: number, fault?: RequestFault, detail?: string): void {
    this.#cancelTimer();
    if (this.#stream.destroyed) return;
    this.#cancelTimer = this.#host.clock.setTimer(timeoutMs, () => this.#end(fault, detail));
  }

  #end(fault: RequestFault | undefined, detail?: string): void {
    if (fault !== undefined) this.#tell(fault, detail);
    this.#stream.destroy();
  }

  #tell(reason: RequestFault, detail: string | undefined): void {
    this.#host.emit({ event: 'requestBroken', peer: this.peer, reason, ...(detail === undefined ? {} : { detail }) });
  }
}
