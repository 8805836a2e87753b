#include "native.h"

#include "charge.h"

static struct {
  struct signer signer;
  struct tls_context *tls;
} native;

void native_start(const struct key_store *keys) {
  native_stop();
  signer_init(&native.signer, keys);
}

void native_stop(void) {
  tls_context_free(native.tls);
  native.tls = NULL;
  signer_clear(&native.signer);
}

struct signer *native_signer(void) {
  return &native.signer;
}

struct tls_context *native_tls(void) {
  if (native.tls == NULL) native.tls = tls_context_create();
  return native.tls;
}

/* Where nobody counts. */
__attribute__((weak)) void native_charge(xsMachine *the, uint32_t units) {
  (void)the;
  (void)units;
}
