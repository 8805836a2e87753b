/** Why a device has no connection, in words, by the code of its event; docs/security.md and docs/roots.md have the codes. */
const CAUSES: Readonly<Record<string, string>> = {
  ERR_DNS: 'the name has no address',
  ERR_TCP: 'nothing answers there, or it was cut off',
  ERR_TIMEOUT: 'no answer in time',
  ERR_TLS_CIPHER: 'the hub offers no cipher suite that is accepted',
  ERR_TLS_EXPIRED: "the hub's certificate has ended",
  ERR_TLS_HOSTNAME: "the hub's certificate is for another name",
  ERR_TLS_NOT_A_CA: 'a certificate signs that is no CA',
  ERR_TLS_NOT_YET_VALID: "the hub's certificate has not begun",
  ERR_TLS_UNTRUSTED_ISSUER: "the hub's certificate leads to none of the trusted roots",
  ERR_TLS_USAGE: "the hub's certificate is for something else",
  ERR_TLS_VERSION: 'the hub does not speak TLS 1.2',
  ERR_TLS_WEAK_HASH: "the hub's certificate is signed with an old hash",
  ERR_TLS_WEAK_KEY: "the hub's certificate has a weak key",
};

/** Words and code; the code alone where there are no words. */
export function describeOpenFailure(code: string): string {
  const cause = CAUSES[code];
  return cause === undefined ? code : `${cause} (${code})`;
}
