import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

import { good, intermediate, leaf, root, without } from './tls/cases.ts';
import { Harness } from './tls/harness.ts';
import type { Connection, Outcome } from './tls/harness.ts';
import { startOpenSslServer } from './tls/openssl-server.ts';
import { issue } from './tls/pki.ts';
import type { Certificate, KeyType } from './tls/pki.ts';
import { chainOf, rootsOf } from './tls/scenario.ts';

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const deviceRoot = { ...root, commonName: 'Device root', keyNumber: 5 };

let harness: Harness;
let roots: Buffer[];

beforeAll(async () => {
  roots = await rootsOf(good);
});

beforeEach(async () => {
  harness = await Harness.start();
});

afterEach(() => harness.close());

async function deviceChain(key: KeyType): Promise<Certificate[]> {
  return chainOf([deviceRoot, { ...intermediate, commonName: 'Device CA', keyNumber: 6 }, { ...without(leaf, 'dnsNames'), commonName: 'dev1', key, keyNumber: 7, extendedKeyUsage: [CLIENT_AUTH] }]);
}

/** Connects to a server that insists on a certificate below the device root. */
async function visit(change: Partial<Connection>, ...extra: string[]): Promise<Outcome> {
  const [, ca, server] = await chainOf(good.chain);
  const trusted = (await deviceChain('p256'))[0]!;
  const stage = await startOpenSslServer([server!, ca!], ['-Verify', '3', '-verify_return_error', '-CAfile', trusted.pem, ...extra]);
  try {
    return await harness.connect({ host: good.host, port: stage.port, roots, send: 'ping', expect: 5, ...change });
  } finally {
    await stage.stop();
  }
}

describe('client certificates', () => {
  test.each(['p256', 'rsa-2048'] as const)('a device with a %s key and its chain is let in', async (key) => {
    const [, ca, device] = await deviceChain(key);
    expect(await visit({ certificates: [device!.der, ca!.der], privateKey: device!.privateKeyDer })).toMatchObject({ ok: true, received: 5 });
  });

  test('without a certificate the server refuses, and it does not look like a lack of suites', async () => {
    expect(await visit({}, '-tls1_2')).toMatchObject({ ok: false, code: 'ERR_TLS_PROTOCOL', text: expect.stringContaining('client certificate') });
  });

  test('a certificate of a stranger is refused by the server, and the text says so', async () => {
    const stranger = await issue({ ...leaf, commonName: 'dev1', keyNumber: 8, extendedKeyUsage: [CLIENT_AUTH] });
    expect(await visit({ certificates: [stranger.der], privateKey: stranger.privateKeyDer }, '-tls1_2'))
      .toMatchObject({ ok: false, code: 'ERR_TLS_PROTOCOL', text: expect.stringContaining('refuses the certificate of this device') });
  });
});

describe('a wrong configuration starts nothing', () => {
  let chain: Certificate[];

  beforeAll(async () => {
    chain = await deviceChain('p256');
  });

  const refusal = async (change: Partial<Connection>): Promise<Outcome> => harness.connect({ host: good.host, port: 1, roots, ...change });

  test.each(['', '-a.test', 'a-.test', 'a..test', '.test', 'a.test.', 'a_b!.test', '1.2.3', '256.1.1.1', '01.2.3.4', `${'a'.repeat(64)}.test`, `${'a.'.repeat(127)}ab`])(
    'the host "%s"', async (host) => {
      expect(await refusal({ host })).toMatchObject({ code: 'ERR_TLS_CONFIG', text: expect.stringContaining('host') });
    });

  test('no roots', async () => {
    expect(await refusal({ roots: [] })).toMatchObject({ code: 'ERR_TLS_CONFIG', text: 'roots: at least one' });
  });

  test('a root that is no CA', async () => {
    expect(await refusal({ roots: [chain[2]!.der] })).toMatchObject({ code: 'ERR_TLS_CONFIG', text: 'roots: a certificate without basicConstraints CA' });
  });

  test.each([['cut short', (der: Buffer) => der.subarray(0, -1)], ['PEM', () => Buffer.from('-----BEGIN CERTIFICATE-----')], ['too large', (der: Buffer) => Buffer.concat([der, Buffer.alloc(8193 - der.length)])]])(
    'a root that is %s', async (_, change) => {
      expect(await refusal({ roots: [change(roots[0]!)] })).toMatchObject({ code: 'ERR_TLS_CONFIG' });
    });

  test('seventeen roots', async () => {
    expect(await refusal({ roots: Array.from({ length: 17 }, () => roots[0]!) })).toMatchObject({ code: 'ERR_TLS_CONFIG', text: 'roots: at most 16' });
  });

  test('a certificate without its key, and a key without its certificate', async () => {
    expect(await refusal({ certificates: [chain[2]!.der] })).toMatchObject({ code: 'ERR_TLS_CONFIG', text: 'certificates and key go together' });
    expect(await refusal({ privateKey: chain[2]!.privateKeyDer })).toMatchObject({ code: 'ERR_TLS_CONFIG', text: 'certificates and key go together' });
  });

  test('the key of another certificate', async () => {
    expect(await refusal({ certificates: [chain[2]!.der], privateKey: chain[1]!.privateKeyDer }))
      .toMatchObject({ code: 'ERR_TLS_CONFIG', text: 'key: not the one of the first certificate' });
  });

  test('a key that is none', async () => {
    expect(await refusal({ certificates: [chain[2]!.der], privateKey: Buffer.alloc(40, 7) })).toMatchObject({ code: 'ERR_TLS_CONFIG' });
  });
});

describe('the self-test', () => {
  test('passes whatever the clock says', async () => {
    for (const seconds of [0, -1_700_000_000, 6_700_000_000]) {
      await harness.command(`wall ${seconds}`);
      expect(await harness.command('self-test')).toMatchObject({ code: 'OK' });
    }
  });
});
