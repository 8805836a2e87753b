export type NvsErrorCode =
  /** A namespace or key that NVS refuses: empty, longer than 15 bytes, not printable, or given twice. */
  | 'ERR_NVS_NAME'
  /** A value that does not fit its type. */
  | 'ERR_NVS_VALUE'
  /** The entries need more pages than the partition has. */
  | 'ERR_NVS_FULL'
  /** A partition size that is no whole number of pages, or too small for NVS. */
  | 'ERR_NVS_SIZE'
  /** An image that is not in the format, or was made with other keys. */
  | 'ERR_NVS_DAMAGED'
  /** Encryption keys of the wrong length, equal ones, or a damaged key partition. */
  | 'ERR_NVS_KEYS';

/** Why an NVS image cannot be written or read. The text names keys of entries, never a value. */
export class NvsError extends Error {
  override readonly name = 'NvsError';
  readonly code: NvsErrorCode;
  /** What to do about it, one sentence. */
  readonly remedy: string;

  constructor(code: NvsErrorCode, message: string, remedy: string, options?: { readonly cause: unknown }) {
    super(message, options);
    this.code = code;
    this.remedy = remedy;
  }
}
