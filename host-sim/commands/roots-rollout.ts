import { createHash } from 'node:crypto';
import { InvalidArgumentError, type Command } from 'commander';
import { PART_BYTES } from '../../firmware/agent/roots/root-limits.ts';
import { parseBundleUrl } from '../../firmware/agent/roots/root-place.ts';
import { explained, readBytes, readEnvelopeFile } from '../roots/bundle-files.ts';
import { readDraft } from '../roots/bundle-draft.ts';
import { countSigners } from '../roots/node-verifier.ts';
import { rollOut, type RolloutEvent, type RolloutPlan } from '../roots/rollout.ts';
import { isTerminal, makeStyle, printJson, printLine, sayLine, type CliContext } from '../terminal/cli-context.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import { durationMs, durationOption, repeated, wholeNumber } from '../terminal/option-values.ts';
import { realClock } from '../time/real-clock.ts';
import { addHubOptions, withClients, type ServiceFlags } from './service-command.ts';

const DAY_MS = 24 * 3600 * 1000;

const EXAMPLES = `Examples:
  npm run latchkey -- roots rollout 2.json --url http://roots.example/2.json                     1, 10, 50 and 100 percent, stops above 2 percent of failures
  npm run latchkey -- roots rollout 2.json --target "tags.site = 'north'" --wave 5 --wave 100    in parts, without a server
`;

interface RolloutFlags extends ServiceFlags {
  readonly url?: string;
  readonly target?: string;
  readonly wave?: readonly number[];
  readonly stopAt: number;
  readonly waveTime: number;
  readonly poll: number;
}

export function addRootsRolloutCommand(roots: Command, context: CliContext): void {
  addHubOptions(roots.command('rollout').description("Sends a bundle to a fleet in waves, through IoT Hub's automatic device configurations.").addHelpText('before', EXAMPLES))
    .argument('<file>', 'the signed bundle')
    .option('--url <url>', 'where devices fetch it, http://host/{version}.json (default: the bundle itself goes into desired properties, in parts)')
    .option('--target <condition>', "which devices, such as tags.site = 'north' (default: all)")
    .option('--wave <percent>', 'of the fleet that is offered it after this wave; may be repeated, growing (default: 1, 10, 50, 100)', repeated(percent))
    .option('--stop-at <percent>', 'of the devices that answered: with more failures than that it stops', wholeNumber(0, 100), 2)
    .addOption(durationOption('--wave-time <time>', 'a wave waits so long for devices that are connected', durationMs(1000, 30 * DAY_MS), '1h'))
    .addOption(durationOption('--poll <time>', 'how often the fleet is asked', durationMs(100, DAY_MS), '15s'))
    .action((file: string, flags: RolloutFlags) => run(file, flags, context));
}

const percent = wholeNumber(1, 100);

async function run(file: string, flags: RolloutFlags, context: CliContext): Promise<void> {
  const plan = planOf(file, flags);
  const view = flags.json === true ? (event: RolloutEvent) => printJson(context, event) : lines(context);
  await withClients(context, flags, async ({ registry }) => {
    const isGood = await rollOut(plan, {
      registry,
      pause: (ms) => pause(ms, context.interrupted),
      isInterrupted: () => context.interrupted.aborted,
      nowMs: () => realClock.monotonicMs(),
      onEvent: view,
    });
    if (!isGood) context.exitCode = context.interrupted.aborted ? EXIT.interrupted : EXIT.failed;
  });
  if (context.exitCode === EXIT.interrupted) sayLine(context, 'interrupted: the configuration is in place; the same command goes on');
}

function planOf(file: string, flags: RolloutFlags): RolloutPlan {
  const version = requireSigned(file);
  if (flags.url !== undefined && parseBundleUrl(flags.url) === undefined) throw new InvalidArgumentError(`--url: expected http://host/path, got "${flags.url}".`);
  const waves = flags.wave ?? [1, 10, 50, 100];
  if (waves.some((each, index) => index > 0 && each <= (waves[index - 1] ?? 0))) throw new InvalidArgumentError('--wave: each wave must be larger than the one before.');
  return {
    version,
    offer: flags.url === undefined ? partsOf(readBytes(file), version) : { roots: { version, url: flags.url } },
    target: flags.target ?? '',
    waves: waves.at(-1) === 100 ? waves : [...waves, 100],
    stopAtPercent: flags.stopAt,
    waveMs: flags.waveTime,
    pollMs: flags.poll,
  };
}

