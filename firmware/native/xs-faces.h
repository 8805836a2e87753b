/*
 * What JavaScript calls; shapes in firmware/ports/types/latchkey.d.ts. Valid for XS 13.3 (the virtual board) and for the Moddable SDK 8.
 *
 * xs_tls_constructor wants `this` made already: a host instance whose destructor is xs_tls_destructor. In the SDK
 * `class … @ "xs_tls_destructor"` does that; with fxNewHostConstructor of XS 13.3 the port's own constructor makes the instance from
 * `new.target.prototype`, sets xsThis and xsResult, and calls this one.
 */
#ifndef LATCHKEY_XS_FACES_H
#define LATCHKEY_XS_FACES_H

#include "xsmc.h"

/* Names of properties that the natives use: a port that shares its machine interns them before, so that clones need no new key. */
#define NATIVE_PROPERTY_NAMES \
  "Error", "code", "host", "roots", "certificates", "keySlot", "resume", "length", "version", "cipher", "resumed", \
  "sha256", "notBeforeSeconds", "notAfterSeconds"

void xs_tls_destructor(void *data);
void xs_tls_constructor(xsMachine *the);
void xs_tls_feed(xsMachine *the);
void xs_tls_take(xsMachine *the);
void xs_tls_handshake(xsMachine *the);
void xs_tls_read(xsMachine *the);
void xs_tls_write(xsMachine *the);
void xs_tls_end(xsMachine *the);
void xs_tls_close(xsMachine *the);
void xs_tls_get_info(xsMachine *the);
void xs_tls_dropSessions(xsMachine *the);
void xs_tls_selfTest(xsMachine *the);

void xs_signer_signSas(xsMachine *the);
void xs_signer_derive(xsMachine *the);
void xs_signer_erase(xsMachine *the);
void xs_signer_backend(xsMachine *the);
void xs_signer_check(xsMachine *the);
void xs_signer_selfTest(xsMachine *the);

void xs_verify_openBundle(xsMachine *the);
void xs_verify_readBundle(xsMachine *the);
void xs_verify_confirmBundle(xsMachine *the);
void xs_verify_verifyEs256(xsMachine *the);
void xs_verify_sha256(xsMachine *the);
void xs_verify_decodeInPlace(xsMachine *the);
void xs_verify_readCertificate(xsMachine *the);

#endif
