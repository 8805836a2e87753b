import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { projectPath } from '../board/project-path.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';

/**
 * The root of the certificate that `latchkey hub` shows under `host`, the newest where there are several.
 * @throws ERR_ROOTS when the hub was never started with that address
 */
export function findGatewayRoot(host: string, folder = projectPath('.build')): string {
  const found = (existsSync(folder) ? readdirSync(folder) : []).filter((name) => name.startsWith('pki-')).flatMap((name) => {
    const record = join(folder, name, 'pki.json');
    const root = join(folder, name, 'root.pem');
    if (!existsSync(record) || !existsSync(root) || !namesOf(record).includes(host)) return [];
    return [{ root, time: statSync(record).mtimeMs }];
  });
  const newest = found.sort((a, b) => b.time - a.time)[0];
  if (newest !== undefined) return newest.root;
  throw new CliError(
    'ERR_ROOTS', EXIT.configuration, `no hub on this machine has a certificate for ${host}`,
    `start it first: latchkey hub --address ${host}   (or name the root that the board is to trust: --root FILE)`,
  );
}

function namesOf(recordFile: string): readonly string[] {
  const record = JSON.parse(readFileSync(recordFile, 'utf8')) as { readonly names?: readonly string[] };
  return record.names ?? [];
}
