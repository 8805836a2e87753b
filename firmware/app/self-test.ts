import * as signer from 'latchkey/signer';
import Tls from 'latchkey/tls';

/** One thing that must hold before anything connects. */
export interface Check {
  readonly name: string;
  /** Throws, with a `code`, when it does not hold. */
  readonly run: () => void;
}

/** What every board checks, in the order in which it is printed. The last opens TLS (tls.h): without it nothing can connect. */
function commonChecks(): readonly Check[] {
  return [
    { name: 'tls-expired', run: () => Tls.selfTest('expired') },
    { name: 'tls-host-name', run: () => Tls.selfTest('host-name') },
    { name: 'tls-issuer', run: () => Tls.selfTest('issuer') },
    { name: 'signer-store', run: () => signer.check() },
    { name: 'signer-vector', run: () => signer.selfTest() },
    { name: 'tls', run: () => Tls.selfTest() },
  ];
}

/** Runs all checks, also those after one that failed, and prints a line for each; false: nothing may connect. */
export function passesSelfTest(more: readonly Check[], print: (line: string) => void): boolean {
  let passed = true;
  for (const { name, run } of [...more, ...commonChecks()]) {
    try {
      run();
      print(`{"event":"self-test","check":"${name}","ok":true}`);
    } catch (error) {
      passed = false;
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'ERR_SELF_TEST';
      print(JSON.stringify({ event: 'self-test', check: name, ok: false, code, message: error instanceof Error ? error.message : String(error) }));
    }
  }
  return passed;
}
