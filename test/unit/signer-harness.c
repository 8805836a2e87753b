/*
 * Runs firmware/native/signer.c over the board's key file: `signer-harness KEYS.BIN`. Reads commands from stdin, one a line, writes one
 * line of JSON for each. Texts and bytes are in hex.
 *
 *   sign SLOT SECONDS RESOURCE | derive FROM INTO LABEL | erase SLOT | backend SLOT | private SLOT
 *   hmac KEY MESSAGE | wall SECONDS
 *   plant MASKED | scan MASKED: bytes that are searched in the memory of this process, each xor MASK so that the search finds no copy of
 *   its own
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "key-file.h"
#include "signer.h"

#define MASK 0x5Au
#define MAX_BYTES 70000u

time_t __real_time(time_t *result);
time_t __wrap_time(time_t *result);

static int64_t wall_offset_s;

time_t __wrap_time(time_t *result) {
  const time_t now = __real_time(NULL) + (time_t)wall_offset_s;
  if (result != NULL) *result = now;
  return now;
}

static size_t from_hex(const char *text, uint8_t *out) {
  size_t length = 0;
  for (unsigned value; text != NULL && length < MAX_BYTES && sscanf(text, "%2x", &value) == 1; text += 2) out[length++] = (uint8_t)value;
  out[length] = 0;
  return length;
}

static void print_error(enum signer_error error) {
  printf("{\"ok\":%s,\"code\":\"%s\"}\n", error == SIGNER_OK ? "true" : "false", signer_error_code(error));
}

static void print_bytes(enum signer_error error, const uint8_t *bytes, size_t length) {
  if (error != SIGNER_OK) {
    print_error(error);
    return;
  }
  printf("{\"ok\":true,\"hex\":\"");
  for (size_t i = 0; i < length; i++) printf("%02x", bytes[i]);
  puts("\"}");
}

__attribute__((no_sanitize("address"))) static size_t count_in(const uint8_t *start, size_t size, const uint8_t *masked, size_t length) {
  size_t count = 0;
  for (size_t at = 0; at + length <= size; at++) {
    size_t i = 0;
    while (i < length && (start[at + i] ^ MASK) == masked[i]) i++;
    if (i == length) count++;
  }
  return count;
}

/* Every writable mapping: heap, stack, data. */
__attribute__((no_sanitize("address"))) static size_t scan(const uint8_t *masked, size_t length) {
  char line[512];
  size_t count = 0;
  FILE *maps = fopen("/proc/self/maps", "r");
  if (maps == NULL) return 0;
  while (fgets(line, sizeof line, maps) != NULL) {
    unsigned long from;
    unsigned long to;
    char access[8];
    if (sscanf(line, "%lx-%lx %7s", &from, &to, access) != 3) continue;
    if (access[0] == 'r' && access[1] == 'w') count += count_in((const uint8_t *)from, to - from, masked, length);
  }
  fclose(maps);
  return count;
}

static void run(struct signer *signer, char *line) {
  static uint8_t first[MAX_BYTES + 1];
  static uint8_t second[MAX_BYTES + 1];
  char *rest = NULL;
  const char *command = strtok_r(line, " \n", &rest);
  const char *a = strtok_r(NULL, " \n", &rest);
  const char *b = strtok_r(NULL, " \n", &rest);
  const char *c = strtok_r(NULL, " \n", &rest);
  if (command == NULL) return;
  const unsigned slot = a == NULL ? 0 : (unsigned)strtoul(a, NULL, 10);
  if (strcmp(command, "sign") == 0) {
    char signature[SIGNER_SIGNATURE_BYTES] = "";
    (void)from_hex(c, first);
    const enum signer_error error = signer_sign_sas(signer, slot, (char *)first, strtoll(b, NULL, 10), signature);
    if (error == SIGNER_OK) printf("{\"ok\":true,\"signature\":\"%s\",\"units\":%u}\n", signature, signer_take_units(signer));
    else print_error(error);
  } else if (strcmp(command, "derive") == 0) {
    (void)from_hex(c, first);
    print_error(signer_derive(signer, slot, (char *)first, (unsigned)strtoul(b, NULL, 10)));
  } else if (strcmp(command, "erase") == 0) {
    print_error(signer_erase(signer, slot));
  } else if (strcmp(command, "backend") == 0) {
    const char *backend = signer_backend(signer, slot);
    if (backend == NULL) puts("{\"backend\":null}");
    else printf("{\"backend\":\"%s\"}\n", backend);
  } else if (strcmp(command, "private") == 0) {
    uint8_t der[PRIVATE_KEY_MAX_BYTES];
    size_t length = 0;
    const enum signer_error error = signer_read_private_key(signer, slot, der, sizeof der, &length);
    print_bytes(error, der, length);
  } else if (strcmp(command, "hmac") == 0) {
    uint8_t out[32];
    const bool has_message = b != NULL;
    const size_t key_length = from_hex(a, first);
    const size_t length = has_message ? from_hex(b, second) : 0;
    const enum signer_error error = signer_test_hmac(first, key_length, second, length, out);
    print_bytes(error, out, sizeof out);
  } else if (strcmp(command, "wall") == 0) {
    wall_offset_s += strtoll(a, NULL, 10);
    puts("{\"ok\":true}");
  } else if (strcmp(command, "plant") == 0) {
    const size_t length = from_hex(a, first);
    uint8_t *planted = malloc(length); /* for the life of the process */
    for (size_t i = 0; planted != NULL && i < length; i++) planted[i] = first[i] ^ MASK;
    printf("{\"ok\":true,\"at\":\"%p\"}\n", (void *)planted);
  } else if (strcmp(command, "scan") == 0) {
    const size_t length = from_hex(a, first);
    printf("{\"count\":%zu}\n", scan(first, length));
  }
}

int main(int argc, char **argv) {
  static char line[4 * MAX_BYTES];
  static struct key_file file;
  static struct signer signer;
  if (argc != 2 || !key_file_init(&file, argv[1])) return 2;
  signer_init(&signer, &file.store);
  setvbuf(stdout, NULL, _IOLBF, 0);
  while (fgets(line, sizeof line, stdin) != NULL) run(&signer, line);
  signer_clear(&signer);
  return 0;
}
