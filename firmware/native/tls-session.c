/*
 * The cache of sessions. Mbed TLS resumes a TLS 1.2 session without looking at the host or the roots again, so an entry is bound to
 * the digest of both and of the client's chain. It ends 24 hours after the full handshake that verified the chain, at the earliest
 * notAfter of that chain, and when the wall clock was moved: dates were checked against the clock of then.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mbedtls/platform_util.h"

#include "tls-internal.h"

#define MAX_AGE_SECONDS 86400
/* The clocks may drift apart that far (100 ppm in a day) before it counts as a step. */
#define CLOCK_STEP_SECONDS 10
#define MAX_SESSION_BYTES 16384u
#define MS_PER_SECOND 1000u

static uint64_t monotonic_ms(void) {
  struct timespec now = {0};
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * MS_PER_SECOND + (uint64_t)now.tv_nsec / 1000000u;
}

static void drop(struct tls_session *session) {
  if (session->blob != NULL) mbedtls_platform_zeroize(session->blob, session->length);
  free(session->blob);
  mbedtls_platform_zeroize(session, sizeof *session);
}

void tls_drop_sessions(struct tls_context *context) {
  for (size_t i = 0; i < TLS_SESSION_ENTRIES; i++) drop(&context->sessions[i]);
}

static void drop_stale(struct tls_context *context) {
  const int64_t now_s = (int64_t)time(NULL);
  const uint64_t now_monotonic_ms = monotonic_ms();
  for (size_t i = 0; i < TLS_SESSION_ENTRIES; i++) {
    struct tls_session *session = &context->sessions[i];
    if (session->blob == NULL) continue;
    const int64_t age_s = now_s - session->verified_at_s;
    const int64_t elapsed_s = (int64_t)((now_monotonic_ms - session->verified_at_monotonic_ms) / MS_PER_SECOND);
    const int64_t step_s = age_s > elapsed_s ? age_s - elapsed_s : elapsed_s - age_s;
    if (step_s > CLOCK_STEP_SECONDS || elapsed_s >= MAX_AGE_SECONDS || now_s >= session->not_after_s) drop(session);
  }
}

static struct tls_session *find(struct tls_context *context, const uint8_t binding[TLS_BINDING_BYTES]) {
  for (size_t i = 0; i < TLS_SESSION_ENTRIES; i++) {
    struct tls_session *session = &context->sessions[i];
    if (session->blob != NULL && memcmp(session->binding, binding, TLS_BINDING_BYTES) == 0) return session;
  }
  return NULL;
}

static psa_status_t hash_chain(psa_hash_operation_t *hash, const mbedtls_x509_crt *chain) {
  for (const mbedtls_x509_crt *certificate = chain; certificate != NULL; certificate = certificate->next) {
    const mbedtls_x509_buf *raw = &certificate->raw;
    if (raw->p == NULL) continue;
    const uint8_t length[4] = {(uint8_t)(raw->len >> 24), (uint8_t)(raw->len >> 16), (uint8_t)(raw->len >> 8), (uint8_t)raw->len};
    psa_status_t status = psa_hash_update(hash, length, sizeof length);
    if (status == PSA_SUCCESS) status = psa_hash_update(hash, raw->p, raw->len);
    if (status != PSA_SUCCESS) return status;
  }
  return psa_hash_update(hash, (const uint8_t[4]){0}, 4);
}

/* SHA-256 of host, roots and client chain, each with its length. Without it nothing is resumed. */
void tls_session_bind(struct tls *tls) {
  psa_hash_operation_t hash = PSA_HASH_OPERATION_INIT;
  size_t length = 0;
  psa_status_t status = psa_hash_setup(&hash, PSA_ALG_SHA_256);
  if (status == PSA_SUCCESS) status = psa_hash_update(&hash, (const uint8_t *)tls->host, strlen(tls->host) + 1);
  if (status == PSA_SUCCESS) status = hash_chain(&hash, &tls->roots);
  if (status == PSA_SUCCESS) status = hash_chain(&hash, &tls->certificates);
  if (status == PSA_SUCCESS) status = psa_hash_finish(&hash, tls->binding, sizeof tls->binding, &length);
  if (status != PSA_SUCCESS) tls->resume = false;
  (void)psa_hash_abort(&hash);
}

bool tls_session_offer(struct tls *tls) {
  drop_stale(tls->context);
  if (!tls->resume) return false;
  struct tls_session *session = find(tls->context, tls->binding);
  if (session == NULL) return false;
  bool offered = false;
  mbedtls_ssl_session loaded;
  mbedtls_ssl_session_init(&loaded);
  if (mbedtls_ssl_session_load(&loaded, session->blob, session->length) == 0 && mbedtls_ssl_set_session(&tls->ssl, &loaded) == 0) {
    offered = true;
    session->last_use = ++tls->context->uses;
    tls->verified_at_s = session->verified_at_s;
    tls->verified_at_monotonic_ms = session->verified_at_monotonic_ms;
    tls->verification.not_after_s = session->not_after_s;
  } else {
    drop(session);
  }
  mbedtls_ssl_session_free(&loaded);
  return offered;
}

static struct tls_session *place_for(struct tls *tls) {
  struct tls_session *place = find(tls->context, tls->binding);
  for (size_t i = 0; place == NULL && i < TLS_SESSION_ENTRIES; i++) {
    if (tls->context->sessions[i].blob == NULL) place = &tls->context->sessions[i];
  }
  if (place == NULL) {
    place = &tls->context->sessions[0];
    for (size_t i = 1; i < TLS_SESSION_ENTRIES; i++) {
      if (tls->context->sessions[i].last_use < place->last_use) place = &tls->context->sessions[i];
    }
  }
  drop(place);
  return place;
}

static uint8_t *save_session(const struct tls *tls, size_t *length) {
  uint8_t *blob = NULL;
  mbedtls_ssl_session session;
  mbedtls_ssl_session_init(&session);
  if (mbedtls_ssl_get_session(&tls->ssl, &session) != 0) goto out;
  (void)mbedtls_ssl_session_save(&session, NULL, 0, length);
  if (*length == 0 || *length > MAX_SESSION_BYTES) goto out;
  blob = malloc(*length);
  if (blob == NULL) goto out;
  if (mbedtls_ssl_session_save(&session, blob, *length, length) != 0) {
    mbedtls_platform_zeroize(blob, *length);
    free(blob);
    blob = NULL;
  }
out:
  mbedtls_ssl_session_free(&session);
  return blob;
}

void tls_session_verified(struct tls *tls) {
  tls->verified_at_s = (int64_t)time(NULL);
  tls->verified_at_monotonic_ms = monotonic_ms();
}

void tls_session_keep(struct tls *tls) {
  if (!tls->resume) return;
  size_t length = 0;
  uint8_t *blob = save_session(tls, &length);
  if (blob == NULL) return;
  struct tls_session *place = place_for(tls);
  memcpy(place->binding, tls->binding, TLS_BINDING_BYTES);
  place->blob = blob;
  place->length = length;
  place->verified_at_s = tls->verified_at_s;
  place->verified_at_monotonic_ms = tls->verified_at_monotonic_ms;
  place->not_after_s = tls->verification.not_after_s;
  place->last_use = ++tls->context->uses;
}

void tls_session_forget(struct tls *tls) {
  struct tls_session *session = find(tls->context, tls->binding);
  if (session != NULL) drop(session);
}
