/** The native modules of `firmware/native`, and what a port tells the application. */
declare module 'latchkey/tls' {
  export interface TlsOptions {
    /** SNI, and the name that must be in the leaf's SAN. */
    readonly host: string;
    /** Trust anchors, DER; these and no other. */
    readonly roots: readonly ArrayBuffer[];
    /** Client certificate chain, DER, leaf first; its key stays in `keySlot` of the signer's store. */
    readonly certificates?: readonly ArrayBuffer[];
    readonly keySlot?: number;
    /** Offer a cached session for the same host and the same roots, and keep the one that comes. Default true. */
    readonly resume?: boolean;
  }
  export interface TlsInfo {
    readonly version: 'TLSv1.2' | 'TLSv1.3';
    readonly cipher: string;
    readonly resumed: boolean;
  }
  /**
   * A TLS client as a state machine: ciphertext in and out, plaintext in and out; no socket, no timer.
   * Every failure throws an Error whose `code` is one of the classes of docs/security.md
   * (`ERR_TLS_UNTRUSTED_ISSUER`, `ERR_TLS_HOSTNAME`, …); call `take` once more after it: the alert is there.
   */
  export default class Tls {
    constructor(options: TlsOptions);
    /** Ciphertext from the socket. Copied; throws ERR_TLS_PROTOCOL above MAX_TLS_INPUT waiting bytes. */
    feed(bytes: ArrayBuffer | Uint8Array): void;
    /** Ciphertext for the socket, `undefined` when none waits. `maxBytes` is 1 to 65536, here and in `read`. */
    take(maxBytes: number): ArrayBuffer | undefined;
    /** One step; true when the session is up. */
    handshake(): boolean;
    /** Plaintext; `undefined` when none waits, `null` after the peer's close_notify. */
    read(maxBytes: number): ArrayBuffer | undefined | null;
    /** Encrypts a prefix of `bytes`, returns its length (0: `take` first). */
    write(bytes: ArrayBuffer | Uint8Array): number;
    /** Queues close_notify. */
    end(): void;
    /** Frees the C memory; idempotent. Mandatory: the garbage collector does not see it. */
    close(): void;
    readonly info: TlsInfo;
    /** Forgets every cached session. */
    static dropSessions(): void;
    /**
     * Refuses an expired chain and a wrong host; throws ERR_TLS_SELF_TEST when this build does not, and then nothing connects. With a
     * name only that check runs, and its success opens nothing.
     */
    static selfTest(check?: 'trusted' | 'host-name' | 'issuer' | 'expired' | 'not-yet-valid'): void;
  }
}

declare module 'latchkey/signer' {
  /**
   * base64(HMAC-SHA256(key of `slot`, encodedSr + "\n" + seUnixSeconds)).
   * @throws ERR_SIGNER_SLOT (empty), ERR_SIGNER_RESOURCE (outside the slot's prefixes), ERR_SIGNER_EXPIRY (above 366 days from now)
   */
  export function signSas(slot: number, encodedSr: string, seUnixSeconds: number): string;
  /** HMAC-SHA256(key of `fromSlot`, label) becomes the key of RAM slot `intoSlot`, with the same prefixes. */
  export function derive(fromSlot: number, label: string, intoSlot: number): void;
  export function erase(slot: number): void;
  /** How the key of `slot` is kept; `undefined` when the slot is empty. */
  export function backend(slot: number): 'file' | 'derived' | 'efuse' | 'efuse-derived' | 'partition' | 'partition-derived' | undefined;
  /**
   * Looks at the key store: eFuse blocks burnt, for this purpose, locked; the partition encrypted where it must be.
   * @throws ERR_SIGNER_EFUSE_UNBURNT, …_PURPOSE, …_READABLE, …_WRITABLE, …_BLOCK, ERR_SIGNER_PARTITION_PLAIN, ERR_SIGNER_STORE
   */
  export function check(): void;
  /** A known HMAC, and that each slot's key answers the same twice. @throws ERR_SIGNER_SELF_TEST */
  export function selfTest(): void;
}

/**
 * Signatures and certificates of root bundles. Keys are 64 bytes each (x and y of P-256), one behind another. Errors carry a
 * `code` of docs/roots.md (`ERR_BUNDLE_SIGNATURES`, …).
 */
declare module 'latchkey/verify' {
  /** The payload of a bundle that `threshold` distinct keys have signed. Nothing of the payload is parsed. */
  export function openBundle(bundle: ArrayBuffer | Uint8Array, keys: ArrayBuffer | Uint8Array, threshold: number): ArrayBuffer;
  /** The payload of a bundle that was verified before; no signature is looked at. */
  export function readBundle(bundle: ArrayBuffer | Uint8Array): ArrayBuffer;
  /**
   * The same bundle by the keys of its own payload, and every key id one of these or of `oldKeys`.
   * @throws ERR_BUNDLE_NEW_KEYS, ERR_BUNDLE_KID, ERR_BUNDLE_KEYS
   */
  export function confirmBundle(bundle: ArrayBuffer | Uint8Array, newKeys: ArrayBuffer | Uint8Array, threshold: number, oldKeys: ArrayBuffer | Uint8Array): void;
  /** ECDSA with P-256 and SHA-256; `signature` is r and s, 64 bytes. */
  export function verifyEs256(key: ArrayBuffer | Uint8Array, message: ArrayBuffer | Uint8Array, signature: ArrayBuffer | Uint8Array): boolean;
  export function sha256(bytes: ArrayBuffer | Uint8Array): ArrayBuffer;
  /**
   * Decodes base64url without padding, canonical, of `length` characters at `offset` of `bytes`, to the same place.
   * @returns the number of bytes @throws ERR_BUNDLE_FORMAT
   */
  export function decodeInPlace(bytes: Uint8Array, offset: number, length: number): number;
  /** A trust anchor: one CA certificate in DER, RSA of 2048 bits at least, P-256 or P-384. @throws ERR_BUNDLE_ROOTS */
  export function readCertificate(der: ArrayBuffer | Uint8Array): { readonly sha256: ArrayBuffer; readonly notBeforeSeconds: number; readonly notAfterSeconds: number };
}

/** What only the virtual board has; nothing but firmware/ports/board imports it. */
declare module 'latchkey/board' {
  const board: {
    /** One line to the host: a JSON object. */
    print(line: string): void;
    exit(code: number): void;
    /** Called once when the host asks the firmware to stop. */
    onStop: (() => void) | undefined;
    /** Uniform in [0, 1): from the system, or from `--seed`. */
    random(): number;
    /** Compute units so far, natives charged (32-bit, wraps). */
    readonly computeUnits: number;
  };
  export default board;
}
