import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { projectPath } from '../board/project-path.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import { bundleForChip, writeChipBundle } from './chip-bundle.ts';
import type { ChipBundle } from './chip-bundle.ts';
import type { Chip } from './chips.ts';
import { checkImage } from './image-rules.ts';
import { compareWarnings, parsePreloadWarnings, readKnownWarnings } from './preload-warnings.ts';
import type { Sdk } from './sdk.ts';
import { formatSdkconfig } from './sdkconfig.ts';
import type { SdkconfigOptions } from './sdkconfig.ts';

/** What the SDK leaves of a build, and a board is flashed with. */
const IMAGE_FILES = ['bootloader.bin', 'partition-table.bin', 'ota_data_initial.bin', 'xs_esp32.bin'];
/** The same in ESP-IDF's own folder, from which the SDK copies what it finds there, also after a build that failed. */
const IDF_FILES = ['bootloader/bootloader.bin', 'partition_table/partition-table.bin', 'ota_data_initial.bin', 'xs_esp32.bin', 'xs_esp32.elf'];

/** What else decides how C files are compiled; the SDK's makefile compiles none of them again when one of these has changed. */
const COMPILED_WITH = ['manifests/manifest.json', 'manifests/mbedtls.flags'];

/** `.build/firmware/<chip>`: the scripts and `sdkconfig/`, where the manifests look for them; `sdk/` (the SDK's own) and `image/`, unless those go elsewhere. */
export function buildFolder(chip: Chip): string {
  return projectPath(`.build/firmware/${chip.name}`);
}

/**
 * Does all that needs no SDK: checks manifests, options and partitions, and writes what mcconfig takes.
 * @throws ERR_IMAGE with every finding
 */
export async function prepareImage(options: SdkconfigOptions): Promise<ChipBundle> {
  const findings = checkImage(options);
  if (findings.length > 0) {
    const lines = findings.map(({ rule, file, message }) => `${file}: ${message} (${rule})`);
    throw new CliError('ERR_IMAGE', EXIT.configuration, `${findings.length} findings in what the image is made of\n  ${lines.join('\n  ')}`, 'each says what it would do on the chip; docs/flash.md');
  }
  const folder = buildFolder(options.chip);
  const bundle = await bundleForChip();
  writeChipBundle(folder, bundle);
  mkdirSync(join(folder, 'sdkconfig'), { recursive: true });
  writeFileSync(join(folder, 'sdkconfig/sdkconfig.defaults'), formatSdkconfig(options));
  return bundle;
}

/** The arguments of mcconfig; its target `build` neither flashes nor ends other programs, as its default does. */
export function mcconfigArguments(chip: Chip, output: string): string[] {
  return ['-m', '-p', chip.platform, '-o', output, '-t', 'build', chip.manifest];
}

/**
 * Links the image with the SDK. mcconfig runs in the project's folder: it makes what stands behind `-p` lower case, so that path is a relative one.
 * @param folder for `sdk/` and `image/`
 * @returns the folder that holds the image
 * @throws ERR_IMAGE
 */
export async function linkImage(chip: Chip, sdk: Sdk, folder: string, onOutput: (text: string) => void): Promise<string> {
  const output = join(folder, 'sdk');
  const image = join(folder, 'image');
  const target = chip.family === chip.name && chip.name === 'esp32' ? 'esp32' : `esp32/${chip.name}`;
  const built = join(output, 'bin', target, 'release/latchkey');
  mkdirSync(output, { recursive: true });
  forgetOtherOptions(output, chip, sdk);
  const work = join(output, 'tmp', target, 'release/latchkey');
  forgetFormerBuild(image, built, join(work, `xsProj-${chip.family}/build`));
  const { code, text } = await runMcconfig(sdk, mcconfigArguments(chip, output), onOutput);
  const missing = IMAGE_FILES.filter((name) => !existsSync(join(built, name)));
  if (code !== 0 || missing.length > 0) {
    throw new CliError('ERR_IMAGE', EXIT.failed, `mcconfig ended with ${code}${missing.length > 0 ? ` and made no ${missing.join(', ')}` : ''}`, 'the lines above are the SDK\'s; latchkey firmware build --check looks at our part');
  }
  const { added } = compareWarnings(parsePreloadWarnings(text), readKnownWarnings());
  if (added.length > 0) {
    rmSync(join(work, 'mc.xs.c'), { force: true }); // else the linker has nothing to do the next time, and says nothing
    throw new CliError('ERR_IMAGE', EXIT.failed, `${added.length} new preload warnings, each costs RAM:\n  ${added.join('\n  ')}`, 'make the variable const and freeze the object; manifests/preload-warnings.txt may only shrink');
  }
  mkdirSync(image, { recursive: true });
  for (const name of IMAGE_FILES) copyFileSync(join(built, name), join(image, name));
  return image;
}

/**
 * Objects of another kind of build go: with those of one for the desk in it, a release would not look for the key of NVS, and ESP-IDF
 * would burn the block.
 */
function forgetOtherOptions(output: string, chip: Chip, sdk: Sdk): void {
  const stamp = join(output, 'options.sha256');
  const digest = createHash('sha256').update(`${sdk.moddable}\n${sdk.idf}\n`);
  for (const path of [join(buildFolder(chip), 'sdkconfig/sdkconfig.defaults'), ...COMPILED_WITH.map(projectPath)]) digest.update(readFileSync(path));
  const options = digest.digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === options) return;
  for (const made of ['bin', 'tmp']) rmSync(join(output, made), { recursive: true, force: true });
  writeFileSync(stamp, options);
}

/** What is there afterwards is of this build: the SDK's ends well where ESP-IDF's has failed. */
function forgetFormerBuild(image: string, built: string, idf: string): void {
  for (const folder of [image, built]) for (const name of IMAGE_FILES) rmSync(join(folder, name), { force: true });
  for (const name of IDF_FILES) rmSync(join(idf, name), { force: true });
}

function runMcconfig(sdk: Sdk, args: readonly string[], onOutput: (text: string) => void): Promise<{ code: number | null; text: string }> {
  const env = { ...process.env, MODDABLE: sdk.moddable, IDF_PATH: sdk.idf, PATH: `${join(sdk.mcconfig, '..')}:${process.env.PATH ?? ''}` };
  return new Promise((resolve, reject) => {
    let text = '';
    const child = spawn(sdk.mcconfig, [...args], { cwd: projectPath('.'), env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (bytes: Buffer) => {
        text += bytes.toString();
        onOutput(bytes.toString());
      });
    }
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, text }));
  });
}
