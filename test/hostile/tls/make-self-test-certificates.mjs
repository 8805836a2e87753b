/**
 * Makes firmware/native/self-test-certificates.h: `node test/hostile/tls/make-self-test-certificates.mjs`.
 * A test root and three leaves for `self-test.invalid` (RFC 6761: resolves nowhere): valid from 1970 to 9999, expired in 1969, valid
 * from 9999. So the answers do not depend on the clock. The private keys are dropped when the program ends.
 */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import * as x509 from '@peculiar/x509';

const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', publicExponent: new Uint8Array([1, 0, 1]), modulusLength: 2048 };
const EPOCH = new Date('1970-01-01T00:00:00Z');
const END = new Date('9999-12-31T23:59:59Z');
x509.cryptoProvider.set(webcrypto);

const keys = await webcrypto.subtle.generateKey(algorithm, false, ['sign', 'verify']);
const root = await x509.X509CertificateGenerator.createSelfSigned({
  serialNumber: '01', name: 'CN=Latchkey self-test root, not for use', notBefore: EPOCH, notAfter: END, keys, signingAlgorithm: algorithm,
  extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
});

/** All leaves have one key: nobody holds it. */
const leafKeys = await webcrypto.subtle.generateKey(algorithm, false, ['sign', 'verify']);
const leaf = (serialNumber, notBefore, notAfter) => x509.X509CertificateGenerator.create({
  serialNumber, subject: 'CN=Latchkey self-test', issuer: root.subject, notBefore, notAfter,
  publicKey: leafKeys.publicKey, signingKey: keys.privateKey, signingAlgorithm: algorithm,
  extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'self-test.invalid' }])],
});

const certificates = {
  root,
  good: await leaf('02', EPOCH, END),
  expired: await leaf('03', new Date('1950-01-01T00:00:00Z'), new Date('1969-12-31T23:59:59Z')),
  future: await leaf('04', new Date('9999-12-31T00:00:00Z'), END),
};

const array = (name, certificate) => {
  const bytes = [...new Uint8Array(certificate.rawData)].map((byte) => `0x${byte.toString(16).padStart(2, '0')}`);
  const lines = [];
  for (let i = 0; i < bytes.length; i += 20) lines.push(`    ${bytes.slice(i, i + 20).join(', ')},`);
  return `static const uint8_t self_test_${name}[] = {\n${lines.join('\n')}\n};\n`;
};

writeFileSync(new URL('../../../firmware/native/self-test-certificates.h', import.meta.url), `\
/* Made by test/hostile/tls/make-self-test-certificates.mjs. Test certificates: nobody has their keys. */
#ifndef LATCHKEY_SELF_TEST_CERTIFICATES_H
#define LATCHKEY_SELF_TEST_CERTIFICATES_H

#include <stdint.h>

${Object.entries(certificates).map(([name, certificate]) => array(name, certificate)).join('\n')}
#endif
`);
