import type { Fault } from './faults.ts';
import type { CertificateSpec } from './pki.ts';

/**
 * Bad peers as data, so that the same table runs on the C harness and on the board. Each has a twin that differs in the defect only
 * and is accepted: without it a refusal would prove nothing.
 */
export interface Scenario {
  /** Root first, leaf last; each is signed by the one before. */
  readonly chain: readonly CertificateSpec[];
  /** Which certificates of the chain the server sends, leaf first; default: all but the root. */
  readonly sends?: readonly number[];
  /** Arguments of `openssl s_server` beside key, certificate and port. */
  readonly server?: readonly string[];
  /** The server of raw-server.ts in the place of OpenSSL's, with this fault. */
  readonly raw?: Fault;
  /** Bytes of plaintext that come back; default: the line that was sent. */
  readonly answerBytes?: number;
  readonly host: string;
  /** What the client trusts; default: the root of the chain. */
  readonly roots?: readonly CertificateSpec[];
}

export interface HostileCase {
  readonly title: string;
  readonly code: string;
  readonly bad: Scenario;
  readonly good: Scenario;
}

const HOST = 'hub.latchkey.test';

export const root: CertificateSpec = { commonName: 'Test root', key: 'p256', keyNumber: 1, ca: true, keyUsage: ['keyCertSign', 'cRLSign'] };
export const intermediate: CertificateSpec = {
  commonName: 'Test intermediate', key: 'p256', keyNumber: 2, ca: true, pathLength: 0, keyUsage: ['keyCertSign', 'cRLSign'],
};
export const leaf: CertificateSpec = {
  commonName: 'Test server', key: 'p256', keyNumber: 3, dnsNames: [HOST], keyUsage: ['digitalSignature'], extendedKeyUsage: ['1.3.6.1.5.5.7.3.1'],
};
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const ANY_USAGE = '2.5.29.37.0';

/** `spec` without these properties: absent, not undefined. */
export function without<Key extends keyof CertificateSpec>(spec: CertificateSpec, ...names: Key[]): CertificateSpec {
  return Object.fromEntries(Object.entries(spec).filter(([name]) => !names.includes(name as Key))) as unknown as CertificateSpec;
}

export const good: Scenario = { chain: [root, intermediate, leaf], host: HOST };
const otherRoot: CertificateSpec = { ...root, commonName: 'Another root', keyNumber: 9 };
const withLeaf = (change: Partial<CertificateSpec>): Scenario => ({ ...good, chain: [root, intermediate, { ...leaf, ...change }] });
const withIntermediate = (change: Partial<CertificateSpec>): Scenario => ({ ...good, chain: [root, { ...intermediate, ...change }, leaf] });
const withRoot = (change: Partial<CertificateSpec>): Scenario => ({ ...good, chain: [{ ...root, ...change }, intermediate, leaf] });
const named = (dnsNames: string[], host: string): Scenario => ({ ...withLeaf({ dnsNames }), host });
const served = (...server: string[]): Scenario => ({ ...good, server });

const raw = (fault: Fault): Scenario => ({ ...good, raw: fault });

const rsaRoot: CertificateSpec = { ...root, commonName: 'RSA root', key: 'rsa-2048', keyNumber: 1 };
const rsaIntermediate: CertificateSpec = { ...intermediate, commonName: 'RSA intermediate', key: 'rsa-2048', keyNumber: 2 };
const rsaLeaf: CertificateSpec = { ...leaf, commonName: 'RSA server', key: 'rsa-2048', keyNumber: 3 };
const LAX = ['-cipher', 'DEFAULT:@SECLEVEL=0'];
const rsa = (r: Partial<CertificateSpec>, i: Partial<CertificateSpec>, l: Partial<CertificateSpec>): Scenario => ({
  ...good,
  chain: [{ ...rsaRoot, ...r }, { ...rsaIntermediate, ...i }, { ...rsaLeaf, ...l }],
  server: LAX,
});
/** RSA throughout: quick for the client. */
export const goodRsa: Scenario = rsa({}, {}, {});
const rsaServed = (...server: string[]): Scenario => ({ ...rsa({}, {}, {}), server });

const nonCa: CertificateSpec = { ...leaf, commonName: 'A server that signs', keyNumber: 4 };

