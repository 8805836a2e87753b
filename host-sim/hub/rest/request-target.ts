import { decodePercentOnce } from '../access/sas-token.ts';

export interface RequestTarget {
  /** Each percent-decoded once and otherwise as the client wrote it: `..` is a legal device id, and nothing is resolved. */
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
}

/** Printable ASCII but space, `"`, `<`, `>`, `\`, `^`, backtick, braces and `|`, and no fragment (RFC 3986, section 2), with `[` and `]` left out of paths. */
const PATH = /^\/[A-Za-z0-9\-._~%!$&'()*+,;=:@/]*$/;
const QUERY = /^[A-Za-z0-9\-._~%!$&'()*+,;=:@/?[\]"{}|^`<>\\]*$/;

/**
 * Reads the target of a request in origin-form (RFC 9112, section 3.2.1). An escaped slash stays inside its segment.
 * @returns `undefined` when it is none, or an escape is broken
 */
export function parseRequestTarget(target: string): RequestTarget | undefined {
  const question = target.indexOf('?');
  const path = question < 0 ? target : target.slice(0, question);
  const query = question < 0 ? '' : target.slice(question + 1);
  if (!PATH.test(path) || !QUERY.test(query)) return undefined;
  const raw = path.slice(1).split('/');
  // azure-iothub lists devices at `/devices/`.
  if (raw.length > 1 && raw.at(-1) === '') raw.pop();
  const segments: string[] = [];
  for (const segment of raw) {
    const decoded = decodePercentOnce(segment);
    if (decoded === undefined) return undefined;
    segments.push(decoded);
  }
  return { segments, query: new URLSearchParams(query) };
}
