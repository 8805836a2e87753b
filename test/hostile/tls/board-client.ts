import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

import type { Board, BoardLine } from '../../../host-sim/board/board.ts';
import type { BoardFixture, FixtureOptions } from '../../fakes/board-fixture.ts';
import type { Connection, Outcome } from './harness.ts';

/**
 * The firmware's side: takes one plan a line from a control connection, opens TCP and TLS, sends a line, counts what comes back, and
 * prints what became of it. One board for all plans: none may end it.
 */
const SCRIPT = `
const Tls = hostModules["latchkey/tls"].default;
const TAKE_BYTES = 1460;
const fromHex = (hex) => {
  const out = new Uint8Array(hex.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return out.buffer;
};
function visit(plan) {
  let tls, tcp, timeout, failure;
  let writable = 0, received = 0, sent = 0, up = false, closed = false, ended = false;
  const line = bytes(plan.send === undefined ? "" : plan.send + "\\n");
  const end = (result) => {
    if (ended) return;
    ended = true;
    if (timeout !== undefined) timer.clear(timeout);
    tls?.close();
    tcp?.close();
    print({ event: "tls", ...result });
  };
  const pump = () => {
    for (let out; writable > 0 && (out = tls.take(Math.min(writable, TAKE_BYTES))) !== undefined;) writable = tcp.write(out);
  };
  const step = () => {
    if (!up) up = tls.handshake();
    if (!up) return;
    if (sent < line.length) sent += tls.write(line.subarray(sent));
    for (let plain; !closed && (plain = tls.read(1000)) !== undefined;) {
      if (plain === null) closed = true;
      else received += plain.byteLength;
    }
  };
  const attempt = (action) => {
    if (ended) return;
    try {
      action();
    } catch (error) {
      failure = error;
    }
    pump();
    if (failure !== undefined) end({ ok: false, code: failure.code ?? failure.name, text: failure.message });
    else if (closed || (up && sent === line.length && received >= (plan.expect ?? 0))) {
      const info = tls.info;
      tls.end();
      pump();
      end({ ok: true, ...info, received, closed });
    }
  };
  try {
    tls = new Tls({ host: plan.host, roots: plan.roots.map(fromHex), resume: plan.resume ?? true });
  } catch (error) {
    return end({ ok: false, code: error.code ?? error.name, text: error.message });
  }
  tcp = new TCP({
    address: "127.0.0.1", port: plan.port,
    onWritable(count) { writable = count; attempt(step); },
    onReadable(count) {
      for (let chunk; count > 0 && !ended && (chunk = tcp.read(Math.min(count, plan.chunk ?? TAKE_BYTES))) !== undefined;) {
        count -= chunk.byteLength;
        attempt(() => { tls.feed(chunk); step(); });
      }
    },
    onError() { end({ ok: false, code: "ERR_CLOSED" }); },
  });
  timeout = timer.set(() => end({ ok: false, code: "ERR_TLS_TIMEOUT" }), plan.timeoutMs ?? 20000);
}
let waiting = "";
const control = new TCP({
  address: "127.0.0.1", port: CONTROL_PORT,
  onReadable(count) {
    for (const byte of new Uint8Array(this.read(count))) {
      if (byte !== 10) {
        waiting += String.fromCharCode(byte);
        continue;
      }
      const plan = JSON.parse(waiting);
      waiting = "";
      if (plan.command === "drop-sessions") { Tls.dropSessions(); print({ event: "dropped" }); }
      else if (plan.command === "self-test") { Tls.selfTest(); print({ event: "self-test" }); }
      else visit(plan);
    }
  },
  onError() { board.exit(0); },
});
`;

/** TLS connections made by the board's program: XS, firmware/native, and its real sockets. */
export class BoardClient {
  readonly #server: Server;
  readonly #waiting: ((line: BoardLine) => void)[] = [];
  #socket: Socket | undefined;
  #board: Board | undefined;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(fixture: BoardFixture, options: FixtureOptions = {}): Promise<BoardClient> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const client = new BoardClient(server);
    const socket = new Promise<Socket>((resolve) => server.once('connection', resolve));
    const script = SCRIPT.replace('CONTROL_PORT', String((server.address() as AddressInfo).port));
    client.#board = fixture.start(script, (line) => void (line.event === 'report' || client.#waiting.shift()?.(line)), options);
    const ended = client.#board.exited.then(({ code, talk }) => Promise.reject(new Error(`the board ended with ${code} at once\n${talk}`)));
    client.#socket = await Promise.race([socket, ended]);
    ended.catch(() => {});
    return client;
  }

  get board(): Board {
    if (this.#board === undefined) throw new TypeError('the board has not started');
    return this.#board;
  }

  async connect(connection: Connection): Promise<Outcome> {
    const { roots, ...rest } = connection;
    return (await this.#command({ ...rest, roots: roots.map((root) => root.toString('hex')) })) as unknown as Outcome;
  }

  async dropSessions(): Promise<void> {
    await this.#command({ command: 'drop-sessions' });
  }

  async selfTest(): Promise<void> {
    await this.#command({ command: 'self-test' });
  }

  /** @throws Error when the board ended otherwise than it was told to. */
  async close(): Promise<void> {
    this.#socket?.destroy();
    const { code, talk } = await this.board.exited;
    await new Promise((resolve) => this.#server.close(resolve));
    if (code !== 0) throw new Error(`the board ended with ${code}\n${talk}`);
  }

  #command(plan: object): Promise<BoardLine> {
    const answer = new Promise<BoardLine>((resolve) => this.#waiting.push(resolve));
    this.#socket?.write(`${JSON.stringify(plan)}\n`);
    const ended = this.board.exited.then(({ code, talk }) => Promise.reject(new Error(`the board ended with ${code}\n${talk}`)));
    ended.catch(() => {});
    return Promise.race([answer, ended]);
  }
}
