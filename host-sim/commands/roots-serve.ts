import { readFileSync, statSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Command } from 'commander';
import { explainListenError, LOOPBACK } from '../hub/listen.ts';
import { BundleServer } from '../roots/bundle-server.ts';
import { printJson, printLine, sayLine, type CliContext } from '../terminal/cli-context.ts';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import { port } from '../terminal/option-values.ts';

const DEFAULT_PORT = 18_080;

const EXAMPLES = `Examples:
  npm run latchkey -- roots serve --folder bundles                       bundles/2.json at http://127.0.0.1:${DEFAULT_PORT}/2.json
  npm run latchkey -- roots serve --folder bundles --address 0.0.0.0     for boards on the desk
`;

interface ServeFlags {
  readonly folder: string;
  readonly port: number;
  readonly address: string;
  readonly json?: true;
}

export function addRootsServeCommand(roots: Command, context: CliContext): void {
  roots
    .command('serve')
    .description('Serves a folder of bundles, {version}.json each, over plain HTTP: devices believe the signatures, not the server.')
    .addHelpText('before', EXAMPLES)
    .requiredOption('--folder <folder>', 'where the bundles are')
    .option('--port <n>', '0 for any free one', port, DEFAULT_PORT)
    .option('--address <ip>', 'listen on this address', LOOPBACK)
    .option('--json', 'one JSON object a line on stdout')
    .action((flags: ServeFlags) => serve(flags, context));
}

async function serve(flags: ServeFlags, context: CliContext): Promise<void> {
  if (statSync(flags.folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new CliError('ERR_FILE', EXIT.configuration, `${flags.folder} is no folder`, 'give --folder the one with 1.json, 2.json …; "latchkey roots create" and "sign" make them');
  }
  const find = (version: number): Uint8Array | undefined => {
    try {
      return readFileSync(join(flags.folder, `${version}.json`));
    } catch {
      return undefined;
    }
  };
  const server = new BundleServer(find, (path, status) => {
    if (flags.json === true) printJson(context, { event: 'request', path, status });
    else printLine(context, `${status}  ${path}`);
  }).listener;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explainListenError(error, flags.address, flags.port)));
    server.listen(flags.port, flags.address, resolve);
  });
  const { address, port: bound } = server.address() as AddressInfo;
  if (flags.json === true) printJson(context, { event: 'started', address, port: bound });
  else sayLine(context, `Latchkey roots: http://${address}:${bound}/{version}.json; Ctrl-C ends it`);
  await new Promise<void>((resolve) => {
    if (context.interrupted.aborted) resolve();
    else context.interrupted.addEventListener('abort', () => resolve(), { once: true });
  });
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
  context.exitCode = EXIT.interrupted;
}
