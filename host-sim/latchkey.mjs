#!/usr/bin/env node
/** The `latchkey` program: sets up what is missing, bundles cli.ts when it has changed, and runs it. */
import { say, SetupError } from './debian-packages.mjs';
import { checkNode, ensurePackages } from './setup.mjs';

const EXIT_CONFIGURATION = 3;
const EXIT_INTERRUPTED = 130;

// Until the command itself takes care of them (terminal/process-context.ts).
const SIGNALS = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);
const endAtOnce = () => process.exit(EXIT_INTERRUPTED);
for (const signal of SIGNALS) process.on(signal, endAtOnce);

try {
  checkNode();
  ensurePackages({ dev: false });
  const { bundleScript } = await import('./bundle-script.mjs');
  const { runProcess } = await import(await bundleScript('host-sim/cli.ts'));
  for (const signal of SIGNALS) process.off(signal, endAtOnce);
  process.exit(await runProcess(process.argv.slice(2)));
} catch (error) {
  // Ctrl-C reaches npm and the bundler, too: what they say of it is no news, and a signal that is waiting is heard now.
  await new Promise((resolve) => setTimeout(resolve, 0));
  await new Promise((resolve) => setImmediate(resolve));
  if (error instanceof SetupError) {
    say(`error: ${error.message}`);
    say(error.remedy);
    process.exit(error.exitCode);
  }
  if (typeof error?.syscall !== 'string' || error.path === undefined) throw error;
  say(`error: ${error.message}`);
  say("the project's folder must be writable (.build and node_modules are made in it), and the disk not full");
  process.exit(EXIT_CONFIGURATION);
}
