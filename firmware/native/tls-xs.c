/* The JavaScript face of tls.c. A pointer into a chunk lives until the next allocation in XS: each is used at once, by C alone. */
#include "xsmc.h"

#include <stdlib.h>
#include <string.h>

#include "mbedtls/platform_util.h"

#include "charge.h"
#include "native.h"
#include "throw.h"
#include "xs-faces.h"

#define MAX_BYTES_PER_CALL 65536.0

void xs_tls_destructor(void *data) {
  tls_destroy(data);
}

static void throw_failure(xsMachine *the, const struct tls *tls) {
  const struct tls_failure *failure = tls_get_failure(tls);
  native_throw(the, tls_error_code(failure->error), failure->text);
}

/* Pays for what was done, then throws when it failed. */
static void settle(xsMachine *the, struct tls *tls, enum tls_error error) {
  native_charge(the, tls_take_units(tls));
  if (error != TLS_OK) throw_failure(the, tls);
}

/* NULL when closed; TypeError when `this` is something else. */
static struct tls *engine_or_null(xsMachine *the) {
  struct tls *volatile tls = NULL;
  volatile int is_engine = 0;
  xsTry {
    tls = xsmcGetHostDataValidate(xsThis, xs_tls_destructor);
    is_engine = 1;
  }
  xsCatch {
  }
  if (!is_engine) xsTypeError("this is no TLS engine");
  return tls;
}

static struct tls *engine(xsMachine *the) {
  struct tls *tls = engine_or_null(the);
  if (tls == NULL) xsTypeError("the TLS engine is closed");
  return tls;
}

static void want_argument(xsMachine *the) {
  if (xsmcArgc < 1) xsTypeError("expected an argument");
}

typedef enum tls_error (*add_certificate)(struct tls *tls, const uint8_t *der, size_t length);

static void add_certificates(xsMachine *the, struct tls *tls, xsSlot *list, xsSlot *item, add_certificate add) {
  xsmcGet(*item, *list, xsID("length"));
  const xsIntegerValue count = xsmcToInteger(*item);
  for (xsIntegerValue i = 0; i < count; i++) {
    void *der;
    xsUnsignedValue length;
    xsmcGetIndex(*item, *list, (xsIndex)i);
    xsmcGetBufferReadable(*item, &der, &length);
    settle(the, tls, add(tls, der, length));
  }
}

static void set_private_key(xsMachine *the, struct tls *tls, unsigned slot) {
  size_t length = 0;
  uint8_t *der = malloc(PRIVATE_KEY_MAX_BYTES);
  if (der == NULL) native_throw(the, tls_error_code(TLS_MEMORY), "not enough memory");
  const enum signer_error error = signer_read_private_key(native_signer(), slot, der, PRIVATE_KEY_MAX_BYTES, &length);
  const enum tls_error set = error == SIGNER_OK ? tls_set_private_key(tls, der, length) : TLS_OK;
  mbedtls_platform_zeroize(der, PRIVATE_KEY_MAX_BYTES);
  free(der);
  native_charge(the, signer_take_units(native_signer()));
  if (error != SIGNER_OK) native_throw(the, signer_error_code(error), signer_error_text(error));
  settle(the, tls, set);
}

static void configure(xsMachine *the, struct tls *tls) {
  const xsIntegerValue first = xsmcVars(2);
  xsSlot *value = &xsVar(first);
  xsSlot *item = &xsVar(first + 1);

  xsmcGet(*value, xsArg(0), xsID("host"));
  if (xsmcTypeOf(*value) != xsStringType) xsTypeError("host: expected a string");
  settle(the, tls, tls_set_host(tls, xsmcToString(*value)));

  xsmcGet(*value, xsArg(0), xsID("roots"));
  if (xsmcTypeOf(*value) != xsReferenceType) xsTypeError("roots: expected an array of buffers");
  add_certificates(the, tls, value, item, tls_add_root);

  xsmcGet(*value, xsArg(0), xsID("certificates"));
  if (xsmcTypeOf(*value) == xsReferenceType) {
    add_certificates(the, tls, value, item, tls_add_certificate);
    xsmcGet(*value, xsArg(0), xsID("keySlot"));
    set_private_key(the, tls, (unsigned)native_integer(the, value, "keySlot", 0, KEY_STORE_SLOTS - 1));
  }

  xsmcGet(*value, xsArg(0), xsID("resume"));
  if (xsmcTypeOf(*value) != xsUndefinedType) tls_set_resume(tls, xsmcToBoolean(*value) != 0);
  settle(the, tls, tls_start(tls));
}

