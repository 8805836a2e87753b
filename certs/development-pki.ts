import 'reflect-metadata';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

/** Which names the server's certificate is for, and when the three certificates hold. */
export interface DevelopmentPkiOptions {
  /** DNS names and IP addresses for the leaf's SAN. */
  readonly names: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** A certificate with its key, both PEM; the certificate as DER too. */
export interface Credential {
  readonly certificatePem: string;
  readonly certificateDer: Uint8Array;
  /** PKCS #8. */
  readonly privateKeyPem: string;
}

/** A root, an intermediate and a server certificate for development; worth nothing anywhere else. */
export interface DevelopmentPki {
  readonly root: Credential;
  readonly intermediate: Credential;
  readonly server: Credential;
  /** What a TLS server shows: leaf and intermediate, PEM. */
  readonly serverChainPem: string;
}

const SIGNING = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const crypto = webcrypto;
const { KeyUsageFlags } = x509;

/** Makes a PKI with new EC P-256 keys in the shape of IoT Hub's: root, intermediate that may issue no further CA, leaf with SAN. */
export async function createDevelopmentPki(options: DevelopmentPkiOptions): Promise<DevelopmentPki> {
  x509.cryptoProvider.set(crypto);
  const { notBefore, notAfter } = options;
  const [rootKeys, intermediateKeys, serverKeys] = [await generateKeys(), await generateKeys(), await generateKeys()];
  const dates = { notBefore, notAfter, signingAlgorithm: SIGNING };
  const rootName = 'CN=Latchkey development root, O=Latchkey development';
  const intermediateName = 'CN=Latchkey development intermediate, O=Latchkey development';
  const root = await x509.X509CertificateGenerator.create({
    ...dates,
    serialNumber: randomSerial(),
    subject: rootName,
    issuer: rootName,
    publicKey: rootKeys.publicKey,
    signingKey: rootKeys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(rootKeys.publicKey),
    ],
  });
  const intermediate = await x509.X509CertificateGenerator.create({
    ...dates,
    serialNumber: randomSerial(),
    subject: intermediateName,
    issuer: rootName,
    publicKey: intermediateKeys.publicKey,
    signingKey: rootKeys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(intermediateKeys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(rootKeys.publicKey),
    ],
  });
  const server = await x509.X509CertificateGenerator.create({
    ...dates,
    serialNumber: randomSerial(),
    subject: 'CN=Latchkey development hub, O=Latchkey development',
    issuer: intermediateName,
    publicKey: serverKeys.publicKey,
    signingKey: intermediateKeys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(options.names.map((name) => ({ type: isIP(name) === 0 ? 'dns' : 'ip', value: name }))),
      await x509.SubjectKeyIdentifierExtension.create(serverKeys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(intermediateKeys.publicKey),
    ],
  });
  return {
    root: await toCredential(root, rootKeys),
    intermediate: await toCredential(intermediate, intermediateKeys),
    server: await toCredential(server, serverKeys),
    serverChainPem: `${server.toString('pem')}\n${intermediate.toString('pem')}\n`,
  };
}

/** Writes the PKI below `folder`: certificates for all, private keys for their owner (0600). */
export function saveDevelopmentPki(pki: DevelopmentPki, folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const [name, credential] of Object.entries({ root: pki.root, intermediate: pki.intermediate, server: pki.server })) {
    writeFileSync(join(folder, `${name}.pem`), `${credential.certificatePem}\n`);
    writeFileSync(join(folder, `${name}.der`), credential.certificateDer);
    writePrivate(join(folder, `${name}.key.pem`), `${credential.privateKeyPem}\n`);
  }
  writeFileSync(join(folder, 'server-chain.pem'), pki.serverChainPem);
}

/** `mode` counts only for a new file, so an old one is narrowed before the key goes in. */
function writePrivate(path: string, text: string): void {
  writeFileSync(path, '', { mode: 0o600 });
  chmodSync(path, 0o600);
  writeFileSync(path, text);
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(SIGNING, true, ['sign', 'verify']);
}

/** 127 random bits: positive, and never zero in its first byte (RFC 5280, 4.1.2.2). */
function randomSerial(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}

async function toCredential(certificate: x509.X509Certificate, keys: webcrypto.CryptoKeyPair): Promise<Credential> {
  return {
    certificatePem: certificate.toString('pem'),
    certificateDer: new Uint8Array(certificate.rawData),
    privateKeyPem: x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY'),
  };
}
