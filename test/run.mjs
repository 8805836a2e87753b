/**
 * `npm test`: sets up what the tests need, checks the types, builds the boards, runs jest. The last line is `N passed, N failed`.
 * Arguments go to jest; the type check is left out then.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram, installPackages, say, SetupError } from '../host-sim/debian-packages.mjs';
import { checkNode, ensurePackages, projectRoot } from '../host-sim/setup.mjs';

/** Fewer than these cannot be the whole suite: something kept tests from running. */
const MIN_PASSED = 100;

/** Programs that judge the project's own code, with the Debian packages that hold them. */
const JUDGES = {
  openssl: 'openssl',
  curl: 'curl',
  mosquitto: 'mosquitto',
  mosquitto_pub: 'mosquitto-clients',
  python3: 'python3',
  'softhsm2-util': 'softhsm2',
  'pkcs11-tool': 'opensc',
  'riscv64-unknown-elf-gcc': 'gcc-riscv64-unknown-elf',
};

const reportPath = join(projectRoot, '.build', 'jest.json');
const jestArguments = process.argv.slice(2);
const isWholeSuite = jestArguments.length === 0;

process.exitCode = await main();

async function main() {
  try {
    checkNode();
    ensurePackages({ dev: true });
    const missing = Object.entries(JUDGES).filter(([program]) => findProgram([program]) === undefined);
    if (missing.length > 0) installPackages([...new Set(missing.map(([, name]) => name))]);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(`error: ${error.message}\n  ${error.remedy}`);
    return conclude(0, 1);
  }
  let failedSteps = 0;
  if (isWholeSuite) {
    rmSync(join(projectRoot, '.build', 'evidence'), { recursive: true, force: true });
    failedSteps += await step('checking types', 'npm', ['run', '--silent', 'check']);
  }
  failedSteps += await step('building the boards', process.execPath, [join(projectRoot, 'test', 'build-boards.mjs')]);
  if (failedSteps > 0 && !isWholeSuite) return conclude(0, failedSteps);
  const { passed, failed } = await runJest();
  if (isWholeSuite) failedSteps += await step('comparing the feature table in the README', process.execPath, [join(projectRoot, 'test', 'feature-table.mjs')]);
  return conclude(passed, failed + failedSteps);
}

/** @param {string} what @param {string} program @param {readonly string[]} args */
async function step(what, program, args) {
  const startMs = Date.now();
  say(`${what} …`);
  const code = await run(program, args);
  say(`${what}: ${code === 0 ? 'done' : 'FAILED'} (${Math.round((Date.now() - startMs) / 1000)} s)`);
  return code === 0 ? 0 : 1;
}

async function runJest() {
  mkdirSync(join(projectRoot, '.build'), { recursive: true });
  rmSync(reportPath, { force: true });
  const jest = join(projectRoot, 'node_modules', 'jest', 'bin', 'jest.js');
  const code = await run(process.execPath, [jest, '--config', 'test/jest.config.mjs', '--json', `--outputFile=${reportPath}`, ...jestArguments]);
  let report;
  try {
    report = JSON.parse(readFileSync(reportPath, 'utf8'));
  } catch {
    say('jest wrote no report');
    return { passed: 0, failed: 1 };
  }
  // A suite that cannot be loaded has no failed test, and is one.
  const failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
  if (report.numPendingTests > 0) say(`${report.numPendingTests} tests were skipped`);
  return { passed: report.numPassedTests, failed: code !== 0 && failed === 0 ? 1 : failed };
}

/** stdout of what is run goes to stderr: the only data of this program is its last line. @param {string} program @param {readonly string[]} args */
function run(program, args) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: projectRoot, stdio: ['ignore', 2, 2] });
    child.on('error', (error) => {
      say(String(error));
      resolve(127);
    });
    child.on('close', (code) => resolve(code ?? 1));
  });
}

/** @param {number} passed @param {number} failed */
function conclude(passed, failed) {
  const isShort = isWholeSuite && passed < MIN_PASSED;
  if (isShort) say(`only ${passed} tests passed, expected ${MIN_PASSED} at least`);
  const failures = isShort && failed === 0 ? 1 : failed;
  console.log(`${passed} passed, ${failures} failed`);
  return failures === 0 ? 0 : 1;
}
