import type { Datagram, TcpOptions, TcpSocket, UdpOptions, UdpSocket } from '../../firmware/agent/port.ts';
import type { FakeTime } from './fake-time.ts';

/** What TCP takes before the other side has had it. */
const DEFAULT_ROOM_BYTES = 16 * 1024;

/** The server's end of a connection. */
export interface ServerSocket {
  onData: (bytes: Uint8Array) => void;
  /** The client closed, or the connection was cut. */
  onClose: () => void;
  write(bytes: Uint8Array): void;
  /** Orderly, after what was written. */
  close(): void;
}

export type Accept = (socket: ServerSocket) => void;
export type Answer = (query: Uint8Array, reply: (bytes: Uint8Array) => void) => void;

/** TCP, UDP and names between the agent and peers that run in the test, over one fake time. */
export class FakeNetwork {
  readonly #time: FakeTime;
  readonly #listeners = new Map<string, Accept>();
  readonly #datagramServers = new Map<string, Answer>();
  readonly #names = new Map<string, string>();
  readonly #connections = new Set<Connection>();
  /** Takes a datagram for the UDP socket that was opened last. */
  #deliver: (bytes: Uint8Array, address: string, port: number) => void = () => {};
  /** TCP connections that the agent has opened so far. */
  openedCount = 0;
  /** UDP sockets that it has opened and not closed. */
  openUdpCount = 0;
  /** One way. */
  delayMs = 10;
  roomBytes = DEFAULT_ROOM_BYTES;
  /** While false nothing arrives anywhere, and nothing fails: as when a router goes. */
  isUp = true;
  /** No new connections: refused at once. */
  refuses = false;

  constructor(time: FakeTime) {
    this.#time = time;
  }

  /** Connections that the agent has opened and not closed, and that are not cut. */
  get openCount(): number {
    return this.#connections.size;
  }

  name(host: string, address: string): void {
    this.#names.set(host, address);
  }

  listen(address: string, port: number, accept: Accept): void {
    this.#listeners.set(`${address}:${port}`, accept);
  }

  answerDatagrams(address: string, port: number, answer: Answer): void {
    this.#datagramServers.set(`${address}:${port}`, answer);
  }

  /** A datagram from anywhere to the UDP socket that was opened last. */
  injectDatagram(bytes: Uint8Array, address: string, port: number): void {
    this.#deliver(bytes, address, port);
  }

  /** Cuts every connection: both sides are told. */
  cut(): void {
    for (const connection of [...this.#connections]) connection.cut();
  }

  resolve(host: string, done: (address: string | undefined) => void): void {
    if (this.#names.has(host)) this.#time.after(this.delayMs * 2, () => done(this.isUp ? this.#names.get(host) : undefined));
    else done(undefined);
  }

  openTcp(options: TcpOptions): TcpSocket {
    const connection = new Connection(this, this.#time, options, () => this.#connections.delete(connection));
    this.#connections.add(connection);
    this.openedCount += 1;
    const accept = this.#listeners.get(`${options.address}:${options.port}`);
    this.#time.after(this.delayMs, () => {
      if (!this.isUp) return;
      if (accept === undefined || this.refuses) connection.fail();
      else connection.established(accept);
    });
    return connection.client;
  }

  openUdp(options: UdpOptions): UdpSocket {
    const inbox: Datagram[] = [];
    let closed = false;
    this.openUdpCount += 1;
    this.#deliver = (bytes, address, port) => {
      if (closed || !this.isUp) return;
      inbox.push(Object.assign(copyOf(bytes).buffer, { address, port }));
      options.onReadable(1);
    };
    const deliver = this.#deliver;
    return {
      read: () => inbox.shift(),
      write: (bytes, address, port) => {
        if (closed) throw new Error('write after close');
        const query = copyOf(bytes);
        const answer = this.#datagramServers.get(`${address}:${port}`);
        this.#time.after(this.delayMs, () => {
          if (!this.isUp) return;
          answer?.(query, (reply) => {
            this.#time.after(this.delayMs, () => deliver(reply, address, port));
          });
        });
      },
      close: () => {
        if (!closed) this.openUdpCount -= 1;
        closed = true;
      },
    };
  }
}

class Connection {
  readonly #network: FakeNetwork;
  readonly #time: FakeTime;
  readonly #options: TcpOptions;
  readonly #forget: () => void;
  readonly #inbox: Uint8Array[] = [];
  #room: number;
  #clientClosed = false;
  #serverClosed = false;
  #server: ServerSocket | undefined;

  constructor(network: FakeNetwork, time: FakeTime, options: TcpOptions, forget: () => void) {
    this.#network = network;
    this.#time = time;
    this.#options = options;
    this.#forget = forget;
    this.#room = network.roomBytes;
  }

  readonly client: TcpSocket = {
    read: (byteLength) => this.#read(byteLength),
    write: (bytes) => this.#write(copyOf(bytes)),
    close: () => this.#close(),
  };

  established(accept: Accept): void {
    if (this.#clientClosed) return;
    const server: ServerSocket = {
      onData: () => {},
      onClose: () => {},
      write: (bytes) => this.#toClient(copyOf(bytes)),
      close: () => this.#endFromServer(),
    };
    this.#server = server;
    accept(server);
    this.#after(() => {
      if (!this.#clientClosed) this.#options.onWritable(this.#room);
    });
  }

  fail(): void {
    if (this.#clientClosed) return;
    this.#clientClosed = true;
    this.#forget();
    this.#options.onError(new Error('refused'));
  }

  cut(): void {
    const server = this.#server;
    if (!this.#serverClosed) {
      this.#serverClosed = true;
      server?.onClose();
    }
    this.fail();
  }

  #read(byteLength = Infinity): ArrayBuffer | undefined {
    const first = this.#inbox.shift();
    if (first === undefined) return undefined;
    if (first.length > byteLength) this.#inbox.unshift(first.subarray(byteLength));
    return first.slice(0, byteLength).buffer;
  }

  #write(bytes: Uint8Array): number {
    if (this.#clientClosed) throw new Error('write after close');
    if (bytes.length > this.#room) throw new Error(`write of ${bytes.length} bytes, room for ${this.#room}`);
    this.#room -= bytes.length;
    this.#after(() => {
      if (!this.#serverClosed) this.#server?.onData(bytes);
      this.#after(() => {
        this.#room += bytes.length;
        if (!this.#clientClosed) this.#options.onWritable(this.#room);
      });
    });
    return this.#room;
  }

  #close(): void {
    if (this.#clientClosed) return;
    this.#clientClosed = true;
    this.#forget();
    this.#after(() => {
      if (this.#serverClosed) return;
      this.#serverClosed = true;
      this.#server?.onClose();
    });
  }

  #toClient(bytes: Uint8Array): void {
    if (this.#serverClosed || bytes.length === 0) return;
    this.#after(() => {
      if (this.#clientClosed) return;
      this.#inbox.push(bytes);
      this.#options.onReadable(bytes.length);
    });
  }

  #endFromServer(): void {
    if (this.#serverClosed) return;
    this.#serverClosed = true;
    this.#after(() => {
      if (this.#clientClosed) return;
      this.#clientClosed = true;
      this.#forget();
      this.#options.onError();
    });
  }

  /** What is under way when the network goes down never arrives. */
  #after(run: () => void): void {
    this.#time.after(this.#network.delayMs, () => {
      if (this.#network.isUp) run();
    });
  }
}

/** Also of a Buffer, whose own `slice` would be a view. */
function copyOf(bytes: ArrayBuffer | Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes));
}
