/* The JavaScript face of signer.c: slots and texts go in, signatures come out, keys never. */
#include "xsmc.h"

#include "charge.h"
#include "native.h"
#include "throw.h"
#include "xs-faces.h"

#define MAX_SAFE_INTEGER 9007199254740991.0

static void settle(xsMachine *the, enum signer_error error) {
  native_charge(the, signer_take_units(native_signer()));
  if (error != SIGNER_OK) native_throw(the, signer_error_code(error), signer_error_text(error));
}

static void want_arguments(xsMachine *the, xsIntegerValue count) {
  if (xsmcArgc < count) xsTypeError("expected %d arguments", (int)count);
}

static unsigned slot_argument(xsMachine *the, xsIntegerValue index) {
  return (unsigned)native_integer(the, &xsArg(index), "slot", 0, SIGNER_SLOTS - 1);
}

void xs_signer_signSas(xsMachine *the) {
  char signature[SIGNER_SIGNATURE_BYTES];
  want_arguments(the, 3);
  const unsigned slot = slot_argument(the, 0);
  const int64_t expiry_s = (int64_t)native_integer(the, &xsArg(2), "seUnixSeconds", 0, MAX_SAFE_INTEGER);
  if (xsmcTypeOf(xsArg(1)) != xsStringType) xsTypeError("encodedSr: expected a string");
  settle(the, signer_sign_sas(native_signer(), slot, xsmcToString(xsArg(1)), expiry_s, signature));
  xsmcSetString(xsResult, signature);
}

void xs_signer_derive(xsMachine *the) {
  want_arguments(the, 3);
  const unsigned from = slot_argument(the, 0);
  const unsigned into = slot_argument(the, 2);
  if (xsmcTypeOf(xsArg(1)) != xsStringType) xsTypeError("label: expected a string");
  settle(the, signer_derive(native_signer(), from, xsmcToString(xsArg(1)), into));
}

void xs_signer_erase(xsMachine *the) {
  want_arguments(the, 1);
  settle(the, signer_erase(native_signer(), slot_argument(the, 0)));
}

void xs_signer_backend(xsMachine *the) {
  want_arguments(the, 1);
  const char *backend = signer_backend(native_signer(), slot_argument(the, 0));
  if (backend != NULL) xsmcSetString(xsResult, (char *)backend);
}

void xs_signer_check(xsMachine *the) {
  settle(the, signer_check(native_signer()));
}

void xs_signer_selfTest(xsMachine *the) {
  settle(the, signer_self_test(native_signer()));
}