void xs_tls_constructor(xsMachine *the) {
  if (xsmcArgc < 1 || xsmcTypeOf(xsArg(0)) != xsReferenceType) xsTypeError("expected an object of options");
  if (engine_or_null(the) != NULL) xsTypeError("the TLS engine exists already");
  struct tls_context *context = native_tls();
  struct tls *tls = context == NULL ? NULL : tls_create(context);
  if (tls == NULL) native_throw(the, tls_error_code(TLS_MEMORY), "not enough memory, or no randomness");
  xsmcSetHostData(xsThis, tls);
  xsTry {
    configure(the, tls);
  }
  xsCatch {
    /* The garbage collector does not see C memory: nothing may wait for it. */
    xsmcSetHostData(xsThis, NULL);
    tls_destroy(tls);
    xsThrow(xsException);
  }
}

void xs_tls_feed(xsMachine *the) {
  struct tls *tls = engine(the);
  void *bytes;
  xsUnsignedValue length;
  want_argument(the);
  xsmcGetBufferReadable(xsArg(0), &bytes, &length);
  settle(the, tls, tls_feed(tls, bytes, length));
}

static size_t limit_argument(xsMachine *the) {
  want_argument(the);
  return (size_t)native_integer(the, &xsArg(0), "maxBytes", 1, MAX_BYTES_PER_CALL);
}

void xs_tls_take(xsMachine *the) {
  struct tls *tls = engine(the);
  const size_t limit = limit_argument(the);
  const size_t waiting = tls_output_length(tls);
  const size_t length = waiting < limit ? waiting : limit;
  if (length == 0) return;
  xsmcSetArrayBuffer(xsResult, NULL, (xsIntegerValue)length);
  (void)tls_take(tls, xsmcToArrayBuffer(xsResult), length);
}

void xs_tls_handshake(xsMachine *the) {
  struct tls *tls = engine(the);
  bool done = false;
  settle(the, tls, tls_handshake(tls, &done));
  xsmcSetBoolean(xsResult, done);
}

void xs_tls_read(xsMachine *the) {
  struct tls *tls = engine(the);
  const size_t limit = limit_argument(the);
  size_t available = 0;
  bool closed = false;
  settle(the, tls, tls_poll(tls, &available, &closed));
  if (closed) {
    xsmcSetNull(xsResult);
    return;
  }
  const size_t length = available < limit ? available : limit;
  if (length == 0) return;
  xsmcSetArrayBuffer(xsResult, NULL, (xsIntegerValue)length);
  if (tls_read(tls, xsmcToArrayBuffer(xsResult), length) != length) native_throw(the, tls_error_code(TLS_PROTOCOL), "short read");
}

void xs_tls_write(xsMachine *the) {
  struct tls *tls = engine(the);
  void *bytes;
  xsUnsignedValue length;
  size_t written = 0;
  want_argument(the);
  xsmcGetBufferReadable(xsArg(0), &bytes, &length);
  settle(the, tls, tls_write(tls, bytes, length, &written));
  xsmcSetInteger(xsResult, (xsIntegerValue)written);
}

void xs_tls_end(xsMachine *the) {
  struct tls *tls = engine(the);
  settle(the, tls, tls_end(tls));
}

void xs_tls_close(xsMachine *the) {
  struct tls *tls = engine_or_null(the);
  xsmcSetHostData(xsThis, NULL);
  tls_destroy(tls);
}

void xs_tls_get_info(xsMachine *the) {
  struct tls_info info;
  if (!tls_get_info(engine(the), &info)) return;
  const xsIntegerValue value = xsmcVars(1);
  xsmcSetNewObject(xsResult);
  xsmcSetString(xsVar(value), (char *)info.version);
  xsmcSet(xsResult, xsID("version"), xsVar(value));
  xsmcSetString(xsVar(value), (char *)info.cipher);
  xsmcSet(xsResult, xsID("cipher"), xsVar(value));
  xsmcSetBoolean(xsVar(value), info.resumed);
  xsmcSet(xsResult, xsID("resumed"), xsVar(value));
}

void xs_tls_dropSessions(xsMachine *the) {
  (void)the;
  struct tls_context *context = native_tls();
  if (context != NULL) tls_drop_sessions(context);
}

void xs_tls_selfTest(xsMachine *the) {
  struct tls_context *context = native_tls();
  if (context == NULL) native_throw(the, tls_error_code(TLS_MEMORY), "not enough memory, or no randomness");
  const bool has_name = xsmcArgc > 0 && xsmcTypeOf(xsArg(0)) != xsUndefinedType;
  if (has_name && xsmcTypeOf(xsArg(0)) != xsStringType) xsTypeError("expected the name of a check");
  if (tls_self_test(context, has_name ? xsmcToString(xsArg(0)) : NULL) != TLS_OK) {
    native_throw(the, tls_error_code(TLS_SELF_TEST), "this build does not refuse bad certificates: set MBEDTLS_HAVE_TIME_DATE");
  }
}
