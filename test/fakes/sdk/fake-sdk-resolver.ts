import type { FakeTime } from '../fake-time.ts';

interface Udp {
  read(): ArrayBuffer | undefined;
  write(bytes: Uint8Array, address: string, port: number): void;
  close(): void;
}

interface ResolverOptions {
  readonly servers: readonly string[];
  readonly socket: { readonly io: new (options: object) => Udp };
}

interface ResolveOptions {
  readonly host: string;
  readonly onResolved: (host: string, address: string) => void;
  readonly onError: (host: string) => void;
}

const DNS_PORT = 53;
const RETRY_MS = 1000;
const TRIES = 5;

/**
 * `embedded:network/dns/resolver/udp` of the SDK (examples/io/udp/dns/dns.js): asks the servers in turn, and parses what comes inside the
 * socket's callback, where its parser throws at malformed packets. Its packets are the name, and `name=address`.
 */
export function makeResolver(time: FakeTime): new (options: ResolverOptions) => object {
  return class Resolver {
    readonly #options: ResolverOptions;

    constructor(options: ResolverOptions) {
      this.#options = { ...options, servers: options.servers.slice() };
    }

    resolve({ host, onResolved, onError }: ResolveOptions): void {
      const { servers, socket } = this.#options;
      let cancel = (): void => {};
      let tries = 0;
      const io = new socket.io({
        target: this,
        onReadable(this: Udp, count: number): void {
          while (count-- > 0) {
            const [name, address] = parse(this.read());
            if (name !== host) continue;
            finish();
            if (address === '') onError(host);
            else onResolved(host, address);
            return;
          }
        },
      });
      const finish = (): void => {
        cancel();
        io.close();
      };
      const ask = (): void => {
        if (tries === TRIES * servers.length) {
          finish();
          return onError(host);
        }
        cancel = time.after(RETRY_MS, ask);
        try {
          io.write(Buffer.from(host), servers[tries++ % servers.length] ?? '', DNS_PORT);
        } catch {
          // Asked again.
        }
      };
      cancel = time.after(0, ask);
    }

    close(): void {}
  };
}

function parse(bytes: ArrayBuffer | undefined): readonly [string, string] {
  const text = bytes === undefined ? '' : Buffer.from(bytes).toString();
  const parts = text.split('=');
  if (parts.length !== 2) throw new RangeError('bad DNS packet');
  return [parts[0]!, parts[1]!];
}
