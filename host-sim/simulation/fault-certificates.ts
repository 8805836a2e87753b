import { createPrivateKey, webcrypto, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { FaultCertificate, FaultEndpoint } from '../hub/faults/fault.ts';
import type { CertificateSwitch } from '../hub/faults/fault-control.ts';
import type { Listener, ServerCredentials } from '../hub/listen.ts';
import type { LocalPki } from './local-pki.ts';

const DAY_MS = 24 * 3600 * 1000;
/** RFC 2606: nobody's. */
const ANOTHER_NAME = 'another-host.invalid';
const SIGNING = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** The ports of a hub that show its certificate. */
export type CertifiedPorts = Readonly<Record<Exclude<FaultEndpoint, 'all'>, Pick<Listener, 'serve'>>>;

/** Switches the chain that ports show, to one that a client has to refuse. */
export function certificateSwitch(ports: CertifiedPorts, pki: LocalPki, names: readonly string[], nowMs: () => number): CertificateSwitch {
  return {
    async use(certificate, endpoint = 'all') {
      const wrong = certificate === undefined ? undefined : await makeChain(certificate, pki, names, nowMs());
      for (const name of ['mqtt', 'https', 'amqp'] as const) ports[name].serve(wrong !== undefined && (endpoint === name || endpoint === 'all') ? wrong : pki.tls);
    },
  };
}

async function makeChain(certificate: FaultCertificate, pki: LocalPki, names: readonly string[], nowMs: number): Promise<ServerCredentials> {
  if (certificate !== 'stranger') return issueLeaf(pki, certificate === 'expired' ? { names, endMs: nowMs - DAY_MS } : { names: [ANOTHER_NAME], endMs: nowMs + DAY_MS });
  const { createDevelopmentPki } = await import('../../certs/development-pki.ts');
  const stranger = await createDevelopmentPki({ names, notBefore: new Date(nowMs - DAY_MS), notAfter: new Date(nowMs + DAY_MS) });
  return { certificateChain: stranger.serverChainPem, privateKey: stranger.server.privateKeyPem };
}

/** A leaf of the intermediate that the hub's right certificate has, too: only what is wrong about it is wrong. */
async function issueLeaf({ rootFile }: LocalPki, { names, endMs }: { readonly names: readonly string[]; readonly endMs: number }): Promise<ServerCredentials> {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  x509.cryptoProvider.set(webcrypto);
  const { isIP } = await import('node:net');
  const read = (name: string): string => readFileSync(join(dirname(rootFile), name), 'utf8');
  const issuer = new X509Certificate(read('intermediate.pem'));
  const pkcs8 = createPrivateKey(read('intermediate.key.pem')).export({ type: 'pkcs8', format: 'der' });
  const signingKey = await webcrypto.subtle.importKey('pkcs8', pkcs8, SIGNING, false, ['sign']);
  const keys = await webcrypto.subtle.generateKey(SIGNING, true, ['sign', 'verify']);
  const leaf = await x509.X509CertificateGenerator.create({
    serialNumber: Buffer.from(webcrypto.getRandomValues(new Uint8Array(8))).toString('hex').replace(/^./, '4'),
    subject: 'CN=Latchkey development hub, O=Latchkey development',
    issuer: new x509.X509Certificate(issuer.raw).subject,
    notBefore: new Date(endMs - 2 * DAY_MS),
    notAfter: new Date(endMs),
    signingAlgorithm: SIGNING,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(names.map((name) => ({ type: isIP(name) === 0 ? 'dns' : 'ip', value: name }))),
    ],
  });
  const privateKey = x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  return { certificateChain: `${leaf.toString('pem')}\n${issuer.toString()}`, privateKey };
}
