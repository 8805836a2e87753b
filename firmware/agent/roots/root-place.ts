export const HTTP_PORT = 80;
const MAX_URL_CHARACTERS = 512;

/** Where a bundle lies, on a server that need not be trusted. */
export interface BundlePlace {
  readonly host: string;
  readonly port: number;
  /** With its slash, and a query where the owner gave one. */
  readonly path: string;
}

/** `undefined` for what is no `http://host[:port]/path` in visible ASCII. */
export function parseBundleUrl(url: string): BundlePlace | undefined {
  if (!url.startsWith('http://') || url.length > MAX_URL_CHARACTERS) return undefined;
  for (let i = 0; i < url.length; i++) {
    const code = url.charCodeAt(i);
    if (code <= 0x20 || code > 0x7e) return undefined;
  }
  const rest = url.slice('http://'.length);
  const slash = rest.indexOf('/');
  const authority = slash < 0 ? rest : rest.slice(0, slash);
  return parseBundleHost(authority, slash < 0 ? '/' : rest.slice(slash));
}

/** `host` or `host:port`. */
export function parseBundleHost(authority: string, path: string): BundlePlace | undefined {
  const colon = authority.indexOf(':');
  const host = colon < 0 ? authority : authority.slice(0, colon);
  const digits = colon < 0 ? String(HTTP_PORT) : authority.slice(colon + 1);
  const port = Number(digits);
  if (host === '' || host.includes('@') || String(port) !== digits || !Number.isInteger(port) || port < 1 || port > 65535) return undefined;
  return { host, port, path };
}