/** No device takes a bundle that too few of its own keys have signed, and each would go on reporting that. @returns its version */
function requireSigned(file: string): number {
  const envelope = readEnvelopeFile(file);
  const { version, keys, threshold } = explained(file, () => readDraft(envelope));
  const signed = explained(file, () => countSigners(envelope, keys));
  if (signed >= threshold) return version;
  const fault = envelope.signatures.length === 0 ? ' is a draft: nobody has signed it' : `: ${signed} of its own keys ${signed === 1 ? 'has' : 'have'} signed, ${threshold} must`;
  throw new CliError('ERR_BUNDLE', EXIT.configuration, `${file}${fault}`, `sign it first: latchkey roots sign ${file} --key FILE`);
}

/** Desired properties that carry the bundle itself. @see firmware/agent/roots/root-offer.ts */
function partsOf(bytes: Uint8Array, version: number): Record<string, object> {
  const parts = Math.ceil(bytes.length / PART_BYTES);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return Object.fromEntries(
    Array.from({ length: parts }, (_, index) => {
      const part = Buffer.from(bytes.subarray(index * PART_BYTES, (index + 1) * PART_BYTES)).toString('base64url');
      return [`rootsPart${index}`, { version, sha256, parts, index, part }];
    }),
  );
}

type Counted = Extract<RolloutEvent, { readonly offered: number }>;

/** A line on stderr for each wave while it goes on, a table on stdout when it is over. */
function lines(context: CliContext): (event: RolloutEvent) => void {
  const { bold, green, red, dim } = makeStyle(context);
  const isLive = isTerminal(context);
  const rows: string[][] = [];
  const say = (text: string): void => (isLive ? void context.stderr.write(`\r\u001b[K${text}`) : sayLine(context, text));
  const describe = ({ offered, done, failed, offline, waiting }: Counted): string =>
    `${offered} offered, ${green(`${done} done`)}, ${failed > 0 ? red(`${failed} failed`) : '0 failed'}, ${waiting} waiting, ${offline} offline`;
  const addRow = (name: string, percent: string, { offered, done, failed, waiting, offline }: Counted): void => void rows.push([name, percent, ...[offered, done, failed, waiting, offline].map(String)]);
  const printTable = (): void => {
    if (isLive) say('');
    printLine(context, bold(formatRow(['wave', '%', 'offered', 'done', 'failed', 'waiting', 'offline'])));
    for (const row of rows) printLine(context, formatRow(row));
  };
  return (event) => {
    switch (event.event) {
      case 'planned':
        return sayLine(context, bold(`roots, version ${event.version}: ${event.devices} ${event.devices === 1 ? 'device' : 'devices'} in ${event.waves.length} ${event.waves.length === 1 ? 'wave' : 'waves'}, by the configuration ${event.configuration}`));
      case 'progress':
        return say(`${dim(`wave ${event.wave}, ${event.percent} %`)}  ${describe(event)}`);
      case 'wave':
        return addRow(String(event.wave), String(event.percent), event);
      case 'stopped':
        addRow(String(event.wave), 'stopped', event);
        printTable();
        if (event.failures.length === 0) return printLine(context, red('nobody of the wave has answered; the same command goes on when devices are back'));
        printLine(context, red(`${event.failedPercent.toFixed(1)} % of the devices that answered have failed; nobody else is offered it`));
        for (const { deviceId, error } of event.failures) printLine(context, `  ${deviceId.padEnd(24)} ${error}`);
        return;
      case 'finished':
        addRow('all', '100', event);
        return printTable();
    }
  };
}

function formatRow([name = '', percent = '', ...counts]: readonly string[]): string {
  return `${name.padEnd(6)}${percent.padStart(8)}${counts.map((count) => count.padStart(9)).join('')}`;
}

function pause(ms: number, interrupted: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (interrupted.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      interrupted.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    interrupted.addEventListener('abort', end, { once: true });
  });
}
