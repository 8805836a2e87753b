import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { RootPurpose } from '../../firmware/agent/roots/bundle.ts';
import { MAX_NAME_CHARACTERS } from '../../firmware/agent/roots/root-limits.ts';
import { readEnvelopeFile, explained, readPublicKeyFile, writeEnvelopeFile } from '../roots/bundle-files.ts';
import { fingerprintOf, makeDraft, readDraft, type BundleDraft, type DraftRoot } from '../roots/bundle-draft.ts';
import type { UpdateKey } from '../roots/update-key.ts';
import { printJson, printLine, sayLine, type CliContext } from '../terminal/cli-context.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import { dateMs, repeated, wholeNumber } from '../terminal/option-values.ts';
import { readRoots } from '../terminal/root-files.ts';
import { realClock } from '../time/real-clock.ts';

const PURPOSES: readonly RootPurpose[] = ['hub', 'dps', 'storage', 'custom'];
/** RFC 1123 2.1: labels of letters, digits and hyphens; no wildcard, no dot at the end, no port. */
const HOST_NAME = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/i;
const YEAR_MS = 365 * 24 * 3600 * 1000;
const MAX_VERSION = 2 ** 31 - 1;

const CREATE_EXAMPLES = `Examples:
  npm run latchkey -- roots create --out 1.json --hub myhub.azure-devices.net --root certs/old.pem --key alice.pub --key bob.pub --threshold 2
  npm run latchkey -- roots create --previous 1.json --out 2.json --root certs/old.pem --root certs/new.pem
  npm run latchkey -- roots create --previous 2.json --out 3.json --root certs/new.pem --revoke certs/old.pem
`;

const ROTATE_EXAMPLES = `Examples:
  npm run latchkey -- roots rotate-keys --previous 3.json --out 4.json --key carol.pub --key dave.pub --threshold 2
  then: enough of the old keys AND enough of the new ones sign it (roots sign 4.json --key …)
`;

interface CreateFlags {
  readonly out: string;
  readonly previous?: string;
  readonly bundleVersion?: number;
  readonly hub?: readonly string[];
  readonly idScope?: readonly string[];
  readonly devices?: string;
  readonly root?: readonly RootOption[];
  readonly revoke?: readonly string[];
  readonly key?: readonly string[];
  readonly threshold?: number;
  readonly expires?: number;
  readonly json?: true;
}

interface RootOption {
  readonly file: string;
  readonly purposes: readonly RootPurpose[];
}

export function addRootsCreateCommands(roots: Command, context: CliContext): void {
  addDraftOptions(roots.command('create').description('Writes the draft of a bundle, to be signed. What is not given is as in --previous.').addHelpText('before', CREATE_EXAMPLES))
    .option('--hub <name>', 'a hub whose devices it is for; may be repeated', repeated(hubName))
    .option('--id-scope <scope>', 'a DPS id scope whose devices it is for; may be repeated', repeated((text) => text))
    .option('--devices <pattern>', 'device ids, * for any characters (default: *)')
    .option('--root <file[=purposes]>', 'a trusted root, PEM or DER, with hub,dps,storage,custom (default: hub,dps,storage); may be repeated', repeated(rootOption))
    .option('--revoke <file|sha256>', 'a root that must never be trusted again; may be repeated', repeated((text) => text))
    .action((flags: CreateFlags) => create(flags, context));
  addDraftOptions(roots.command('rotate-keys').description('Writes the draft of the next bundle: the same roots, other keys.').addHelpText('before', ROTATE_EXAMPLES))
    .action((flags: CreateFlags) => {
      if (flags.previous === undefined || flags.key === undefined) throw new CliError('ERR_KEY', EXIT.usage, 'other keys than which?', 'give --previous FILE and the new keys, --key FILE each');
      return create(flags, context);
    });
}

function addDraftOptions(command: Command): Command {
  return command
    .requiredOption('--out <file>', 'the draft')
    .option('--previous <file>', 'the bundle before it')
    .option('--bundle-version <n>', 'its version (default: one more than --previous, else 1)', wholeNumber(1, MAX_VERSION))
    .option('--key <file>', 'a public key that may sign the next bundle; may be repeated', repeated((text) => text))
    .option('--threshold <n>', 'how many of them must (default: as before, else all but one, at least 1)', wholeNumber(1, 8))
    .option('--expires <date>', 'devices take it until then, such as 2027-11-22 (default: in a year)', dateMs)
    .option('--json', 'one JSON object on stdout');
}

