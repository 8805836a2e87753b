/*
 * Fuzz target: bytes of a server into the TLS client. The first byte says how many bytes are fed at a time (0: all), the rest is the
 * stream.
 *
 * Randomness and time stand still (linked with --wrap), so that a recorded handshake of this client is accepted again, to its end: the
 * corpus (test/fuzz/record-tls.ts makes it) starts there, and mutations reach every state.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mbedtls/version.h"
#include "tls.h"
#include "tls-input-root.h"

#define FIXED_TIME_S 1767225600 /* 2026-01-01: inside the validity of the corpus's certificates */
#define LINE "ping\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *fuzz_outcome(void);
unsigned fuzz_library_version(void);
void fuzz_reset_random(void);

time_t __wrap_time(time_t *result);
int __wrap_clock_gettime(clockid_t id, struct timespec *now);
int __wrap_mbedtls_ctr_drbg_random(void *unused, unsigned char *out, size_t length);

static uint64_t random_state;
static const char *outcome = "OK";

void fuzz_reset_random(void) {
  random_state = 0x9E3779B97F4A7C15u;
}

int __wrap_mbedtls_ctr_drbg_random(void *unused, unsigned char *out, size_t length) {
  (void)unused;
  for (size_t i = 0; i < length; i++) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    out[i] = (unsigned char)(random_state >> 56);
  }
  return 0;
}

time_t __wrap_time(time_t *result) {
  if (result != NULL) *result = FIXED_TIME_S;
  return FIXED_TIME_S;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *now) {
  (void)id;
  *now = (struct timespec){.tv_sec = FIXED_TIME_S};
  return 0;
}

const char *fuzz_outcome(void) {
  return outcome;
}

unsigned fuzz_library_version(void) {
  return MBEDTLS_VERSION_NUMBER;
}

static void check(bool holds) {
  if (!holds) abort();
}

static void take_all(struct tls *tls) {
  uint8_t out[700];
  while (tls_output_length(tls) > 0) check(tls_take(tls, out, sizeof out) > 0);
}

/* As a caller does after each piece. */
static enum tls_error step(struct tls *tls, size_t *sent) {
  bool done = false;
  bool closed = false;
  size_t available = 0;
  enum tls_error error = tls_handshake(tls, &done);
  if (error == TLS_OK && done && *sent < strlen(LINE)) {
    size_t written = 0;
    error = tls_write(tls, (const uint8_t *)LINE + *sent, strlen(LINE) - *sent, &written);
    *sent += written;
  }
  if (error == TLS_OK && !done) {
    check(tls_poll(tls, &available, &closed) == TLS_OK && available == 0 && !closed);
    outcome = "HANDSHAKE";
  }
  for (bool more = done; error == TLS_OK && more;) {
    uint8_t plain[300];
    error = tls_poll(tls, &available, &closed);
    const size_t count = error == TLS_OK ? tls_read(tls, plain, sizeof plain) : 0;
    check(count <= available && (count > 0) == (error == TLS_OK && available > 0));
    more = count > 0;
    if (error == TLS_OK) outcome = closed ? "CLOSED" : "UP";
  }
  take_all(tls);
  return error;
}

static void check_failure(struct tls *tls, enum tls_error error) {
  bool done = false;
  bool closed = false;
  size_t count = 0;
  const struct tls_failure *failure = tls_get_failure(tls);
  outcome = tls_error_code(error);
  check(failure->error == error && failure->text[0] != '\0' && strlen(failure->text) < sizeof failure->text);
  check(strncmp(outcome, "ERR_TLS_", 8) == 0 && error != TLS_MEMORY && error != TLS_CONFIG && error != TLS_SELF_TEST);
  check(tls_handshake(tls, &done) == error && !done);
  check(tls_write(tls, (const uint8_t *)LINE, 1, &count) == error && count == 0);
  check(tls_feed(tls, (const uint8_t *)LINE, 1) == error && tls_end(tls) == error);
  if (tls_poll(tls, &count, &closed) != error) check(closed);
  take_all(tls);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct tls_context *context;
  if (size == 0) return 0; /* libFuzzer's first call, which it does not count */
  fuzz_reset_random();
  if (context == NULL) context = tls_context_create();
  const size_t chunk = data[0] == 0 ? size : data[0];
  fuzz_reset_random();
  struct tls *tls = tls_create(context);
  check(tls_set_host(tls, TLS_INPUT_HOST) == TLS_OK);
  check(tls_add_root(tls, tls_input_root, sizeof tls_input_root) == TLS_OK);
  check(tls_start(tls) == TLS_OK);
  size_t sent = 0;
  enum tls_error error = step(tls, &sent);
  for (size_t at = 1; at < size && error == TLS_OK; at += chunk) {
    const size_t length = size - at < chunk ? size - at : chunk;
    error = tls_feed(tls, data + at, length);
    if (error == TLS_OK) error = step(tls, &sent);
  }
  if (error != TLS_OK) check_failure(tls, error);
  else (void)tls_end(tls);
  tls_destroy(tls);
  tls_drop_sessions(context);
  return 0;
}
