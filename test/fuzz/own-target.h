/*
 * What every fuzz target of our own C shares: the outcome that the driver counts, and a check that ends the process. There is no library
 * under test whose version and randomness would matter. Included once by each target.
 */
#ifndef LATCHKEY_FUZZ_OWN_TARGET_H
#define LATCHKEY_FUZZ_OWN_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *fuzz_outcome(void);
unsigned fuzz_library_version(void);
void fuzz_reset_random(void);

/* Of the last input: `OK`, or a stable code. */
static const char *outcome = "OK";

const char *fuzz_outcome(void) {
  return outcome;
}

unsigned fuzz_library_version(void) {
  return 0;
}

void fuzz_reset_random(void) {}

static void check(bool holds) {
  if (!holds) abort();
}

#endif