/** Devices compare it with their own, letter by letter but for case: what is no host name fits none. */
function hubName(text: string): string {
  if (!HOST_NAME.test(text) || text.length > MAX_NAME_CHARACTERS) throw new InvalidArgumentError(`expected the host name of a hub, such as myhub.azure-devices.net, got "${text}".`);
  return text.toLowerCase();
}

function rootOption(text: string): RootOption {
  const [file = '', list = 'hub,dps,storage', ...more] = text.split('=');
  const purposes = list.split(',').map((name) => PURPOSES.find((known) => known === name));
  if (file === '' || more.length > 0 || purposes.includes(undefined)) throw new InvalidArgumentError(`expected FILE or FILE=${PURPOSES.join(',')}, got "${text}".`);
  return { file, purposes: purposes as RootPurpose[] };
}

function create(flags: CreateFlags, context: CliContext): void {
  const { previous: previousFile } = flags;
  const previous = previousFile === undefined ? undefined : explained(previousFile, () => readDraft(readEnvelopeFile(previousFile)));
  const draft = draftOf(flags, previous);
  const envelope = explained(flags.out, () => makeDraft(draft));
  writeEnvelopeFile(flags.out, envelope);
  const facts = { file: flags.out, version: draft.version, roots: draft.roots.length, revoked: draft.revoked.length, keys: draft.keys.length, threshold: draft.threshold };
  if (flags.json === true) return printJson(context, facts);
  printLine(context, `${flags.out}: version ${draft.version}, ${draft.roots.length} root${draft.roots.length === 1 ? '' : 's'}, ${draft.revoked.length} revoked, ${draft.threshold} of ${draft.keys.length} keys sign the next`);
  sayLine(context, `it is a draft: ${previous === undefined ? `${draft.threshold} of its keys` : `${previous.threshold} of the keys of version ${previous.version}, and ${draft.threshold} of its own,`} must sign it (roots sign ${flags.out} --key FILE)`);
}

function draftOf(flags: CreateFlags, previous: BundleDraft | undefined): BundleDraft {
  const nowMs = realClock.now();
  const revoked = (flags.revoke ?? []).flatMap(fingerprintsOf);
  const given = (flags.root ?? []).flatMap(({ file, purposes }) => readRoots([file]).map((der): DraftRoot => ({ der, purposes })));
  const roots = (given.length > 0 ? given : (previous?.roots ?? [])).filter(({ der }) => !revoked.includes(fingerprintOf(der)));
  const keys: readonly UpdateKey[] = flags.key?.map(readPublicKeyFile) ?? previous?.keys ?? [];
  const hubs = flags.hub ?? previous?.hubs ?? [];
  const idScopes = flags.idScope ?? previous?.idScopes ?? [];
  if (roots.length === 0) throw new CliError('ERR_ROOTS', EXIT.usage, 'a bundle needs a root to trust', 'give --root FILE, or --previous with roots that are not revoked');
  if (keys.length === 0) throw new CliError('ERR_KEY', EXIT.usage, 'nobody could sign the next bundle', 'give --key FILE, the public keys that "roots keygen" wrote');
  if (hubs.length + idScopes.length === 0) throw new CliError('ERR_NAME', EXIT.usage, 'whose devices is it for?', 'give --hub NAME or --id-scope SCOPE');
  return {
    version: flags.bundleVersion ?? (previous === undefined ? 1 : previous.version + 1),
    issuedAtMs: nowMs,
    expiresMs: flags.expires ?? nowMs + YEAR_MS,
    hubs,
    idScopes,
    devices: flags.devices ?? previous?.devices ?? '*',
    roots,
    revoked: [...new Set([...(previous?.revoked ?? []), ...revoked])],
    keys,
    threshold: flags.threshold ?? (flags.key === undefined ? previous?.threshold : undefined) ?? Math.max(1, keys.length - 1),
  };
}

function fingerprintsOf(text: string): readonly string[] {
  return /^[0-9a-fA-F]{64}$/.test(text) ? [text.toLowerCase()] : readRoots([text]).map(fingerprintOf);
}
