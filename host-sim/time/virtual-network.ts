import type { BoardFrame, HostFrame } from '../board/driver-frames.ts';
import { Cable } from './cable.ts';
import type { Link, LinkConnection, LinkEnd } from './link.ts';
import { VirtualSocket } from './virtual-socket.ts';

/** Source ports of virtual clients start here (IANA's dynamic range). */
const FIRST_CLIENT_PORT = 49_152;

/** `address:port`, the address dotted. */
export type Endpoint = `${string}:${number}`;

/** What answers on a virtual network. */
export interface VirtualServices {
  /** Called with the server's end of each connection: `server.emit('connection', socket)` for a `tls.Server`. */
  readonly tcp: ReadonlyMap<Endpoint, (socket: VirtualSocket) => void>;
  /** Returns the answer to a datagram, `undefined` for none. */
  readonly udp: ReadonlyMap<Endpoint, (request: Uint8Array) => Uint8Array | undefined>;
  /** Host name to dotted address. */
  readonly names: ReadonlyMap<string, string>;
}

/** Takes frames for one board. */
export type PostFrame = (frame: HostFrame) => void;

/** Sockets and names of the driven boards, over one link. */
export class VirtualNetwork {
  readonly #link: Link;
  readonly #services: VirtualServices;
  #movement = 0;
  #nextPort = FIRST_CLIENT_PORT;

  constructor(link: Link, services: VirtualServices) {
    this.#link = link;
    this.#services = services;
  }

  /** Counts what went in or out at the servers' side. */
  get movement(): number {
    return this.#movement;
  }

  /** A board's network interface. */
  attach(post: PostFrame, cable: Cable = new Cable()): BoardSockets {
    return new BoardSockets(this, this.#link, this.#services, post, cable);
  }

  /** @internal */
  readonly moved = (): void => {
    this.#movement++;
  };

  /** @internal */
  nextClientPort(): number {
    const port = this.#nextPort;
    this.#nextPort = port === 65_535 ? FIRST_CLIENT_PORT : port + 1;
    return port;
  }
}

/** The sockets of one board: frames of the board in, frames to the board out. */
export class BoardSockets {
  readonly #network: VirtualNetwork;
  readonly #link: Link;
  readonly #services: VirtualServices;
  readonly #post: PostFrame;
  readonly #cable: Cable;
  readonly #connections = new Map<number, LinkConnection>();
  readonly #udpOpen = new Set<number>();

  constructor(network: VirtualNetwork, link: Link, services: VirtualServices, post: PostFrame, cable: Cable) {
    this.#network = network;
    this.#link = link;
    this.#services = services;
    this.#post = post;
    this.#cable = cable;
    cable.onPull(() => {
      for (const connection of [...this.#connections.values()]) connection.cut();
    });
  }

  /** Frames that are not about the network are left alone. */
  handle(frame: BoardFrame): void {
    switch (frame.type) {
      case 'tcp-open':
        return this.#open(frame.id, `${frame.address}:${frame.port}`, frame.address);
      case 'tcp-write':
        // The frame's bytes are a view of the channel's buffer, which nothing writes to again.
        return this.#connections.get(frame.id)?.dataFromClient(frame.bytes);
      case 'tcp-close':
        this.#connections.get(frame.id)?.endFromClient();
        this.#connections.delete(frame.id);
        return;
      case 'udp-send':
        return this.#sendDatagram(frame.id, `${frame.address}:${frame.port}`, frame);
      case 'udp-close':
        this.#udpOpen.delete(frame.id);
        return;
      case 'resolve':
        return this.#resolve(frame.id, frame.name);
      default:
    }
  }

  /** The board is gone: its connections end as a kernel ends those of a process. */
  close(): void {
    for (const connection of this.#connections.values()) connection.endFromClient();
    this.#connections.clear();
    this.#udpOpen.clear();
  }

  #open(id: number, endpoint: Endpoint, address: string): void {
    const accept = this.#cable.isPlugged ? this.#services.tcp.get(endpoint) : undefined;
    let socket: VirtualSocket | undefined;
    const isOpen = (): boolean => this.#connections.get(id) === connection;
    const post = (frame: HostFrame): void => {
      if (isOpen()) this.#post(frame);
    };
    const client: LinkEnd = {
      opened: () => {
        if (accept !== undefined) return post({ type: 'tcp-connected', id });
        connection.cut();
      },
      data: (bytes) => post({ type: 'tcp-data', id, bytes }),
      end: () => post({ type: 'tcp-closed', id }),
      reset: () => {
        post({ type: 'tcp-failed', id });
        if (isOpen()) this.#connections.delete(id);
      },
    };
    const server: LinkEnd = {
      opened: () => {
        // Nobody listens: without a delay this comes before the client's end is told.
        if (accept === undefined) return;
        this.#network.moved();
        socket = new VirtualSocket({ address, port: this.#network.nextClientPort() }, this.#network.moved);
        socket.attach(connection);
        accept(socket);
      },
      data: (bytes) => socket?.linkEnd.data(bytes),
      end: () => socket?.linkEnd.end(),
      reset: () => socket?.linkEnd.reset(),
    };
    const connection = this.#link.connect(client, server);
    this.#connections.set(id, connection);
  }

  /** A datagram takes one delay each way and is lost while the link is paused. */
  #sendDatagram(id: number, endpoint: Endpoint, request: { readonly address: string; readonly port: number; readonly bytes: Uint8Array }): void {
    this.#udpOpen.add(id);
    const { clock, delayMs } = this.#link;
    const answer = this.#services.udp.get(endpoint);
    if (answer === undefined || this.#link.isPaused || !this.#cable.isPlugged) return;
    clock.setTimer(delayMs, () => {
      this.#network.moved();
      const bytes = answer(request.bytes);
      if (bytes === undefined || this.#link.isPaused || !this.#cable.isPlugged) return;
      clock.setTimer(delayMs, () => {
        if (this.#udpOpen.has(id)) this.#post({ type: 'udp-data', id, address: request.address, port: request.port, bytes });
      });
    });
  }

  #resolve(id: number, name: string): void {
    const address = (this.#cable.isPlugged ? this.#services.names.get(name) : undefined) ?? '';
    const { clock, delayMs } = this.#link;
    clock.setTimer(2 * delayMs, () => this.#post({ type: 'resolved', id, address }));
  }
}
