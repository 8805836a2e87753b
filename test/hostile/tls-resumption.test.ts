import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';

import { good, intermediate, leaf, root } from './tls/cases.ts';
import { Harness } from './tls/harness.ts';
import type { Connection, Outcome } from './tls/harness.ts';
import { startOpenSslServer } from './tls/openssl-server.ts';
import type { TlsServer } from './tls/openssl-server.ts';
import { issue } from './tls/pki.ts';
import { startRawServer } from './tls/raw-server.ts';
import { chainOf } from './tls/scenario.ts';

const OTHER_HOST = 'other.latchkey.test';
const HOUR_SECONDS = 3600;
const namedTwice = { ...leaf, dnsNames: [good.host, OTHER_HOST] };

let harness: Harness;
let server: TlsServer;
let rootDer: Buffer;
let otherRootDer: Buffer;

beforeAll(async () => {
  const chain = await chainOf([root, intermediate, namedTwice]);
  rootDer = chain[0]!.der;
  otherRootDer = (await issue({ ...root, commonName: 'Another root', keyNumber: 9 })).der;
  server = await startOpenSslServer([chain[2]!, chain[1]!]);
});

afterAll(() => server.stop());

beforeEach(async () => {
  harness = await Harness.start();
});

afterEach(() => harness.close());

/** A line there and back, so that a ticket of TLS 1.3 has come too. */
function connect(change: Partial<Connection> = {}): Promise<Outcome> {
  return harness.connect({ host: good.host, port: server.port, roots: [rootDer], send: 'ping', expect: 5, ...change });
}

async function move(wallSeconds: number, monotonicSeconds: number): Promise<void> {
  await harness.command(`wall ${wallSeconds}`);
  await harness.command(`monotonic ${monotonicSeconds}`);
}

test('the second connection to the same host under the same roots resumes the session', async () => {
  expect(await connect()).toMatchObject({ ok: true, resumed: false });
  expect(await connect()).toMatchObject({ ok: true, resumed: true, received: 5 });
  expect(await connect()).toMatchObject({ ok: true, resumed: true, received: 5 });
});

test('another name is verified by a full handshake, and refused when the certificate lacks it', async () => {
  await connect();
  expect(await connect({ host: OTHER_HOST })).toMatchObject({ ok: true, resumed: false });
  expect(await connect({ host: 'third.latchkey.test' })).toMatchObject({ ok: false, code: 'ERR_TLS_HOSTNAME' });
});

test('other roots are verified by a full handshake, and refused when they do not fit', async () => {
  await connect();
  expect(await connect({ roots: [otherRootDer] })).toMatchObject({ ok: false, code: 'ERR_TLS_UNTRUSTED_ISSUER' });
  expect(await connect({ roots: [rootDer, otherRootDer] })).toMatchObject({ ok: true, resumed: false });
  expect(await connect()).toMatchObject({ ok: true, resumed: true });
});

test('another client certificate is not let in on the session of the first', async () => {
  const client = await issue({ ...leaf, commonName: 'Device', keyNumber: 7, extendedKeyUsage: ['1.3.6.1.5.5.7.3.2'] });
  await connect();
  expect(await connect({ certificates: [client.der], privateKey: client.privateKeyDer })).toMatchObject({ ok: true, resumed: false });
});

test('a connection that asks for a full handshake neither takes nor leaves a session', async () => {
  expect(await connect({ resume: false })).toMatchObject({ resumed: false });
  expect(await connect()).toMatchObject({ resumed: false });
  expect(await connect({ resume: false })).toMatchObject({ resumed: false });
  expect(await connect()).toMatchObject({ resumed: true });
});

test('dropped sessions are gone', async () => {
  await connect();
  await harness.command('drop-sessions');
  expect(await connect()).toMatchObject({ ok: true, resumed: false });
});

test.each([[20], [-20], [HOUR_SECONDS]])('a step of the wall clock by %d seconds drops the sessions', async (seconds) => {
  await connect();
  await move(seconds, 0);
  expect(await connect()).toMatchObject({ ok: true, resumed: false });
});

test('a session lives for 24 hours after the full handshake, and no resumption makes it younger', async () => {
  const chain = await chainOf([root, intermediate, namedTwice]);
  const tls12 = await startOpenSslServer([chain[2]!, chain[1]!], ['-tls1_2']); // a ticket of TLS 1.3 says itself how long it lives: 2 hours
  try {
    await connect({ port: tls12.port });
    await move(12 * HOUR_SECONDS, 12 * HOUR_SECONDS);
    expect(await connect({ port: tls12.port })).toMatchObject({ resumed: true });
    await move(12 * HOUR_SECONDS + 1, 12 * HOUR_SECONDS + 1);
    expect(await connect({ port: tls12.port })).toMatchObject({ ok: true, resumed: false });
  } finally {
    await tls12.stop();
  }
});

test('a session ends with the notAfter of the leaf: the certificate is looked at again, and refused', async () => {
  const chain = await chainOf([root, intermediate, { ...leaf, validity: 'two-hours' }]);
  const shortLived = await startOpenSslServer([chain[2]!, chain[1]!]);
  try {
    await connect({ port: shortLived.port, roots: [chain[0]!.der] });
    await move(HOUR_SECONDS, HOUR_SECONDS);
    expect(await connect({ port: shortLived.port, roots: [chain[0]!.der] })).toMatchObject({ resumed: true });
    await move(2 * HOUR_SECONDS, 2 * HOUR_SECONDS);
    expect(await connect({ port: shortLived.port, roots: [chain[0]!.der] })).toMatchObject({ ok: false, code: 'ERR_TLS_EXPIRED' });
  } finally {
    await shortLived.stop();
  }
});

test('a server that does not know the session any more gives a full handshake', async () => {
  await connect();
  const chain = await chainOf([root, intermediate, namedTwice]);
  const restarted = await startOpenSslServer([chain[2]!, chain[1]!]);
  try {
    expect(await connect({ port: restarted.port })).toMatchObject({ ok: true, resumed: false, received: 5 });
  } finally {
    await restarted.stop();
  }
});

test('a server that has gone back to TLS 1.2 costs one connection at most', async () => {
  await connect();
  const chain = await chainOf([root, intermediate, namedTwice]);
  const older = await startRawServer([chain[2]!, chain[1]!]);
  try {
    await connect({ port: older.port });
    expect(await connect({ port: older.port })).toMatchObject({ ok: true, version: 'TLSv1.2', received: 5 });
  } finally {
    await older.stop();
  }
});

test('a server without tickets resumes by session id', async () => {
  const chain = await chainOf([root, intermediate, namedTwice]);
  const ticketless = await startOpenSslServer([chain[2]!, chain[1]!], ['-tls1_2', '-no_ticket']);
  try {
    expect(await connect({ port: ticketless.port })).toMatchObject({ resumed: false });
    expect(await connect({ port: ticketless.port })).toMatchObject({ ok: true, resumed: true });
  } finally {
    await ticketless.stop();
  }
});

test('the cache holds two sessions and lets go of the one that was used longest ago', async () => {
  const third = { host: good.host, roots: [rootDer, otherRootDer] };
  await connect();
  await connect({ host: OTHER_HOST });
  expect(await connect()).toMatchObject({ resumed: true });
  await connect(third);
  expect(await connect()).toMatchObject({ resumed: true });
  expect(await connect(third)).toMatchObject({ resumed: true });
  expect(await connect({ host: OTHER_HOST })).toMatchObject({ resumed: false });
});
