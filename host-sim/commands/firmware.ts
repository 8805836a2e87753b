import { existsSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { Option, type Command } from 'commander';

import { projectPath } from '../board/project-path.ts';
import { buildFolder, linkImage, prepareImage } from '../firmware/build-image.ts';
import { describeBundle, overBudget } from '../firmware/bundle-budget.ts';
import { CHIPS, findChip, type Chip } from '../firmware/chips.ts';
import { findSdk } from '../firmware/sdk.ts';
import type { HardenOptions } from '../firmware/sdkconfig.ts';
import { printLine, sayLine, type CliContext } from '../terminal/cli-context.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';

interface BuildFlags {
  readonly chip: string;
  readonly release?: true;
  readonly check?: true;
  readonly harden?: string;
  readonly downloadMode?: HardenOptions['downloadMode'];
  readonly output?: string;
}

const EXAMPLES = `Examples:
  npm run latchkey -- firmware build --chip esp32c3              an image for a board on the desk
  npm run latchkey -- firmware build --chip esp32c3 --release    one for the field: encrypted settings, rollback, watchdogs
  npm run latchkey -- firmware build --chip esp32c3 --check      everything that needs no SDK
`;

export function addFirmwareCommands(program: Command, context: CliContext): void {
  const firmware = program.command('firmware').description('Builds the firmware of an ESP32.').addHelpText('beforeAll', EXAMPLES);
  firmware
    .command('build')
    .description('Bundles the firmware, checks what the image is made of, and links it with the Moddable SDK.')
    .addOption(new Option('--chip <name>', 'the chip, or an emulated one').choices(CHIPS.map(({ name }) => name)).makeOptionMandatory())
    .option('--release', 'for the field (default: for a board on the desk)')
    .option('--check', 'all that needs no SDK, and nothing else')
    .option('--output <folder>', 'where image/ goes, and what the SDK needs (default: .build/firmware/CHIP)')
    .option('--harden <key.pem>', 'with --release: secure boot v2 signed by this key, flash encryption, JTAG off; burnt at the first start, for good')
    .addOption(new Option('--download-mode <mode>', 'with --harden: what becomes of the ROM download mode').choices(['off', 'secure']))
    .action((flags: BuildFlags) => buildFirmware(flags, context));
}

async function buildFirmware(flags: BuildFlags, context: CliContext): Promise<void> {
  const chip = findChip(flags.chip);
  if (chip === undefined) throw new CliError('ERR_CHIP', EXIT.configuration, `there is no manifest for ${flags.chip}`, `the chips are ${CHIPS.map(({ name }) => name).join(', ')}`);
  const options = { chip, release: flags.release === true, hardened: hardenOptions(flags, chip) };
  // What is missing is said before the work, not after it.
  const sdk = flags.check === true ? undefined : findSdk(context.env);
  const bundle = await prepareImage(options);
  for (const line of describeBundle(bundle)) sayLine(context, line);
  const over = overBudget(bundle);
  if (over.length > 0) throw new CliError('ERR_IMAGE', EXIT.failed, `over the budget: ${over.join('; ')}`, 'make it smaller, or raise manifests/bundle-budget.json and say why');
  if (sdk === undefined) return printLine(context, relativePath(buildFolder(chip)));
  sayLine(context, `linking for ${chip.name} …`);
  const image = await linkImage(chip, sdk, flags.output === undefined ? buildFolder(chip) : resolve(flags.output), (text) => void context.stderr.write(text));
  printLine(context, relativePath(image));
}

const relativePath = (path: string): string => relative(projectPath('.'), path);

/** @throws ERR_IMAGE: what cannot be taken back is an explicit choice, each part of it */
function hardenOptions({ harden, downloadMode, release }: BuildFlags, chip: Chip): HardenOptions | undefined {
  const refused = (message: string, remedy: string): CliError => new CliError('ERR_IMAGE', EXIT.configuration, message, remedy);
  if (harden === undefined) {
    if (downloadMode !== undefined) throw refused('--download-mode goes with --harden', 'give the signing key: --harden KEY.pem');
    return undefined;
  }
  if (release !== true) throw refused('--harden is for --release: a board on the desk would be locked for good', 'add --release, or leave --harden out');
  if (downloadMode === undefined) throw refused('--harden wants a choice of the download mode, which cannot be changed later', chip.hasHmac ? 'add --download-mode off, or secure: flash can still be written, nothing read' : 'add --download-mode off');
  if (!existsSync(harden)) throw refused(`there is no ${harden}`, 'make one and keep it safe: espsecure generate_signing_key --version 2 key.pem');
  return { signingKey: resolve(harden), downloadMode };
}
