/* The face of firmware/native/verify.c in the Moddable SDK; types in firmware/ports/types/latchkey.d.ts. */
export function openBundle(bundle, keys, threshold) { return native("xs_verify_openBundle").call(this, bundle, keys, threshold); }
export function readBundle(bundle) { return native("xs_verify_readBundle").call(this, bundle); }
export function confirmBundle(bundle, newKeys, threshold, oldKeys) { return native("xs_verify_confirmBundle").call(this, bundle, newKeys, threshold, oldKeys); }
export function verifyEs256(key, message, signature) { return native("xs_verify_verifyEs256").call(this, key, message, signature); }
export function sha256(bytes) { return native("xs_verify_sha256").call(this, bytes); }
export function decodeInPlace(bytes, offset, length) { return native("xs_verify_decodeInPlace").call(this, bytes, offset, length); }
export function readCertificate(der) { return native("xs_verify_readCertificate").call(this, der); }
