import type { FakeNetwork } from '../fake-network.ts';
import type { FakeTime } from '../fake-time.ts';

/** What leaves a callback aborts the machine, and that restarts the chip: it is kept here, and no test may find any. */
export type Abort = (error: unknown) => void;

interface TcpOptions {
  readonly address: string;
  readonly port: number;
  readonly onReadable?: (this: object, byteCount: number) => void;
  readonly onWritable?: (this: object, byteCount: number) => void;
  readonly onError?: (this: object) => void;
}

interface UdpOptions {
  readonly target?: unknown;
  readonly onReadable?: (this: object, packetCount: number) => void;
}

/** What the sockets of a chip share. */
export interface SocketWorld {
  readonly time: FakeTime;
  readonly network: FakeNetwork;
  readonly abort: Abort;
  /** Sockets that lwIP has left. */
  freeSockets: number;
}

/** `embedded:io/socket/tcp` of the SDK 8.2.3 on lwIP (modules/io/socket/lwip/tcp.c), with what is awkward about it. */
export function makeTcp(world: SocketWorld): new (options: TcpOptions) => object {
  return class TCP {
    readonly #options: TcpOptions;
    #waiting: Uint8Array[] = [];
    #client: ReturnType<FakeNetwork['openTcp']> | undefined;
    #isReady = false;
    #hasFailed = false;

    constructor(options: TcpOptions) {
      this.#options = options;
      if (!/^\d+\.\d+\.\d+\.\d+$/.test(options.address)) throw new Error('invalid address');
      if (world.freeSockets === 0) throw new RangeError('no socket');
      world.freeSockets -= 1;
      this.#client = world.network.openTcp({
        address: options.address,
        port: options.port,
        onReadable: () => this.#received(),
        onWritable: (byteCount) => {
          this.#isReady = true;
          this.#call(options.onWritable, byteCount);
        },
        onError: () => this.#failed(),
      });
    }

    /** Throws for more than waits, and for nothing. */
    read(byteLength?: number): ArrayBuffer | undefined {
      if (this.#waiting.length === 0) return undefined;
      const all = Buffer.concat(this.#waiting);
      const count = byteLength ?? all.length;
      if (count <= 0 || count > all.length) throw new Error('invalid');
      this.#waiting = count === all.length ? [] : [all.subarray(count)];
      if (this.#waiting.length === 0 && this.#hasFailed) world.time.after(0, () => this.#call(options(this).onError));
      return Uint8Array.from(all.subarray(0, count)).buffer;
    }

    write(bytes: ArrayBuffer | Uint8Array): number | undefined {
      if (this.#client === undefined) throw new TypeError('this is no socket');
      if (!this.#isReady) throw new Error('not ready');
      if (this.#hasFailed) return undefined;
      return this.#client.write(bytes);
    }

    close(): void {
      if (this.#client !== undefined) world.freeSockets += 1;
      this.#client?.close();
      this.#client = undefined;
    }

    get options(): TcpOptions {
      return this.#options;
    }

    /** Told once for what has come; what the reader leaves is not told again. */
    #received(): void {
      for (let bytes = this.#client?.read(); bytes !== undefined; bytes = this.#client?.read()) this.#waiting.push(new Uint8Array(bytes));
      const byteCount = this.#waiting.reduce((sum, { length }) => sum + length, 0);
      this.#call(this.#options.onReadable, byteCount);
    }

    /** Not before everything is read. */
    #failed(): void {
      this.#hasFailed = true;
      this.#isReady = false;
      if (this.#waiting.length === 0) this.#call(this.#options.onError);
    }

    #call(callback: ((this: object, count: number) => void) | undefined, count = 0): void {
      if (this.#client === undefined) return;
      try {
        callback?.call(this, count);
      } catch (error) {
        world.abort(error);
      }
    }
  };

  function options(socket: { readonly options: TcpOptions }): TcpOptions {
    return socket.options;
  }
}

/** `embedded:io/socket/udp` of the SDK on lwIP. */
export function makeUdp(world: SocketWorld): new (options: UdpOptions) => object {
  return class UDP {
    readonly target: unknown;
    readonly #socket: ReturnType<FakeNetwork['openUdp']>;
    #isClosed = false;

    constructor(options: UdpOptions) {
      this.target = options.target;
      this.#socket = world.network.openUdp({
        onReadable: (packetCount) => {
          try {
            options.onReadable?.call(this, packetCount);
          } catch (error) {
            world.abort(error);
          }
        },
        onError: () => {},
      });
    }

    read(): ArrayBuffer | undefined {
      this.#check();
      return this.#socket.read();
    }

    write(bytes: ArrayBuffer | Uint8Array, address: string, port: number): void {
      this.#check();
      if (!/^\d+\.\d+\.\d+\.\d+$/.test(address)) throw new RangeError('invalid IP address');
      if (!world.network.isUp) throw new Error('UDP send failed');
      this.#socket.write(bytes, address, port);
    }

    close(): void {
      this.#isClosed = true;
      this.#socket.close();
    }

    #check(): void {
      if (this.#isClosed) throw new TypeError('this is no socket');
    }
  };
}
