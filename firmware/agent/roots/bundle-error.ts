/** Why a bundle was refused; docs/roots.md says what each means and what the owner does about it. */
export type BundleErrorCode =
  /** Above MAX_BUNDLE_BYTES, or above the number of signatures, roots, keys or names. */
  | 'ERR_BUNDLE_SIZE'
  /** Not the one shape of envelope or payload. */
  | 'ERR_BUNDLE_FORMAT'
  /** A member twice, in envelope, header or payload. */
  | 'ERR_BUNDLE_DUPLICATE'
  /** A protected header that is not exactly `alg` ES256, `kid` and `typ`. */
  | 'ERR_BUNDLE_HEADER'
  /** A key id that is not the thumbprint of a key of the old or the new set. */
  | 'ERR_BUNDLE_KID'
  /** Fewer than a threshold of the stored keys have signed. */
  | 'ERR_BUNDLE_SIGNATURES'
  /** Fewer than a threshold of the new keys have signed. */
  | 'ERR_BUNDLE_NEW_KEYS'
  /** A key that stands there twice, or is no point of P-256. */
  | 'ERR_BUNDLE_KEYS'
  /** A threshold of 0, or above the number of keys. */
  | 'ERR_BUNDLE_THRESHOLD'
  /** Not exactly one above the stored version: the bundles between come first. */
  | 'ERR_BUNDLE_VERSION'
  /** A version below the stored one. */
  | 'ERR_BUNDLE_REPLAY'
  /** The stored version with other content. */
  | 'ERR_BUNDLE_CONFLICT'
  /** For other hubs, id scopes or devices. */
  | 'ERR_BUNDLE_AUDIENCE'
  /** Expired, and the last of its chain. */
  | 'ERR_BUNDLE_EXPIRED'
  /** No root, or one that is no strong CA, has ended, stands there twice or is revoked as well. */
  | 'ERR_BUNDLE_ROOTS'
  /** A part that is missing, changed, doubled or too long. */
  | 'ERR_BUNDLE_PART'
  /** Flash was erased often enough for this hour. */
  | 'ERR_BUNDLE_RATE'
  /** Flash has not taken what was written. */
  | 'ERR_BUNDLE_FLASH'
  | 'ERR_BUNDLE_MEMORY';

export class BundleError extends Error {
  override readonly name = 'BundleError';
  readonly code: BundleErrorCode;

  constructor(code: BundleErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
