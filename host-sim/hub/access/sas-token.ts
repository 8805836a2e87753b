/** The fields of a SAS token exactly as they stand in it, nothing decoded. */
export interface SasFields {
  readonly sr: string;
  readonly sig: string;
  readonly se: string;
  readonly skn: string | undefined;
}

export type SasSyntaxFault =
  | 'token-missing'
  | 'token-too-long'
  | 'token-malformed'
  | 'token-field-missing'
  | 'token-field-repeated'
  | 'token-field-unknown';

const SCHEME = 'SharedAccessSignature ';

/** Ids of 128 characters, each percent-encoded, in a module's resource of a long host name stay below 1.5 KB. */
const MAX_TOKEN_BYTES = 2_048;

/** Printable ASCII without space: what percent-encoding leaves. */
const FIELDS = /^[\x21-\x7e]*$/;

/**
 * Takes a token apart: one scheme, one space, the fields in any order, each once, none that IoT Hub does not know.
 * `password` is the MQTT field or the header's bytes.
 */
export function parseSasToken(password: Uint8Array | string | undefined): SasFields | SasSyntaxFault {
  if (password === undefined || password.length === 0) return 'token-missing';
  if (password.length > MAX_TOKEN_BYTES) return 'token-too-long';
  const text = typeof password === 'string' ? password : Buffer.from(password.buffer, password.byteOffset, password.length).toString('latin1');
  if (!text.startsWith(SCHEME)) return 'token-malformed';
  const body = text.slice(SCHEME.length);
  if (!FIELDS.test(body)) return 'token-malformed';
  const fields = new Map<string, string>();
  for (const field of body.split('&')) {
    const equals = field.indexOf('=');
    if (equals < 0) return 'token-malformed';
    const name = field.slice(0, equals);
    if (name !== 'sr' && name !== 'sig' && name !== 'se' && name !== 'skn') return 'token-field-unknown';
    if (fields.has(name)) return 'token-field-repeated';
    fields.set(name, field.slice(equals + 1));
  }
  const sr = fields.get('sr');
  const sig = fields.get('sig');
  const se = fields.get('se');
  if (!sr || !sig || !se) return 'token-field-missing';
  return { sr, sig, se, skn: fields.get('skn') };
}

/** Decodes percent-encoding once; `undefined` when an escape is broken or the bytes are no UTF-8. */
export function decodePercentOnce(text: string): string | undefined {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
