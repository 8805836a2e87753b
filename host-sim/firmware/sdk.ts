import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

import { CliError, EXIT } from '../terminal/cli-error.ts';

/** Where the Moddable SDK and ESP-IDF are. */
export interface Sdk {
  readonly moddable: string;
  readonly idf: string;
  readonly mcconfig: string;
}

/** EXPECTED_ESP_IDF of the SDK 8.2.3: another minor stops its build. */
const IDF_VERSION = '6.0';

const SETUP = [
  'npm install --global xs-dev',
  'xs-dev setup                     the Moddable SDK (8.2.3 was used)',
  'xs-dev setup --device esp32      ESP-IDF and its compilers',
  'then open a new terminal, or source what xs-dev names; --check does all that needs none of it',
].join('\n  ');

/** @throws ERR_TOOLS that says all that is missing, and the commands that bring it */
export function findSdk(env: Readonly<Record<string, string | undefined>>): Sdk {
  const { MODDABLE: moddable = '', IDF_PATH: idf = '', PATH = '' } = env;
  const missing: string[] = [];
  if (moddable === '') missing.push('MODDABLE is not set (the folder of the Moddable SDK)');
  else if (!existsSync(join(moddable, 'modules'))) missing.push(`MODDABLE is ${moddable}, and there is no Moddable SDK`);
  const platform = process.platform === 'darwin' ? 'mac' : 'lin';
  const folders = [join(moddable, 'build/bin', platform, 'release'), ...PATH.split(delimiter)];
  const mcconfig = folders.map((folder) => join(folder, 'mcconfig')).find((path) => existsSync(path));
  if (moddable !== '' && mcconfig === undefined) missing.push("mcconfig, the SDK's build tool, is not built");
  if (idf === '') missing.push('IDF_PATH is not set (the folder of ESP-IDF)');
  else missing.push(...troubleWithIdf(idf));
  if (missing.length > 0 || mcconfig === undefined) {
    throw new CliError('ERR_TOOLS', EXIT.configuration, `an image needs the Moddable SDK and ESP-IDF: ${missing.join('; ')}`, SETUP);
  }
  return { moddable, idf, mcconfig };
}

function troubleWithIdf(idf: string): string[] {
  const file = join(idf, 'tools/cmake/version.cmake');
  if (!existsSync(join(idf, 'export.sh')) || !existsSync(file)) return [`IDF_PATH is ${idf}, and there is no ESP-IDF`];
  const text = readFileSync(file, 'utf8');
  const [major, minor] = ['MAJOR', 'MINOR'].map((part) => new RegExp(`IDF_VERSION_${part} (\\d+)`).exec(text)?.[1]);
  const version = `${major}.${minor}`;
  return version === IDF_VERSION ? [] : [`ESP-IDF is ${version}, the Moddable SDK wants ${IDF_VERSION}`];
}
