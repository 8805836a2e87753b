'use strict';
const { createHash } = require('node:crypto');
const { readFileSync } = require('node:fs');
const { transformSync } = require('esbuild');

const ownSource = readFileSync(__filename);

/**
 * esbuild exports by getters that call getters, and every use of an import goes through them: a third of the time of loops over flash cells.
 * Nothing here is assigned after it was exported, so values do once the module has run. In a circle of modules not all have: then the getters stay.
 */
const PLAIN_EXPORTS = `
if (module.exports.__esModule) {
  try {
    module.exports = Object.defineProperty({ ...module.exports }, '__esModule', { value: true });
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
  }
}`;

/** @type {import('@jest/transform').SyncTransformer} */
module.exports = {
  /** Of what went in, and of this file: jest would keep the output of an older one. */
  getCacheKey: (source, path) => createHash('sha256').update(ownSource).update(path).update(source).digest('hex').slice(0, 32),
  process(source, path) {
    const { code } = transformSync(source, {
      loader: path.endsWith('.ts') ? 'ts' : 'js',
      format: 'cjs',
      target: 'node20',
      // jest runs CommonJS: `await import()` becomes a require.
      supported: { 'dynamic-import': false },
      sourcefile: path,
      sourcemap: 'inline',
      define: { 'import.meta.url': '__importMetaUrl' },
      banner: "const __importMetaUrl = require('node:url').pathToFileURL(__filename).href;",
      footer: PLAIN_EXPORTS,
    });
    return { code };
  },
};
