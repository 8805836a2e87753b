import type { IncomingMessage } from 'node:http';
import { ServiceError } from '../service-error.ts';

export interface BodyLimits {
  readonly bodyBytes: number;
  readonly jsonDepth: number;
}

/**
 * Reads and parses the JSON body of a request.
 * @returns `undefined` where there is none
 * @throws ServiceError 413 (too long), 415 (no JSON, or compressed), 400006 (malformed)
 */
export async function readJsonBody(request: IncomingMessage, limits: BodyLimits): Promise<unknown> {
  checkMediaType(request);
  const bytes = await readBytes(request, limits.bodyBytes);
  return bytes.length === 0 ? undefined : parseJson(bytes, limits.jsonDepth);
}

/** Reads a body whatever it is. @throws ServiceError 413 */
export function readBytes(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (Number(request.headers['content-length'] ?? 0) > maxBytes) {
      reject(tooLarge(maxBytes));
      return;
    }
    // By events: an iterator that is left early would take the connection with it, and the answer.
    const chunks: Buffer[] = [];
    let bytes = 0;
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes <= maxBytes) {
        chunks.push(chunk);
        return;
      }
      request.off('data', onData);
      request.pause();
      reject(tooLarge(maxBytes));
    };
    request.on('data', onData);
    request.once('end', () => resolve(Buffer.concat(chunks)));
    request.once('error', reject);
    request.once('close', () => reject(new Error('the client went away')));
  });
}

function checkMediaType({ headers }: IncomingMessage): void {
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  if (!hasBody) return;
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') throw unsupported('Content-Encoding');
  const [type = ''] = (headers['content-type'] ?? '').split(';');
  if (!/^application\/(?:[a-z.+-]*\+)?json$/i.test(type.trim())) throw unsupported('Content-Type');
  const charset = /charset="?([^";]*)/i.exec(headers['content-type'] ?? '')?.[1];
  if (charset !== undefined && !/^utf-?8$/i.test(charset.trim())) throw unsupported('charset');
}

/** @throws ServiceError 400006 */
export function parseJson(bytes: Uint8Array, maxDepth: number): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw malformed('The body is not UTF-8.');
  }
  if (measureDepth(text) > maxDepth) throw malformed(`The body is nested deeper than ${maxDepth} levels.`);
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which may hold keys.
    throw malformed('The body is not valid JSON.');
  }
}

/** The deepest nesting of brackets outside of strings: enough to bound every recursion over the value. */
function measureDepth(text: string): number {
  let depth = 0;
  let deepest = 0;
  let isInString = false;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (isInString) {
      if (code === BACKSLASH) index += 1;
      else if (code === QUOTE) isInString = false;
    } else if (code === QUOTE) isInString = true;
    else if (code === BRACE_OPEN || code === BRACKET_OPEN) deepest = Math.max(deepest, ++depth);
    else if (code === BRACE_CLOSE || code === BRACKET_CLOSE) depth -= 1;
  }
  return deepest;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const BRACKET_OPEN = 0x5b;
const BRACKET_CLOSE = 0x5d;
const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;

function tooLarge(maxBytes: number): ServiceError {
  return new ServiceError(413, 413_000, 'GenericRequestEntityTooLarge', `The body may have ${maxBytes} bytes at most.`);
}

function unsupported(header: string): ServiceError {
  return new ServiceError(415, 415_000, 'GenericUnsupportedMediaType', `${header} is not supported: send application/json; charset=utf-8.`);
}

function malformed(message: string): ServiceError {
  return new ServiceError(400, 400_006, 'IotHubFormatError', message);
}
