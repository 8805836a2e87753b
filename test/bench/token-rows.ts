import { createHmac } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { startBoard, type BoardLine } from '../../host-sim/board/board.ts';
import { buildFirmware } from '../../host-sim/board/bundle.ts';
import { writeKeyFile } from '../../host-sim/board/key-file.ts';
import { projectPath } from '../../host-sim/board/project-path.ts';
import { BUDGETS } from './budgets.ts';
import type { Row } from './row.ts';

const KEY = Buffer.alloc(32, 7);
const PREFIX = 'latchkey-bench.azure-devices.net/devices/bench-1';

/** Compute units of a token on the 32-bit board, natives charged. */
export async function measureToken(program: string): Promise<readonly Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-bench-token-'));
  try {
    const { preload, main } = await buildFirmware({ app: projectPath('test/bench/token-app.ts') });
    const device = join(folder, 'device');
    mkdirSync(device);
    writeKeyFile(join(device, 'keys.bin'), [{ slot: 0, keyBase64: KEY.toString('base64'), prefixes: [PREFIX] }]);
    const lines: BoardLine[] = [];
    const { code, talk } = await startBoard({ program, preload, main, device, onLine: (line) => void lines.push(line) }).exited;
    const counted = lines.find(({ event }) => event === 'counted');
    if (code !== 0 || counted === undefined) throw new Error(`the board counted nothing (exit code ${code})\n${talk}`);
    checkToken(String(counted['token']));
    return [
      {
        row: 'token-units',
        what: 'compute units for a token, natives charged',
        unit: 'units',
        budget: { most: BUDGETS.tokenUnits },
        measured: Number(counted['units']),
        note: `${counted['signerUnits']} of them in the signer: HMAC-SHA256 in C by the table of firmware/native/compute-units.h, and its call`,
      },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What is counted is a token that holds. @throws Error */
function checkToken(token: string): void {
  const fields = new URLSearchParams(token.slice(token.indexOf(' ') + 1));
  const signature = createHmac('sha256', KEY).update(`${encodeURIComponent(fields.get('sr') ?? '')}\n${fields.get('se')}`).digest('base64');
  if (fields.get('sr') !== PREFIX || fields.get('sig') !== signature) throw new Error('the board made a wrong token');
}
