/** Every limit of root bundles and their store, with its source. `latchkey roots` holds itself to the same ones. */

/** A bundle as it travels; two roots and three keys take 6 KB, four roots 11 KB. The same in firmware/native/envelope.h. */
export const MAX_BUNDLE_BYTES = 16 * 1024;
/** Trusted and revoked roots together. */
export const MAX_ROOTS = 8;
/** A root in DER; a trust anchor of RSA-4096 takes 1.5 KB. The same in firmware/native/verify.h. */
export const MAX_ROOT_BYTES = 8192;
/** Update keys of a set; the same in firmware/native/verify.h. */
export const MAX_UPDATE_KEYS = 8;
/** Signatures of an envelope: the old keys and the new ones. The same in firmware/native/envelope.h. */
export const MAX_BUNDLE_SIGNATURES = 16;
/** Host names or id scopes of an audience. */
export const MAX_AUDIENCE_NAMES = 8;
/** A host name (RFC 1035 2.3.4), which is longer than any id scope or device id. */
export const MAX_NAME_CHARACTERS = 253;
/** `*` in a device pattern: each multiplies the work of matching. */
export const MAX_PATTERN_STARS = 4;
/** A version fits 31 bits, so that arithmetic with it stays exact everywhere. */
export const MAX_ROOT_VERSION = 2 ** 31 - 1;

/** x and y of P-256. */
export const POINT_BYTES = 64;
export const SHA256_BYTES = 32;

/** A part with what stands around it, as JSON: what the agent reads of one desired property (twin-scanner.ts). */
export const MAX_PART_CHARACTERS = 4096;
/** Every part but the last has this size: 3,840 characters of base64url, and 256 for version, digest, count and index. */
export const PART_BYTES = 2880;
export const MAX_PARTS = Math.ceil(MAX_BUNDLE_BYTES / PART_BYTES);

/** Bundles that are fetched one after another in one recovery. */
export const MAX_LINKS = 16;

/** Flash wears out: NOR lasts 100,000 erases of a sector (W25Q data sheet), which is 2.8 years at this rate. */
export const MAX_ERASES_PER_HOUR = 4;
export const ERASE_PERIOD_MS = 3_600_000;

/** Failures of class untrusted-issuer that end a trial. */
export const TRIAL_FAILURES = 3;
/** A set that failed is tried again after this long, uniformly drawn up to twice. */
export const TRIAL_AGAIN_MS = 6 * 3_600_000;
