#include <stdlib.h>

#include "tls-internal.h"

struct tls_context *tls_context_create(void) {
  /* Entropy and random numbers of every Mbed TLS line come from PSA; a second call does nothing. */
  if (psa_crypto_init() != PSA_SUCCESS) return NULL;
  return calloc(1, sizeof(struct tls_context));
}

void tls_context_free(struct tls_context *context) {
  if (context == NULL) return;
  tls_drop_sessions(context);
  free(context);
}
