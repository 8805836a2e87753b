/** Builds the board's variants that tests run, one after the other, so that no test waits for a compiler. */
import { bundleScript } from '../host-sim/bundle-script.mjs';
import { say } from '../host-sim/debian-packages.mjs';

try {
  const { buildBoards } = await import(await bundleScript('host-sim/simulation/firmware.ts'));
  await buildBoards((/** @type {string} */ text) => say(`${text} …`));
} catch (error) {
  say(`error: ${error instanceof Error ? error.message : String(error)}`);
  if (error?.code === 'ERR_SETUP') say(error.remedy);
  process.exitCode = 1;
}
