/** jest over esbuild: every .ts file becomes CommonJS in memory; nothing is type-checked here (`npm run check` does). */
export default {
  rootDir: '..',
  testEnvironment: 'node',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  transform: { '\\.(ts|mjs)$': '<rootDir>/test/esbuild-transform.cjs' },
  moduleFileExtensions: ['ts', 'mjs', 'js', 'cjs', 'json', 'node'],
  testTimeout: 60_000,
  maxWorkers: 2,
};
