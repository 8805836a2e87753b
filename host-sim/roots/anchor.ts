import { X509Certificate } from 'node:crypto';
import { BundleError } from '../../firmware/agent/roots/bundle-error.ts';
import { isStrictDer, readDer, type DerElement } from './der.ts';

/** A certificate that a device keeps as an anchor. */
export interface Anchor {
  readonly certificate: X509Certificate;
  readonly notBeforeSeconds: number;
  readonly notAfterSeconds: number;
}

const MIN_RSA_BITS = 2048;
const BOOLEAN = 0x01;
const UTC_TIME = 0x17;
/** `[0]`, the version; `[3]`, the extensions. */
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;
/** AlgorithmIdentifier of RSA, P-256 and P-384 (RFC 3279 2.3.1, RFC 5480 2.1.1): as firmware/native/verify-certificate.c has them. */
const RSA = '300d06092a864886f70d0101010500';
const CURVES: readonly string[] = ['301306072a8648ce3d020106082a8648ce3d030107', '301006072a8648ce3d020106052b81040022'];
/** Extensions that may be critical, the contents of their OIDs: basicConstraints, keyUsage, extKeyUsage, subjectAltName. Mbed TLS knows no other ones on every line. */
const UNDERSTOOD: readonly string[] = ['551d13', '551d0f', '551d25', '551d11'];
const POLICIES = '551d20';
/** anyPolicy and nothing else, in an OCTET STRING. */
const ANY_POLICY = '040a300830060604551d2000';

/**
 * What `verify_certificate_der` of the firmware decides: its rules on DER, dates, keys and critical extensions here, OpenSSL's reading of the rest.
 * @throws BundleError ERR_BUNDLE_ROOTS
 */
export function readAnchor(der: Uint8Array): Anchor {
  const certificate = openCertificate(der);
  const [whole, ...behind] = readDer(der) ?? [];
  const [tbs] = childrenOf(whole);
  const [version, ...fields] = childrenOf(tbs);
  const [, , , validity, , keyInfo] = fields;
  const extensions = fields.find(({ tag }) => tag === EXTENSIONS);
  const dates = childrenOf(validity).map(secondsOf);
  const [notBeforeSeconds, notAfterSeconds] = dates;
  const isCertificate = behind.length === 0 && isStrictDer(der) && version?.tag === VERSION && certificate.ca && hasStrongKey(certificate, keyInfo);
  if (!isCertificate || notBeforeSeconds === undefined || notAfterSeconds === undefined || dates.length !== 2) {
    throw new BundleError('ERR_BUNDLE_ROOTS', 'a root must be one CA certificate in DER, with RSA of 2048 bits at least, P-256 or P-384');
  }
  for (const list of childrenOf(extensions)) {
    if (!childrenOf(list).every(isUnderstood)) throw new BundleError('ERR_BUNDLE_ROOTS', 'a root has a critical extension that devices do not understand');
  }
  return { certificate, notBeforeSeconds, notAfterSeconds };
}

function openCertificate(der: Uint8Array): X509Certificate {
  try {
    const certificate = new X509Certificate(der);
    void certificate.publicKey; // throws for a key that is none
    return certificate;
  } catch {
    throw new BundleError('ERR_BUNDLE_ROOTS', 'a root is no X.509 certificate in DER');
  }
}

function childrenOf(element: DerElement | undefined): readonly DerElement[] {
  return element === undefined ? [] : (readDer(element.content) ?? []);
}

/** Named curves only, RSA only for any padding. */
function hasStrongKey({ publicKey }: X509Certificate, keyInfo: DerElement | undefined): boolean {
  const algorithm = hex(childrenOf(keyInfo)[0]?.bytes);
  return CURVES.includes(algorithm) || (algorithm === RSA && (publicKey.asymmetricKeyDetails?.modulusLength ?? 0) >= MIN_RSA_BITS);
}

function isUnderstood(extension: DerElement): boolean {
  const [oid, critical, value] = childrenOf(extension);
  if (critical?.tag !== BOOLEAN || critical.content[0] === 0) return true;
  const id = hex(oid?.content);
  return UNDERSTOOD.includes(id) || (id === POLICIES && hex(value?.bytes) === ANY_POLICY);
}

/** RFC 5280 4.1.2.5: `YYMMDDHHMMSSZ` from 1950 to 2049, else `YYYYMMDDHHMMSSZ`. `undefined` for a time that is none. */
function secondsOf({ tag, content }: DerElement): number | undefined {
  const text = Buffer.from(content).toString('latin1');
  const match = (tag === UTC_TIME ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/ : /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/).exec(text);
  if (match === null) return undefined;
  const [short = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const year = tag !== UTC_TIME ? short : short < 50 ? 2000 + short : 1900 + short;
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  // A day or an hour too many would be another one.
  return new Date(ms).toISOString().replace(/[-:T]|\.000/g, '') === `${year}${text.slice(tag === UTC_TIME ? 2 : 4)}` ? ms / 1000 : undefined;
}

function hex(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? '' : Buffer.from(bytes).toString('hex');
}
