/* Modules `latchkey/tls`, `latchkey/signer` and `latchkey/verify`: the faces of firmware/native. */
#include "call.h"
#include "natives.h"
#include "xs-faces.h"

/* XS 13.3 leaves `this` to the constructor; xs-faces.h wants it made. */
static void tls_construct(xsMachine *the) {
  if (xsmcTypeOf(xsTarget) == xsUndefinedType) xsTypeError("Tls: new Tls(options) expected");
  construct(the, NULL);
  xs_tls_constructor(the);
}

void tls_module(xsMachine *the, xsSlot *module) {
  xsVar(2) = xsNewHostObject(xs_tls_destructor);
  native_method(the, &xsVar(2), "feed", xs_tls_feed, 1);
  native_method(the, &xsVar(2), "take", xs_tls_take, 1);
  native_method(the, &xsVar(2), "handshake", xs_tls_handshake, 0);
  native_method(the, &xsVar(2), "read", xs_tls_read, 1);
  native_method(the, &xsVar(2), "write", xs_tls_write, 1);
  native_method(the, &xsVar(2), "end", xs_tls_end, 0);
  native_method(the, &xsVar(2), "close", xs_tls_close, 0);
  native_getter(the, &xsVar(2), "info", xs_tls_get_info);
  xsVar(3) = xsNewHostConstructorObject(tls_construct, 1, xsVar(2), xsID("Tls"));
  native_method(the, &xsVar(3), "dropSessions", xs_tls_dropSessions, 0);
  native_method(the, &xsVar(3), "selfTest", xs_tls_selfTest, 0);
  xsmcSet(*module, xsID("default"), xsVar(3));
}

void signer_module(xsMachine *the, xsSlot *module) {
  native_method(the, module, "signSas", xs_signer_signSas, 3);
  native_method(the, module, "derive", xs_signer_derive, 3);
  native_method(the, module, "erase", xs_signer_erase, 1);
  native_method(the, module, "backend", xs_signer_backend, 1);
  native_method(the, module, "check", xs_signer_check, 0);
  native_method(the, module, "selfTest", xs_signer_selfTest, 0);
}

void verify_module(xsMachine *the, xsSlot *module) {
  native_method(the, module, "openBundle", xs_verify_openBundle, 3);
  native_method(the, module, "readBundle", xs_verify_readBundle, 1);
  native_method(the, module, "confirmBundle", xs_verify_confirmBundle, 4);
  native_method(the, module, "verifyEs256", xs_verify_verifyEs256, 3);
  native_method(the, module, "sha256", xs_verify_sha256, 1);
  native_method(the, module, "decodeInPlace", xs_verify_decodeInPlace, 3);
  native_method(the, module, "readCertificate", xs_verify_readCertificate, 1);
}