export const hostileCases: readonly HostileCase[] = [
  // Names.
  { title: 'another host name', code: 'ERR_TLS_HOSTNAME', good, bad: { ...good, host: 'other.latchkey.test' } },
  {
    title: 'the name in the CN only', code: 'ERR_TLS_HOSTNAME',
    good: withLeaf({ commonName: HOST }),
    bad: { ...good, chain: [root, intermediate, without({ ...leaf, commonName: HOST }, 'dnsNames')] },
  },
  {
    title: 'the name in the CN, another in the SAN', code: 'ERR_TLS_HOSTNAME',
    good: withLeaf({ commonName: HOST }), bad: withLeaf({ commonName: HOST, dnsNames: ['other.latchkey.test'] }),
  },
  {
    title: 'a wildcard for two labels', code: 'ERR_TLS_HOSTNAME',
    good: named(['*.latchkey.test'], 'a.latchkey.test'), bad: named(['*.latchkey.test'], 'a.b.latchkey.test'),
  },
  {
    title: 'a wildcard for no label', code: 'ERR_TLS_HOSTNAME',
    good: named(['*.latchkey.test'], 'hub.latchkey.test'), bad: named(['*.latchkey.test'], 'latchkey.test'),
  },
  {
    title: 'a wildcard as part of a label', code: 'ERR_TLS_HOSTNAME',
    good: named(['*.latchkey.test'], HOST), bad: named(['h*.latchkey.test'], HOST),
  },
  {
    title: 'a wildcard below the left-most label', code: 'ERR_TLS_HOSTNAME',
    good: named(['*.latchkey.test'], HOST), bad: named(['hub.*.test'], HOST),
  },
  {
    title: 'a wildcard over a whole top-level domain', code: 'ERR_TLS_HOSTNAME',
    good: named(['*.latchkey.test'], 'hub.latchkey.test'), bad: named(['*.test'], 'latchkey.test'),
  },
  {
    title: 'a name that only starts like the host', code: 'ERR_TLS_HOSTNAME',
    good: named([HOST], HOST), bad: named([`${HOST}.evil.test`], HOST),
  },
  {
    title: 'an address as a DNS name', code: 'ERR_TLS_HOSTNAME',
    good: { ...withLeaf({ ipAddresses: ['127.0.0.1'] }), host: '127.0.0.1' }, bad: named(['127.0.0.1'], '127.0.0.1'),
  },
  {
    title: 'another address', code: 'ERR_TLS_HOSTNAME',
    good: { ...withLeaf({ ipAddresses: ['127.0.0.1'] }), host: '127.0.0.1' },
    bad: { ...withLeaf({ ipAddresses: ['127.0.0.2'] }), host: '127.0.0.1' },
  },
  // Trust.
  { title: 'an unknown root', code: 'ERR_TLS_UNTRUSTED_ISSUER', good, bad: { ...good, roots: [otherRoot] } },
  {
    title: 'a root of the same name with another key', code: 'ERR_TLS_UNTRUSTED_ISSUER',
    good: { ...good, roots: [root] }, bad: { ...good, roots: [{ ...root, keyNumber: 9 }] },
  },
  { title: 'a missing intermediate', code: 'ERR_TLS_UNTRUSTED_ISSUER', good: { ...good, sends: [2, 1] }, bad: { ...good, sends: [2] } },
  {
    title: 'a self-signed leaf', code: 'ERR_TLS_UNTRUSTED_ISSUER',
    good: { ...good, chain: [{ ...leaf, ca: true, keyUsage: ['digitalSignature', 'keyCertSign'] }], sends: [0] },
    bad: { ...good, chain: [{ ...leaf, ca: true, keyUsage: ['digitalSignature', 'keyCertSign'] }], sends: [0], roots: [root] },
  },
  { title: 'a leaf with a broken signature', code: 'ERR_TLS_UNTRUSTED_ISSUER', good, bad: withLeaf({ brokenSignature: true }) },
  { title: 'an intermediate with a broken signature', code: 'ERR_TLS_UNTRUSTED_ISSUER', good, bad: withIntermediate({ brokenSignature: true }) },
  // Dates.
  { title: 'an expired leaf', code: 'ERR_TLS_EXPIRED', good, bad: withLeaf({ validity: 'expired' }) },
  { title: 'a leaf not yet valid', code: 'ERR_TLS_NOT_YET_VALID', good, bad: withLeaf({ validity: 'future' }) },
  { title: 'an expired intermediate', code: 'ERR_TLS_EXPIRED', good, bad: withIntermediate({ validity: 'expired' }) },
  { title: 'an intermediate not yet valid', code: 'ERR_TLS_NOT_YET_VALID', good, bad: withIntermediate({ validity: 'future' }) },
  { title: 'an expired root', code: 'ERR_TLS_EXPIRED', good, bad: withRoot({ validity: 'expired' }) },
  // Who may sign.
  {
    title: 'a leaf that signs', code: 'ERR_TLS_NOT_A_CA',
    good: { ...good, chain: [root, without(intermediate, 'pathLength'), { ...intermediate, commonName: 'Below', keyNumber: 4 }, leaf] },
    bad: { ...good, chain: [root, without(intermediate, 'pathLength'), nonCa, leaf] },
  },
  {
    title: 'an intermediate without basicConstraints', code: 'ERR_TLS_NOT_A_CA',
    good, bad: { ...good, chain: [root, without(intermediate, 'ca', 'pathLength'), leaf] },
  },
  { title: 'an intermediate that says it is no CA', code: 'ERR_TLS_NOT_A_CA', good, bad: { ...good, chain: [root, { ...without(intermediate, 'pathLength'), ca: false }, leaf] } },
  {
    title: 'a chain longer than the pathLength of an intermediate', code: 'ERR_TLS_NOT_A_CA',
    good: { ...good, chain: [root, { ...intermediate, pathLength: 1 }, { ...intermediate, commonName: 'Below', keyNumber: 4 }, leaf] },
    bad: { ...good, chain: [root, { ...intermediate, pathLength: 0 }, { ...intermediate, commonName: 'Below', keyNumber: 4 }, leaf] },
  },
  {
    title: 'a chain longer than the pathLength of the root', code: 'ERR_TLS_NOT_A_CA',
    good: withRoot({ pathLength: 1 }), bad: withRoot({ pathLength: 0 }),
  },
  // Usage.
  {
    title: 'a leaf whose keyUsage lacks digitalSignature', code: 'ERR_TLS_USAGE',
    good: { ...withLeaf({ keyUsage: ['digitalSignature', 'keyEncipherment'] }), raw: 'none' },
    bad: { ...withLeaf({ keyUsage: ['keyEncipherment'] }), raw: 'none' }, // OpenSSL would not serve it
  },
  {
    title: 'an intermediate whose keyUsage lacks keyCertSign', code: 'ERR_TLS_USAGE',
    good: withIntermediate({ keyUsage: ['keyCertSign'] }), bad: withIntermediate({ keyUsage: ['cRLSign'] }),
  },
  {
    title: 'a leaf whose EKU is for clients only', code: 'ERR_TLS_USAGE',
    good: withLeaf({ extendedKeyUsage: [CLIENT_AUTH, '1.3.6.1.5.5.7.3.1'] }), bad: withLeaf({ extendedKeyUsage: [CLIENT_AUTH] }),
  },
  {
    title: 'an intermediate whose EKU is for clients only', code: 'ERR_TLS_USAGE',
    good: withIntermediate({ extendedKeyUsage: ['1.3.6.1.5.5.7.3.1'] }), bad: withIntermediate({ extendedKeyUsage: [CLIENT_AUTH] }),
  },
  // Strength.
  { title: 'a leaf signed with SHA-1', code: 'ERR_TLS_WEAK_HASH', good: rsa({}, {}, {}), bad: rsa({}, {}, { hash: 'SHA-1' }) },
  { title: 'an intermediate signed with SHA-1', code: 'ERR_TLS_WEAK_HASH', good: rsa({}, {}, {}), bad: rsa({}, { hash: 'SHA-1' }, {}) },
  { title: 'a leaf with RSA-1024', code: 'ERR_TLS_WEAK_KEY', good: rsa({}, {}, {}), bad: rsa({}, {}, { key: 'rsa-1024' }) },
  { title: 'an intermediate with RSA-1024', code: 'ERR_TLS_WEAK_KEY', good: rsa({}, {}, {}), bad: rsa({}, { key: 'rsa-1024' }, {}) },
  { title: 'a root with RSA-1024', code: 'ERR_TLS_WEAK_KEY', good: rsa({}, {}, {}), bad: rsa({ key: 'rsa-1024' }, {}, {}) },
  // What the server speaks.
  {
    title: 'TLS 1.1', code: 'ERR_TLS_VERSION',
    good: rsaServed('-tls1_2', ...LAX), bad: rsaServed('-tls1_1', ...LAX),
  },
  {
    title: 'TLS 1.0', code: 'ERR_TLS_VERSION',
    good: rsaServed('-tls1_2', ...LAX), bad: rsaServed('-tls1', ...LAX),
  },
  {
    title: 'no AEAD', code: 'ERR_TLS_CIPHER',
    good: rsaServed('-tls1_2', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256'), bad: rsaServed('-tls1_2', '-cipher', 'ECDHE-RSA-AES128-SHA256'),
  },
  {
    title: 'no forward secrecy', code: 'ERR_TLS_CIPHER',
    good: rsaServed('-tls1_2', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256'), bad: rsaServed('-tls1_2', '-cipher', 'AES128-GCM-SHA256'),
  },
  {
    title: 'finite-field Diffie-Hellman only', code: 'ERR_TLS_CIPHER',
    good: rsaServed('-tls1_2', '-cipher', 'ECDHE-RSA-AES256-GCM-SHA384'), bad: rsaServed('-tls1_2', '-cipher', 'DHE-RSA-AES256-GCM-SHA384'),
  },
  { title: 'a group that we do not have', code: 'ERR_TLS_CIPHER', good: served('-groups', 'P-256'), bad: served('-groups', 'P-521') },
  // Several defects: the class that does not lead to new roots wins.
  { title: 'another host name under an unknown root', code: 'ERR_TLS_HOSTNAME', good, bad: { ...good, host: 'other.latchkey.test', roots: [otherRoot] } },
  { title: 'an expired leaf under an unknown root', code: 'ERR_TLS_EXPIRED', good, bad: { ...withLeaf({ validity: 'expired' }), roots: [otherRoot] } },
];

/** A server that breaks the protocol: one fault each, and the twin is the same server without it. */
const PROTOCOL_FAULTS: readonly (readonly [Fault, string, string?])[] = [
  ['suite-not-offered', 'a suite that was not offered'],
  ['suite-unknown', 'a suite that nobody knows'],
  ['compression', 'compression'],
  ['no-renegotiation-info', 'no secure renegotiation (RFC 5746)'],
  ['no-certificate', 'no certificate'],
  ['sha1-key-exchange', 'a key exchange signed with SHA-1'],
  ['key-exchange-of-another-key', 'a key exchange signed by another key'],
  ['group-not-offered', 'a group that was not offered'],
  ['point-not-on-curve', 'a point that is not on the curve'],
  ['certificate-twice', 'its certificate twice'],
  ['hello-done-first', 'the end of its hello too early'],
  ['message-too-long', 'a handshake message of 16 MB'],
  ['changed-client-hello', 'a client hello that was changed on the way'],
  ['changed-server-hello', 'a server hello that was changed on the way'],
  ['changed-certificate', 'a certificate that was changed on the way', 'ERR_TLS_UNTRUSTED_ISSUER'],
  ['changed-key-exchange', 'a key exchange that was changed on the way'],
  ['changed-hello-done', 'the end of its hello changed on the way'],
  ['changed-finished', 'a Finished that was changed on the way'],
  ['wrong-finished', 'a wrong Finished'],
  ['finished-in-clear', 'its Finished in clear'],
  ['no-change-cipher-spec', 'no ChangeCipherSpec'],
  ['plain-data-when-up', 'data in clear when the session is up'],
  ['wrong-tag', 'a record with a wrong tag'],
  ['replayed-record', 'the same record twice'],
  ['unknown-record-type', 'a record of an unknown type'],
  ['fatal-alert', 'a fatal alert'],
  ['http', 'HTTP'],
  ['ssh', 'SSH'],
  ['zeros', 'zeros'],
  ['noise', 'noise'],
  ['endless-noise', 'noise without end'],
  ['endless-empty-records', 'empty records without end'],
  ['endless-warnings', 'warnings without end'],
  ['endless-warnings-in-handshake', 'warnings without end in the handshake'],
  ['endless-hello-requests', 'requests to renegotiate without end'],
  ['version-1.1', 'a hello of TLS 1.1', 'ERR_TLS_VERSION'],
];

const SILENCES: readonly (readonly [Fault, string])[] = [
  ['silent-at-start', 'before its hello'],
  ['silent-after-hello', 'after its hello'],
  ['silent-after-certificate', 'after its certificate'],
  ['silent-after-key-exchange', 'after its key exchange'],
  ['silent-after-hello-done', 'after the end of its hello'],
  ['silent-before-finished', 'before its Finished'],
  ['silent-in-a-record', 'one byte before the end of a record'],
  ['silent-when-up', 'when the session is up'],
];

export const protocolCases: readonly HostileCase[] = [
  ...PROTOCOL_FAULTS.map(([fault, title, code = 'ERR_TLS_PROTOCOL']) => ({ title: `a server that sends ${title}`, code, good: raw('none'), bad: raw(fault) })),
  {
    title: 'a server that sends a record one byte too long', code: 'ERR_TLS_PROTOCOL',
    good: { ...raw('largest-record'), answerBytes: 16384 }, bad: { ...raw('record-too-long'), answerBytes: 16385 },
  },
  ...SILENCES.map(([fault, when]) => ({ title: `a server that falls silent ${when}`, code: 'ERR_TLS_TIMEOUT', good: raw('none'), bad: raw(fault) })),
];

/** Peers that look odd and are right. */
export const goodCases: readonly { readonly title: string; readonly scenario: Scenario }[] = [
  {
    title: 'the shape of Azure: RSA-4096 intermediate, SHA-384, wildcard leaf',
    scenario: {
      chain: [
        { ...rsaRoot, hash: 'SHA-256' },
        { ...rsaIntermediate, key: 'rsa-4096', hash: 'SHA-384', extendedKeyUsage: ['1.3.6.1.5.5.7.3.1', CLIENT_AUTH] },
        { ...rsaLeaf, hash: 'SHA-384', dnsNames: ['*.azure-devices.test'], keyUsage: ['digitalSignature', 'keyEncipherment'], extendedKeyUsage: ['1.3.6.1.5.5.7.3.1', CLIENT_AUTH] },
      ],
      host: 'myhub.azure-devices.test',
      server: ['-tls1_2', '-cipher', 'ECDHE-RSA-AES256-GCM-SHA384'],
    },
  },
  { title: 'ECDSA with P-384 and SHA-384', scenario: withLeaf({ key: 'p384', hash: 'SHA-384' }) },
  { title: 'a leaf without keyUsage and without EKU', scenario: { ...good, chain: [root, intermediate, without(leaf, 'keyUsage', 'extendedKeyUsage')] } },
  { title: 'an intermediate without keyUsage', scenario: { ...good, chain: [root, without(intermediate, 'keyUsage'), leaf] } },
  { title: 'anyExtendedKeyUsage', scenario: withLeaf({ extendedKeyUsage: [ANY_USAGE] }) },
  { title: 'a root that signed itself with SHA-1', scenario: rsa({ hash: 'SHA-1' }, {}, {}) },
  { title: 'a host name in capitals', scenario: { ...good, host: 'HUB.Latchkey.TEST' } },
  { title: 'a leaf straight below the root', scenario: { ...good, chain: [root, leaf] } },
  { title: 'the root sent along', scenario: { ...good, sends: [2, 1, 0] } },
  { title: 'two roots, the second one right', scenario: { ...good, roots: [otherRoot, root] } },
  { title: 'X25519', scenario: served('-groups', 'X25519') },
  { title: 'P-384 as the group', scenario: served('-groups', 'P-384') },
  { title: 'ChaCha20-Poly1305', scenario: served('-tls1_2', '-cipher', 'ECDHE-ECDSA-CHACHA20-POLY1305') },
  { title: 'TLS 1.2 with AES-256', scenario: served('-tls1_2', '-cipher', 'ECDHE-ECDSA-AES256-GCM-SHA384') },
  { title: 'two empty records before the data', scenario: raw('a-few-empty-records') },
  { title: 'a request to renegotiate, which is declined', scenario: raw('a-hello-request') },
  { title: 'a record of the largest size', scenario: { ...raw('largest-record'), answerBytes: 16384 } },
  { title: 'no session ticket', scenario: served('-tls1_2', '-no_ticket') },
];
