import { expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import { QUIET_TURNS, settle } from '../../host-sim/time/settle.ts';

let movement = 0;

/** Two streams in memory; what one writes the other reads, never from within the write; every step counts as movement. */
function pipe(): [Duplex, Duplex] {
  const make = (other: () => Duplex): Duplex =>
    new Duplex({
      allowHalfOpen: false,
      read() {},
      write(chunk: Buffer, _encoding, callback) {
        movement++;
        process.nextTick(() => other().push(chunk));
        callback();
      },
      final(callback) {
        movement++;
        process.nextTick(() => other().push(null));
        callback();
      },
      destroy(error, callback) {
        movement++;
        process.nextTick(() => other().destroyed || other().push(null));
        callback(error);
      },
    });
  const left: Duplex = make(() => right);
  const right: Duplex = make(() => left);
  return [left, right];
}

const folder = mkdtempSync(join(tmpdir(), 'latchkey-settle-'));
execFileSync('openssl', [
  'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=localhost',
  '-addext', 'subjectAltName=DNS:localhost', '-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem'),
], { stdio: 'ignore' });
const key = readFileSync(join(folder, 'key.pem'));
const cert = readFileSync(join(folder, 'cert.pem'));
rmSync(folder, { recursive: true });

const ROUNDS = 30;
const ANSWER_BYTES = 40_000;

/** Handshakes; questions that wait for the whole answer, which the server writes in pieces; an orderly end and a torn one. */
function startTraffic(maxVersion: tls.SecureVersion): { isOver: () => boolean } {
  let open = 0;
  const server = tls.createServer({ key, cert, maxVersion }, (socket) => {
    socket.on('data', () => {
      for (let i = 0; i < 4; i++) socket.write(Buffer.alloc(ANSWER_BYTES / 4, i));
    });
    socket.on('error', () => {});
  });
  for (const ending of ['end', 'destroy'] as const) {
    const [near, far] = pipe();
    open++;
    server.emit('connection', far);
    const client = tls.connect({ socket: near, ca: cert, servername: 'localhost', maxVersion });
    let received = 0;
    client.on('secureConnect', () => client.write('question'));
    client.on('data', (bytes: Buffer) => {
      received += bytes.length;
      if (received === ROUNDS * ANSWER_BYTES) client[ending]();
      else if (received % ANSWER_BYTES === 0) client.write('question');
    });
    client.on('error', () => {});
    client.on('close', () => open--);
  }
  return { isOver: () => open === 0 };
}

test.each(['TLSv1.2', 'TLSv1.3'] as const)('a chain of %s traffic is never silent for more than half of the quiet turns before it goes on', async (version) => {
  const traffic = startTraffic(version);
  const gaps: number[] = [];
  let silentTurns = 0;
  let last = movement;
  for (let turn = 0; turn < 100_000 && silentTurns < 100; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (movement === last) {
      silentTurns++;
      continue;
    }
    gaps.push(silentTurns);
    silentTurns = 0;
    last = movement;
  }
  expect(traffic.isOver()).toBe(true);
  expect(gaps.length).toBeGreaterThan(20);
  expect(Math.max(...gaps)).toBeLessThanOrEqual(QUIET_TURNS / 2);
});

test('after settling the traffic is over, and nothing is left for the event loop to do at once', async () => {
  const traffic = startTraffic('TLSv1.3');
  await settle(() => movement);
  expect(traffic.isOver()).toBe(true);
  expect(process.getActiveResourcesInfo()).not.toContain('Immediate');
});

test('something that moves in every turn is reported instead of waited for without end', async () => {
  let turns = 0;
  await expect(settle(() => turns++)).rejects.toThrow('still moves after');
});
