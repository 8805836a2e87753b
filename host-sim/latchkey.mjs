#!/usr/bin/env node
/** The `latchkey` program: sets up what is missing, bundles cli.ts when it has changed, and runs it. */
import { say, SetupError } from './debian-packages.mjs';
import { checkNode, ensurePackages } from './setup.mjs';

try {
  checkNode();
  ensurePackages({ dev: false });
  const { bundleScript } = await import('./bundle-script.mjs');
  const { runProcess } = await import(await bundleScript('host-sim/cli.ts'));
  process.exit(await runProcess(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(`error: ${error.message}`);
  say(error.remedy);
  process.exit(error.exitCode);
}
