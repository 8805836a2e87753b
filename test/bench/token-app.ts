/// <reference path="../../firmware/ports/types/latchkey.d.ts" />
import board from 'latchkey/board';
import * as signer from 'latchkey/signer';

import { encodeResource, expiryOf, formatSasToken, resourceOf } from '../../firmware/agent/sas-token.ts';

/** What token-rows.ts runs on the board: the agent's own way to a token, counted; then the same without the signer. */

/** As in token-rows.ts. */
const IDENTITY = { hub: 'latchkey-bench.azure-devices.net', deviceId: 'bench-1' };
const LIFE_SECONDS = 3600;
const SIGNATURE_OF_SAME_LENGTH = 'A'.repeat(43) + '=';

function makeToken(sign: (encodedResource: string, expirySeconds: number) => string): string {
  const encodedResource = encodeResource(resourceOf(IDENTITY));
  const expirySeconds = expiryOf(Date.now(), LIFE_SECONDS);
  return formatSasToken({ encodedResource, signature: sign(encodedResource, expirySeconds), expirySeconds });
}

/** Compute units of `action`, without those of counting. */
function unitsOf(action: () => void): number {
  const count = (counted: () => void): number => {
    const before = board.computeUnits;
    counted();
    return (board.computeUnits - before) | 0;
  };
  action();
  return count(action) - count(() => {});
}

let token = '';
const whole = unitsOf(() => {
  token = makeToken((encodedResource, expirySeconds) => signer.signSas(0, encodedResource, expirySeconds));
});
const withoutSigner = unitsOf(() => void makeToken(() => SIGNATURE_OF_SAME_LENGTH));
board.print(JSON.stringify({ event: 'counted', token, units: whole, signerUnits: whole - withoutSigner }));
board.exit(0);
