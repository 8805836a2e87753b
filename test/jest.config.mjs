/** jest over esbuild: every .ts file becomes CommonJS in memory; nothing is type-checked here (`npm run check` does). */
export default {
  rootDir: '..',
  testEnvironment: 'node',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  // jose, who judges root bundles, is published as ES modules only.
  transform: { '\\.(ts|mjs)$|/node_modules/jose/.*\\.js$': '<rootDir>/test/esbuild-transform.cjs' },
  transformIgnorePatterns: ['/node_modules/(?!jose/)'],
  moduleFileExtensions: ['ts', 'mjs', 'js', 'cjs', 'json', 'node'],
  // A guard against a hang, and no measure: on a machine that does much else at the same time everything takes ten times as long.
  testTimeout: 240_000,
  maxWorkers: 2,
  setupFiles: ['<rootDir>/test/setup.cjs'],
  testSequencer: '<rootDir>/test/long-first.cjs',
};
