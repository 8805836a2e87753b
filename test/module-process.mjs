/** Runs an exported function of a TypeScript module in a process of its own: `module-process.mjs MODULE FUNCTION JSON`. */
import { bundleScript } from '../host-sim/bundle-script.mjs';

const [module = '', name = '', argument = 'null'] = process.argv.slice(2);
const exports = await import(await bundleScript(module));
await exports[name](JSON.parse(argument));
// A client may have timers left that nobody needs.
process.exit();
