/** `npm run fuzz`: bundles fuzz.ts and runs it. */
import { say, SetupError } from '../../host-sim/debian-packages.mjs';
import { checkNode, ensurePackages } from '../../host-sim/setup.mjs';

const EXIT_USAGE = 2;

try {
  checkNode();
  ensurePackages({ dev: true });
  const { bundleScript } = await import('../../host-sim/bundle-script.mjs');
  const { runFuzz } = await import(await bundleScript('test/fuzz/fuzz.ts'));
  process.exitCode = await runFuzz(process.argv.slice(2));
} catch (error) {
  const code = String(error?.code);
  if (error instanceof SetupError) say(`error: ${error.message}\n  ${error.remedy}`);
  else if (code.startsWith('ERR_BOARD_') || code.startsWith('ERR_PARSE_ARGS_')) say(`error: ${error.message}`);
  else throw error;
  process.exitCode = error.exitCode ?? (code.startsWith('ERR_PARSE_ARGS_') ? EXIT_USAGE : 1);
}
