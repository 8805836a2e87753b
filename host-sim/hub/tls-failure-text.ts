/** Why a handshake with a client failed, by Node's code of it. */
const CAUSES: Readonly<Record<string, string>> = {
  ECONNRESET: 'the client went away during the handshake',
  ERR_SSL_HTTP_REQUEST: 'the client speaks plain HTTP, not TLS',
  ERR_SSL_NO_SHARED_CIPHER: 'the client has no cipher suite that is accepted here',
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: 'the client does not accept this certificate',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: 'to the client this certificate has ended: is its clock right?',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: 'the client does not accept this certificate',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'the client does not trust the root of this certificate',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'the client does not speak TLS 1.2',
  ERR_SSL_WRONG_VERSION_NUMBER: 'what came is no TLS',
};

/** OpenSSL's text is "id:error:number:library:function:reason:file:line:more", a line with its end. */
const OPENSSL_REASON = /:error:[0-9A-F]+:[^:]*:[^:]*:([^:\n]+)/;

/** One line for people, with the code. @param detail what Node said; used for a code that has no words here */
export function describeTlsFailure(code: string, detail: string): string {
  const cause = CAUSES[code] ?? OPENSSL_REASON.exec(detail)?.[1] ?? detail.trim().split('\n')[0];
  return `TLS failed: ${cause} (${code})`;
}
