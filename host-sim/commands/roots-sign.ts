import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { PUBLIC_MODE, readBytes, readEnvelopeFile, readPublicKeyFile, writeEnvelopeFile, writeWhole } from '../roots/bundle-files.ts';
import { readDraft } from '../roots/bundle-draft.ts';
import { addSignature, commandSigner, fileSigner, type BundleSigner } from '../roots/bundle-signer.ts';
import { generateUpdateKey, isEncrypted, parsePrivateKey } from '../roots/update-key.ts';
import { printJson, printLine, sayLine, type CliContext } from '../terminal/cli-context.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import { readSecret } from '../terminal/secret-source.ts';

const KEYGEN_EXAMPLES = `Examples:
  npm run latchkey -- roots keygen --out keys/alice.pem                 asks for a passphrase; writes keys/alice.pem and keys/alice.pub
  npm run latchkey -- roots keygen --out ci.pem --no-passphrase         for a key that a safe protects otherwise
`;

const SIGN_EXAMPLES = `Examples:
  npm run latchkey -- roots sign 2.json --key keys/alice.pem
  npm run latchkey -- roots sign 2.json --public-key hsm.pub --digest --signer-command \\
    'pkcs11-tool --module /usr/lib/softhsm/libsofthsm2.so --sign --mechanism ECDSA --signature-format rs --id 01 --login'
`;

interface KeygenFlags {
  readonly out: string;
  readonly passphrase: boolean;
  readonly passphraseFile?: string;
  readonly json?: true;
}

interface SignFlags {
  readonly key?: string;
  readonly passphraseFile?: string;
  readonly signerCommand?: string;
  readonly publicKey?: string;
  readonly digest?: true;
  readonly json?: true;
}

export function addRootsSignCommands(roots: Command, context: CliContext): void {
  roots
    .command('keygen')
    .description('Makes a key (P-256) that signs root bundles.')
    .addHelpText('before', KEYGEN_EXAMPLES)
    .requiredOption('--out <file>', 'the private key, PEM, mode 0600; the public one goes beside it as .pub')
    .option('--passphrase-file <file>', 'a file with the passphrase, "-" for stdin (default: asked for on the terminal)')
    .option('--no-passphrase', 'leave the private key unencrypted')
    .option('--json', 'one JSON object on stdout')
    .action((flags: KeygenFlags) => generate(flags, context));
  roots
    .command('sign')
    .description('Adds a signature to a bundle or a draft, in its file.')
    .addHelpText('before', SIGN_EXAMPLES)
    .argument('<file>', 'the bundle')
    .option('--key <file>', 'the private key, PEM')
    .option('--passphrase-file <file>', 'a file with its passphrase, "-" for stdin (default: asked for on the terminal)')
    .option('--signer-command <command>', 'a program that signs: bytes on its stdin, the signature on its stdout, raw or DER')
    .option('--public-key <file>', 'the public half of the key that the program has')
    .option('--digest', 'the program gets the SHA-256 of the bytes, not the bytes')
    .option('--json', 'one JSON object on stdout')
    .action((file: string, flags: SignFlags) => signFile(file, flags, context));
}

async function generate(flags: KeygenFlags, context: CliContext): Promise<void> {
  const publicFile = `${flags.out.replace(/\.pem$/, '')}.pub`;
  for (const file of [flags.out, publicFile]) {
    if (existsSync(file)) throw new CliError('ERR_FILE', EXIT.configuration, `${file} is there already`, 'choose another name: a key that signed must not be lost');
  }
  const passphrase = flags.passphrase ? await readSecret(context, 'a passphrase for the new key', '--passphrase-file', flags.passphraseFile) : undefined;
  const { publicKey, privatePem, publicPem } = generateUpdateKey(passphrase);
  writeWhole(flags.out, privatePem);
  writeWhole(publicFile, publicPem, PUBLIC_MODE);
  if (flags.json === true) return printJson(context, { kid: publicKey.kid, jwk: publicKey.jwk, privateKey: flags.out, publicKey: publicFile });
  printLine(context, publicKey.kid);
  sayLine(context, `${flags.out} signs${passphrase === undefined ? ', and has no passphrase' : ''}; ${publicFile} goes into bundles (--key)`);
}

async function signFile(file: string, flags: SignFlags, context: CliContext): Promise<void> {
  const envelope = readEnvelopeFile(file);
  const signer = await openSigner(flags, context);
  const signed = await addSignature(envelope, signer);
  writeEnvelopeFile(file, signed);
  const facts = { file, kid: signer.publicKey.kid, signatures: signed.signatures.length };
  if (flags.json === true) printJson(context, facts);
  else printLine(context, `${file}: signed by ${facts.kid}; ${facts.signatures} ${facts.signatures === 1 ? 'signature' : 'signatures'}`);
  const isOwnKey = readDraft(signed).keys.some(({ kid }) => kid === facts.kid);
  if (!isOwnKey) sayLine(context, `that key is none of this bundle's own: right when it is one of the version before, else devices refuse the bundle (ERR_BUNDLE_KID)`);
}

async function openSigner(flags: SignFlags, context: CliContext): Promise<BundleSigner> {
  const { key, publicKey, signerCommand } = flags;
  if (signerCommand !== undefined) {
    if (publicKey === undefined || key !== undefined) throw new CliError('ERR_KEY', EXIT.usage, '--signer-command needs --public-key, and no --key', 'name the public half of the key that the program has');
    return commandSigner(signerCommand, readPublicKeyFile(publicKey), flags.digest === true);
  }
  if (key === undefined) throw new CliError('ERR_KEY', EXIT.usage, 'nobody is there to sign', 'give --key FILE, or --signer-command with --public-key');
  const pem = readBytes(key).toString('utf8');
  const passphrase = isEncrypted(pem) ? await readSecret(context, `the passphrase of ${key}`, '--passphrase-file', flags.passphraseFile) : undefined;
  return fileSigner(parsePrivateKey(pem, passphrase, key));
}
