import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { CliError, EXIT } from '../terminal/cli-error.ts';
import { LOCAL_SERVER_NAME, type HubPlace } from './hub-place.ts';

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** Asks the admin API of a hub on this machine. @throws ERR_HUB_REFUSED, ERR_HUB_UNREACHABLE */
export function askAdmin(place: HubPlace, method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<unknown> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const failed = (cause: unknown): void => {
      const code = String((cause as { readonly code?: unknown }).code ?? cause);
      reject(new CliError('ERR_HUB_UNREACHABLE', EXIT.unreachable, `cannot reach the admin API of ${place.hubName}: ${code}`, 'is the hub still running? "latchkey hub" starts one', { cause }));
    };
    const asking = request(
      {
        host: '127.0.0.1', port: place.adminPort, servername: LOCAL_SERVER_NAME, ca: readFileSync(place.rootFile), method, path, timeout: TIMEOUT_MS, agent: false,
        headers: {
          Host: `${LOCAL_SERVER_NAME}:${place.adminPort}`, Authorization: `Bearer ${place.adminToken}`,
          ...(text === undefined ? {} : { 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': Buffer.byteLength(text) }),
        },
      },
      (answer) => {
        const chunks: Buffer[] = [];
        let byteCount = 0;
        answer.on('data', (chunk: Buffer) => {
          byteCount += chunk.length;
          if (byteCount > MAX_ANSWER_BYTES) asking.destroy(new Error('the answer is too long'));
          else chunks.push(chunk);
        });
        answer.on('error', failed);
        answer.on('end', () => {
          const value = parse(Buffer.concat(chunks).toString());
          if ((answer.statusCode ?? 500) < 300) resolve(value);
          else reject(new CliError('ERR_HUB_REFUSED', EXIT.failed, `${place.hubName} refused: ${describe(value, answer.statusCode)}`, '"latchkey faults set --help" shows what there is'));
        });
      },
    );
    asking.on('timeout', () => asking.destroy(new Error('no answer')));
    asking.on('error', failed);
    asking.end(text);
  });
}

function parse(text: string): unknown {
  try {
    return text === '' ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}

/** The hub's own words, behind the code that they begin with. */
function describe(value: unknown, status: number | undefined): string {
  const message = typeof value === 'object' && value !== null && 'Message' in value ? value.Message : undefined;
  return typeof message === 'string' ? message.replace(/^ErrorCode:\w+;/, '') : `status ${status}`;
}
