/** What C does for root bundles. @see firmware/ports/types/latchkey.d.ts, module `latchkey/verify` */
export interface RootVerifier {
  /** The payload of a bundle that `threshold` distinct keys have signed. @throws ERR_BUNDLE_… */
  openBundle(bundle: ArrayBuffer | Uint8Array, keys: Uint8Array, threshold: number): ArrayBuffer;
  /** The payload of a bundle that was verified before, and whose digest says that it is the same one. */
  readBundle(bundle: ArrayBuffer | Uint8Array): ArrayBuffer;
  /** The same bundle by the keys of its own payload. @throws ERR_BUNDLE_NEW_KEYS, ERR_BUNDLE_KID, ERR_BUNDLE_KEYS */
  confirmBundle(bundle: ArrayBuffer | Uint8Array, newKeys: Uint8Array, threshold: number, oldKeys: Uint8Array): void;
  sha256(bytes: ArrayBuffer | Uint8Array): ArrayBuffer;
  /** base64url of `length` characters at `offset`, decoded to the same place; returns the number of bytes. @throws ERR_BUNDLE_FORMAT */
  decodeInPlace(bytes: Uint8Array, offset: number, length: number): number;
  /** @throws ERR_BUNDLE_ROOTS unless it is one CA certificate with a strong key */
  readCertificate(der: Uint8Array): { readonly sha256: ArrayBuffer; readonly notBeforeSeconds: number; readonly notAfterSeconds: number };
}
