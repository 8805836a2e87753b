import { createHash, sign, type KeyObject } from 'node:crypto';
import { spawn } from 'node:child_process';
import { MAX_BUNDLE_SIGNATURES } from '../../firmware/agent/roots/root-limits.ts';
import { BundleError } from '../../firmware/agent/roots/bundle-error.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import { kidOf, protectedHeader, signingInput, type Envelope } from './envelope.ts';
import { isSignedBy, toUpdateKey, type UpdateKey } from './update-key.ts';

/** Who signs: a key in a file, or a program that reaches one. */
export interface BundleSigner {
  readonly publicKey: UpdateKey;
  /** r and s, or DER, over `message` with SHA-256. */
  sign(message: Buffer): Promise<Buffer>;
}

const RAW_SIGNATURE_BYTES = 64;
const COORDINATE_BYTES = 32;
const DER_SEQUENCE = 0x30;
const DER_INTEGER = 0x02;
/** A smart card that asks for its PIN on its own pad takes a while. */
const COMMAND_TIMEOUT_MS = 120_000;
const MAX_ANSWER_BYTES = 4096;

export function fileSigner(privateKey: KeyObject): BundleSigner {
  return { publicKey: toUpdateKey(privateKey), sign: async (message) => sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' }) };
}

/**
 * A command of the owner's: bytes on its stdin, the signature on its stdout, raw or DER.
 * @param givesDigest the command signs a SHA-256 that is given to it, as HSMs do that cannot hash
 */
export function commandSigner(command: string, publicKey: UpdateKey, givesDigest: boolean): BundleSigner {
  return { publicKey, sign: (message) => runSigner(command, givesDigest ? createHash('sha256').update(message).digest() : message) };
}

/**
 * The envelope with one more signature; one of the same key is replaced.
 * @throws ERR_KEY when what came is not this key's signature
 */
export async function addSignature(envelope: Envelope, signer: BundleSigner): Promise<Envelope> {
  const { publicKey } = signer;
  const others = envelope.signatures.filter(({ protected: header }) => kidOf(header) !== publicKey.kid);
  if (others.length >= MAX_BUNDLE_SIGNATURES) throw new BundleError('ERR_BUNDLE_SIZE', `at most ${MAX_BUNDLE_SIGNATURES} signatures`);
  const header = protectedHeader(publicKey.kid);
  const message = signingInput(header, envelope.payload);
  const signature = toRaw(await signer.sign(message));
  if (signature === undefined || !isSignedBy(publicKey, message, signature)) {
    throw new CliError('ERR_KEY', EXIT.failed, 'what came is no signature of this key over the bundle', 'check that --public-key belongs to the key of --signer-command, and whether it wants --digest');
  }
  return { payload: envelope.payload, signatures: [...others, { protected: header, signature: signature.toString('base64url') }] };
}

/** r and s of 32 bytes each, out of themselves or of DER (RFC 3279 2.2.3). */
function toRaw(bytes: Buffer): Buffer | undefined {
  if (bytes.length === RAW_SIGNATURE_BYTES) return bytes;
  if (bytes[0] !== DER_SEQUENCE || bytes[1] !== bytes.length - 2) return undefined;
  const raw = Buffer.alloc(RAW_SIGNATURE_BYTES);
  let at = 2;
  for (const end of [COORDINATE_BYTES, RAW_SIGNATURE_BYTES]) {
    if (bytes[at] !== DER_INTEGER) return undefined;
    const integer = bytes.subarray(at + 2, at + 2 + (bytes[at + 1] ?? 0));
    at += 2 + integer.length;
    const number = integer[0] === 0 ? integer.subarray(1) : integer;
    if (number.length > COORDINATE_BYTES) return undefined;
    number.copy(raw, end - number.length);
  }
  return at === bytes.length ? raw : undefined;
}

function runSigner(command: string, input: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const fail = (what: string, cause?: unknown): void =>
      reject(new CliError('ERR_KEY', EXIT.failed, `the signer command ${what}`, 'run it by hand: it gets the bytes on stdin and must write the signature alone to stdout', { cause }));
    // By the shell, as the owner typed it; what it says goes to the terminal.
    const child = spawn(command, { shell: true, stdio: ['pipe', 'pipe', 'inherit'] });
    const timer = setTimeout(() => child.kill(), COMMAND_TIMEOUT_MS);
    const chunks: Buffer[] = [];
    let byteCount = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      byteCount += chunk.length;
      if (byteCount <= MAX_ANSWER_BYTES) chunks.push(chunk);
      else child.kill();
    });
    child.stdin.on('error', () => {});
    child.on('error', (error) => fail('cannot be started', error));
    child.on('close', (code) => {
      clearTimeout(timer);
      if (code === 0) resolve(Buffer.concat(chunks));
      else fail(code === null ? 'did not end in time, or wrote too much' : `ended with ${code}`);
    });
    child.stdin.end(input);
  });
}
