/* The face of firmware/native/signer.c in the Moddable SDK; types in firmware/ports/types/latchkey.d.ts. */
export function signSas(slot, encodedSr, seUnixSeconds) { return native("xs_signer_signSas").call(this, slot, encodedSr, seUnixSeconds); }
export function derive(fromSlot, label, intoSlot) { return native("xs_signer_derive").call(this, fromSlot, label, intoSlot); }
export function erase(slot) { return native("xs_signer_erase").call(this, slot); }
export function backend(slot) { return native("xs_signer_backend").call(this, slot); }
export function check() { return native("xs_signer_check").call(this); }
export function selfTest() { return native("xs_signer_selfTest").call(this); }
