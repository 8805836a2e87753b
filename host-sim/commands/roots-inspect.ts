import { X509Certificate } from 'node:crypto';
import type { Command } from 'commander';
import { checkBundle } from '../../firmware/agent/roots/check-bundle.ts';
import { readBytes, explained, readEnvelopeFile, readPublicKeyFile } from '../roots/bundle-files.ts';
import { fingerprintOf, readDraft, type BundleDraft } from '../roots/bundle-draft.ts';
import { kidOf, signingInput, type Envelope } from '../roots/envelope.ts';
import { nodeRootVerifier } from '../roots/node-verifier.ts';
import { isSignedBy, pointsOf, type UpdateKey } from '../roots/update-key.ts';
import { makeStyle, printJson, printLine, type CliContext } from '../terminal/cli-context.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import { dateMs, repeated, wholeNumber } from '../terminal/option-values.ts';
import { realClock } from '../time/real-clock.ts';

const EXAMPLES = `Examples:
  npm run latchkey -- roots inspect 2.json
  npm run latchkey -- roots verify 2.json --previous 1.json
  npm run latchkey -- roots verify 2.json --key alice.pub --key bob.pub --threshold 2 --device-id therm-7
`;

interface VerifyFlags {
  readonly previous?: string;
  readonly key?: readonly string[];
  readonly threshold?: number;
  readonly hub?: string;
  readonly deviceId?: string;
  readonly at?: number;
  readonly json?: true;
}

export function addRootsInspectCommands(roots: Command, context: CliContext): void {
  roots
    .command('inspect')
    .description('Shows what a bundle says and who has signed it; whether devices take it only "verify" tells.')
    .addHelpText('before', EXAMPLES)
    .argument('<file>', 'a bundle or a draft')
    .option('--json', 'one JSON object on stdout')
    .action((file: string, flags: { readonly json?: true }) => inspect(file, flags.json === true, context));
  roots
    .command('verify')
    .description('Decides as a device does: signatures of the set before and of the new one, version, audience, dates, roots.')
    .addHelpText('before', EXAMPLES)
    .argument('<file>', 'a bundle')
    .option('--previous <file>', 'the bundle that devices hold')
    .option('--key <file>', 'without --previous: a public key that devices hold; may be repeated', repeated((text) => text))
    .option('--threshold <n>', 'without --previous: how many of them must have signed', wholeNumber(1, 8))
    .option('--hub <name>', "as a device of this hub (default: the audience's first)")
    .option('--device-id <id>', 'as this device (default: one that the pattern fits)')
    .option('--at <date>', 'at this moment (default: now)', dateMs)
    .option('--json', 'one JSON object on stdout')
    .action((file: string, flags: VerifyFlags) => verify(file, flags, context));
}

function inspect(file: string, isJson: boolean, context: CliContext): void {
  const envelope = readEnvelopeFile(file);
  const draft = explained(file, () => readDraft(envelope));
  const signers = explained(file, () => signersOf(envelope, draft.keys));
  const facts = {
    version: draft.version,
    issuedAt: new Date(draft.issuedAtMs).toISOString(),
    expires: new Date(draft.expiresMs).toISOString(),
    hubs: draft.hubs,
    idScopes: draft.idScopes,
    devices: draft.devices,
    roots: draft.roots.map(({ der, purposes }) => {
      const { subject, validTo } = new X509Certificate(der);
      return { subject: subject.replaceAll('\n', ', '), sha256: fingerprintOf(der), purposes, until: new Date(validTo).toISOString() };
    }),
    revoked: draft.revoked,
    keys: draft.keys.map(({ kid }) => kid),
    threshold: draft.threshold,
    signatures: signers,
    bytes: readBytes(file).length,
  };
  if (isJson) return printJson(context, facts);
  const { bold, dim, green, red, yellow } = makeStyle(context);
  const row = (name: string, text: string): void => printLine(context, `  ${dim(name.padEnd(11))}${text}`);
  printLine(context, bold(`${file}: roots, version ${draft.version}`));
  row('issued', facts.issuedAt);
  row('expires', draft.expiresMs <= realClock.now() ? red(`${facts.expires}, over`) : facts.expires);
  row('for', `${[...draft.hubs, ...draft.idScopes].join(', ')}; devices ${draft.devices}`);
  for (const root of facts.roots) row('trusted', `${root.subject}  ${dim(`until ${root.until.slice(0, 10)}, ${root.purposes.join(' ')}`)}\n${' '.repeat(13)}${dim(root.sha256)}`);
  for (const sha256 of draft.revoked) row('revoked', red(sha256));
  row('keys', `${draft.threshold} of ${draft.keys.length} sign the next bundle`);
  for (const kid of facts.keys) row('', kid);
  if (signers.length === 0) row('signed', yellow('by nobody: a draft'));
  for (const { kid, status } of signers) row('signed', `${status === 'good' ? green(status) : status === 'bad' ? red(status) : yellow(status)}  ${kid}`);
}

interface Signer {
  readonly kid: string;
  /** `other`: not a key of this bundle; one of the set before, perhaps. */
  readonly status: 'good' | 'bad' | 'other';
}

function signersOf(envelope: Envelope, keys: readonly UpdateKey[]): Signer[] {
  return envelope.signatures.map(({ protected: header, signature }) => {
    const kid = kidOf(header);
    const key = keys.find((each) => each.kid === kid);
    if (key === undefined) return { kid, status: 'other' };
    return { kid, status: isSignedBy(key, signingInput(header, envelope.payload), Buffer.from(signature, 'base64url')) ? 'good' : 'bad' };
  });
}

function verify(file: string, flags: VerifyFlags, context: CliContext): void {
  const bytes = readBytes(file);
  const draft = explained(file, () => readDraft(readEnvelopeFile(file)));
  const held = heldBy(flags, draft);
  const deviceId = flags.deviceId ?? draft.devices.replaceAll('*', 'x');
  const read = explained(file, () =>
    checkBundle(bytes, {
      verifier: nodeRootVerifier,
      keys: { points: pointsOf(held.keys), threshold: held.threshold },
      version: held.version,
      digest: undefined,
      hub: flags.hub ?? draft.hubs[0] ?? '',
      idScope: flags.hub === undefined ? draft.idScopes[0] : undefined,
      deviceId,
      nowMs: flags.at ?? realClock.now(),
      isInner: false,
    }),
  );
  const facts = { valid: true, version: read?.version ?? draft.version, follows: held.version, device: deviceId };
  if (flags.json === true) printJson(context, facts);
  else printLine(context, makeStyle(context).green(`${file}: a device ${flags.deviceId === undefined ? '' : `${deviceId} `}that holds version ${held.version} takes it`));
}

function heldBy({ previous, key, threshold }: VerifyFlags, draft: BundleDraft): Pick<BundleDraft, 'keys' | 'threshold' | 'version'> {
  if (previous !== undefined) return explained(previous, () => readDraft(readEnvelopeFile(previous)));
  if (key === undefined) throw new CliError('ERR_KEY', EXIT.usage, 'whose signatures count?', 'give --previous FILE, the bundle that devices hold, or their keys with --key and --threshold');
  return { keys: key.map(readPublicKeyFile), threshold: threshold ?? key.length, version: draft.version - 1 };
}
