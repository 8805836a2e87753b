import { createSocket } from 'node:dgram';
import type { Socket as DatagramSocket } from 'node:dgram';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import type { BoardVariant } from '../../host-sim/board/build.ts';
import { writeKeyFile } from '../../host-sim/board/key-file.ts';
import { useBoard } from '../fakes/board-fixture.ts';

const ECHO_BYTES = 20_000;
const ROUNDS = 5;

/** Every module at once, objects dropped without close among them, several times. */
const script = (tcpPort: number, udpPort: number): string => `
  const Tls = hostModules["latchkey/tls"].default, signer = hostModules["latchkey/signer"];
  let rounds = 0;
  const part = flash.open({ path: "latchkey" });
  const store = storage.open({ path: "domain", format: "string" });
  const next = () => {
    if (++rounds > ${ROUNDS}) { print({ rounds: rounds - 1, kept: store.read("round") }); part.close(); store.close(); return board.exit(0); }
    part.eraseBlock(1);
    part.write(new Uint8Array(64).fill(rounds), 4096);
    store.write("round", String(new Uint8Array(part.read(1, 4096))[0]));
    storage.open({ path: "dropped" });
    new Resolver();
    caught(() => new TCP({ address: "nowhere", port: 1 }));
    caught(() => new Tls({ host: "", roots: [] }));
    Tls.selfTest();
    const signature = signer.signSas(0, "hub.example%2Fdevices%2Fd", Math.floor(Date.now() / 1000) + 60);
    signer.derive(0, "label", 8); signer.erase(8);
    new Resolver().resolve({ host: "peer.example", onResolved: (host, address) => ask(address, signature.length), onError: () => print({ lost: host }) });
  };
  const ask = (address, length) => {
    const udp = new UDP({ onReadable() { const datagram = this.read(); this.close(); echo(datagram.address, length + datagram.byteLength); } });
    udp.write(bytes("?".repeat(10)), address, ${udpPort});
  };
  const echo = (address, extra) => {
    let sent = 0, got = 0;
    new TCP({
      address, port: ${tcpPort},
      onWritable(count) { const size = Math.min(count, ${ECHO_BYTES} - sent); if (size > 0) { this.write(new Uint8Array(size)); sent += size; } },
      onReadable(count) { got += this.read(Math.min(count, 1000)).byteLength; for (let more; (more = this.read(1000)) !== undefined;) got += more.byteLength;
        if (got === ${ECHO_BYTES}) { this.close(); print({ got, extra }); timer.clear(timer.set(() => {}, 5)); timer.set(next, 1); } },
      onError() { print({ error: got }); board.exit(1); },
    });
  };
  Promise.resolve().then(next);
`;

describe.each<BoardVariant>(['asan', 'stress', '32-bit'])('every module in one run (%s)', (variant) => {
  const fixture = useBoard(variant);
  let server: Server;
  let peer: DatagramSocket;

  beforeAll(async () => {
    server = createServer((socket) => socket.on('error', () => {}).pipe(socket));
    peer = createSocket('udp4').on('message', (message, { port, address }) => peer.send(message, port, address));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    await new Promise<void>((resolve) => peer.bind(0, '127.0.0.1', resolve));
  });

  afterAll(() => {
    server.close();
    peer.close();
  });

  test('it runs to its end, and no sanitizer has a word to say', async () => {
    const device = fixture.newDevice();
    mkdirSync(device);
    writeKeyFile(join(device, 'keys.bin'), [{ slot: 0, keyBase64: Buffer.alloc(32, 1).toString('base64'), prefixes: ['hub.example/devices/d'] }]);
    const ports = [(server.address() as AddressInfo).port, peer.address().port] as const;
    const { lines, exit, report } = await fixture.run(script(...ports), { device, hosts: { 'peer.example': '127.0.0.1' } });
    expect(exit).toEqual({ code: 0, signal: null, talk: '' });
    expect(lines).toEqual([...Array.from({ length: ROUNDS }, () => ({ got: ECHO_BYTES, extra: 44 + 10 })), { rounds: ROUNDS, kept: String(ROUNDS) }]);
    expect(report?.keys).toBe(0);
  });
});
