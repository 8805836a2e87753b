import 'reflect-metadata';

import { createPrivateKey, createPublicKey, generateKeyPairSync, webcrypto } from 'node:crypto';

import * as x509 from '@peculiar/x509';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const RSA = 'RSASSA-PKCS1-v1_5';

export type Hash = 'SHA-1' | 'SHA-256' | 'SHA-384' | 'SHA-512';
export type KeyType = 'rsa-1024' | 'rsa-2048' | 'rsa-4096' | 'p256' | 'p384' | 'p521';
export type Validity = 'now' | 'expired' | 'future' | 'two-hours';
export type KeyUsage = 'digitalSignature' | 'keyEncipherment' | 'keyCertSign' | 'cRLSign';

/** One certificate; what is absent here is absent in the certificate. */
export interface CertificateSpec {
  readonly commonName: string;
  readonly key: KeyType;
  /** The same number means the same key. */
  readonly keyNumber?: number;
  readonly validity?: Validity;
  /** Of the issuer's signature. */
  readonly hash?: Hash;
  /** basicConstraints. */
  readonly ca?: boolean;
  readonly pathLength?: number;
  readonly keyUsage?: readonly KeyUsage[];
  readonly extendedKeyUsage?: readonly x509.ExtendedKeyUsageType[];
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
  /** Breaks the last byte of the signature. */
  readonly brokenSignature?: boolean;
}

export interface Certificate {
  readonly der: Buffer;
  readonly pem: string;
  readonly privateKeyPem: string;
  readonly privateKeyDer: Buffer;
  readonly name: string;
  readonly spec: CertificateSpec;
}

x509.cryptoProvider.set(webcrypto as never);

const keys = new Map<string, Buffer>();

/** PKCS #8 of a key that is made once a run; none is ever written into the project. */
function privateKey(type: KeyType, number: number): Buffer {
  const name = `${type}/${number}`;
  const known = keys.get(name);
  if (known !== undefined) return known;
  const { privateKey: made } = type.startsWith('rsa')
    ? generateKeyPairSync('rsa', { modulusLength: Number(type.slice(4)) })
    : generateKeyPairSync('ec', { namedCurve: { p256: 'prime256v1', p384: 'secp384r1', p521: 'secp521r1' }[type as 'p256'] });
  const der = made.export({ type: 'pkcs8', format: 'der' });
  keys.set(name, der);
  return der;
}

function algorithmOf(type: KeyType, hash: Hash): { name: string; hash: Hash; namedCurve?: string } {
  if (type.startsWith('rsa')) return { name: RSA, hash };
  return { name: 'ECDSA', hash, namedCurve: { p256: 'P-256', p384: 'P-384', p521: 'P-521' }[type as 'p256'] };
}

let clockMs: number | undefined;

/** Certificates are made for this time from now on, in the place of today. */
export function setClock(unixMs: number): void {
  clockMs = unixMs;
}

function validityOf(validity: Validity): { notBefore: Date; notAfter: Date } {
  const now = Math.floor((clockMs ?? Date.now()) / 1000) * 1000;
  const at = (from: number, to: number) => ({ notBefore: new Date(now + from), notAfter: new Date(now + to) });
  switch (validity) {
    case 'now': return at(-DAY_MS, 30 * DAY_MS);
    case 'expired': return at(-30 * DAY_MS, -DAY_MS);
    case 'future': return at(DAY_MS, 30 * DAY_MS);
    case 'two-hours': return at(-DAY_MS, 2 * HOUR_MS);
  }
}

function extensionsOf(spec: CertificateSpec): x509.Extension[] {
  const extensions: x509.Extension[] = [];
  if (spec.ca !== undefined) extensions.push(new x509.BasicConstraintsExtension(spec.ca, spec.pathLength, true));
  if (spec.keyUsage !== undefined) {
    extensions.push(new x509.KeyUsagesExtension(spec.keyUsage.reduce((bits, usage) => bits | x509.KeyUsageFlags[usage], 0), true));
  }
  if (spec.extendedKeyUsage !== undefined) extensions.push(new x509.ExtendedKeyUsageExtension([...spec.extendedKeyUsage]));
  const names = [
    ...(spec.dnsNames ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(spec.ipAddresses ?? []).map((value) => ({ type: 'ip' as const, value })),
  ];
  if (names.length > 0) extensions.push(new x509.SubjectAlternativeNameExtension(names));
  return extensions;
}

let serial = 1;

/** A certificate signed by `issuer`, or by itself. */
export async function issue(spec: CertificateSpec, issuer?: Certificate): Promise<Certificate> {
  const hash = spec.hash ?? 'SHA-256';
  const der = privateKey(spec.key, spec.keyNumber ?? 0);
  const signer = issuer?.spec ?? spec;
  const signingAlgorithm = algorithmOf(signer.key, hash);
  const signingKey = await webcrypto.subtle.importKey('pkcs8', issuer?.privateKeyDer ?? der, signingAlgorithm, false, ['sign']);
  const publicKey = await webcrypto.subtle.importKey(
    'spki',
    createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })).export({ type: 'spki', format: 'der' }),
    algorithmOf(spec.key, 'SHA-256'),
    true,
    ['verify'],
  );
  const made = await x509.X509CertificateGenerator.create({
    serialNumber: (serial++).toString(16).padStart(8, '0'),
    subject: `CN=${spec.commonName}`,
    issuer: `CN=${signer.commonName}`,
    ...validityOf(spec.validity ?? 'now'),
    publicKey: publicKey as never,
    signingKey: signingKey as never,
    signingAlgorithm,
    extensions: extensionsOf(spec),
  });
  const bytes = Buffer.from(made.rawData);
  if (spec.brokenSignature === true) bytes[bytes.length - 1]! ^= 1;
  return {
    der: bytes,
    pem: pem('CERTIFICATE', bytes),
    privateKeyPem: pem('PRIVATE KEY', der),
    privateKeyDer: der,
    name: spec.commonName,
    spec,
  };
}

/** Each certificate signed by the one before it; the first by itself. */
export async function issueChain(specs: readonly CertificateSpec[]): Promise<Certificate[]> {
  const chain: Certificate[] = [];
  for (const spec of specs) chain.push(await issue(spec, chain.at(-1)));
  return chain;
}

function pem(label: string, der: Buffer): string {
  return `-----BEGIN ${label}-----\n${der.toString('base64').replace(/.{64}/g, '$&\n').trimEnd()}\n-----END ${label}-----\n`;
}
