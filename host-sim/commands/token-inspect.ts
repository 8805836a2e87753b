import type { Command } from 'commander';
import { HubError } from '../hub/hub-error.ts';
import { describeSasRefusal } from '../hub/access/sas-refusals.ts';
import { decodePercentOnce, parseSasToken, type SasFields } from '../hub/access/sas-token.ts';
import { digestToken } from '../hub/access/sas.ts';
import { printJson, printLine, type CliContext } from '../terminal/cli-context.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import { formatDuration } from '../terminal/duration.ts';
import { realClock } from '../time/real-clock.ts';

/** Bytes after which stdin is no token. */
const MAX_STDIN_BYTES = 65_536;

/** Characters of a signature that are shown: 24 of its 256 bits. */
const SHOWN_CHARACTERS = 4;

const EXAMPLES = `Examples:
  npm run latchkey -- token inspect < token.txt
  npm run --silent latchkey -- token create | npm run --silent latchkey -- token inspect --json
`;

export function addTokenInspectCommand(token: Command, context: CliContext): void {
  token
    .command('inspect')
    .description('Shows what a token says; whether it is signed rightly only "token verify" can tell.')
    .addHelpText('before', EXAMPLES)
    .argument('[token]', 'the token; stdin when it is left out')
    .option('--json', 'one JSON object on stdout')
    .action(async (text: string | undefined, flags: { readonly json?: true }) => {
      const raw = await readToken(text, context);
      const facts = readFacts(raw, requireFields(raw), realClock.now());
      if (flags.json === true) return printJson(context, facts);
      for (const [name, value] of Object.entries(facts)) printLine(context, `${name.padEnd(12)}${value}`);
    });
}

/** @throws CliError when there is none */
export async function readToken(text: string | undefined, context: CliContext): Promise<string> {
  if (text !== undefined && text !== '-') return text.trim();
  if (context.stdin.isTTY === true) throw noToken();
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of context.stdin) {
    chunks.push(Buffer.from(chunk as Uint8Array | string));
    bytes += chunks.at(-1)?.length ?? 0;
    if (bytes > MAX_STDIN_BYTES) break;
  }
  const piped = Buffer.concat(chunks).toString('latin1').trim();
  if (piped === '') throw noToken();
  return piped;
}

function noToken(): CliError {
  return new CliError('ERR_FILE', EXIT.usage, 'there is no token', 'pipe it in, or write it in single quotes behind the command');
}

/** @throws ERR_TOKEN with the rule that is broken; the text does not repeat the token */
function requireFields(token: string): SasFields {
  const fields = parseSasToken(token);
  if (typeof fields !== 'string') return fields;
  throw new HubError('ERR_TOKEN', `this is no SAS token: ${describeSasRefusal(fields)}`, 'copy the whole token, from "SharedAccessSignature " to the last field, in single quotes');
}

function readFacts(token: string, { sr, sig, se, skn }: SasFields, nowMs: number): Record<string, string | number> {
  const resource = decodePercentOnce(sr);
  const [hub = '', ...path] = (resource ?? '').split('/');
  const [devices, device, modules, module] = path;
  const isDevice = devices === 'devices' && device !== undefined;
  return {
    resource: resource ?? `${sr} (cannot be decoded)`,
    ...(resource === undefined ? {} : { hub }),
    ...(isDevice ? { device } : {}),
    ...(isDevice && modules === 'modules' && module !== undefined ? { module } : {}),
    ...(skn === undefined || skn === '' ? {} : { policy: decodePercentOnce(skn) ?? skn }),
    ...describeExpiry(se, nowMs),
    signature: `${(decodePercentOnce(sig) ?? sig).slice(0, SHOWN_CHARACTERS)}…`,
    digest: digestToken(token),
  };
}

function describeExpiry(se: string, nowMs: number): Record<string, string> {
  if (!/^\d{1,12}$/.test(se)) return { expires: `${se} (must be whole seconds since 1970)` };
  const leftMs = Number(se) * 1000 - nowMs;
  const words = leftMs > 0 ? `in ${formatDuration(leftMs)}` : `${formatDuration(-leftMs)} ago`;
  const date = Number(se) * 1000 <= 8.64e15 ? new Date(Number(se) * 1000).toISOString().replace('.000', '') : `${se} s`;
  return { expires: date, expiresIn: leftMs > 0 ? words : `expired ${words}` };
}
