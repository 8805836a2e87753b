/*
 * Fuzz target: the key file, and what JavaScript can ask of the signer. Two bytes give the length of the key file; it follows; then a
 * slot, eight bytes of expiry, and text to the end, which is resource and label.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "key-file.h"
#include "own-target.h"
#include "resource.h"
#include "signer.h"

#define MAX_TEXT_BYTES 2000u
#define COMMAND_BYTES 9u

static void write_file(const char *path, const uint8_t *bytes, size_t length) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, bytes, length) != (ssize_t)length) abort();
  close(fd);
}

/* The prefix rule once more, in another way: cut both into segments and compare those. */
static bool is_within(const char *resource, const char *prefix) {
  for (unsigned segment = 0;; segment++) {
    const size_t in_prefix = strcspn(prefix, "/");
    const size_t in_resource = strcspn(resource, "/");
    if (in_prefix != in_resource) return false;
    if (segment == 0 ? strncasecmp(prefix, resource, in_prefix) != 0 : strncmp(prefix, resource, in_prefix) != 0) return false;
    prefix += in_prefix;
    resource += in_resource;
    if (*prefix == '\0') return true;
    if (*resource == '\0') return false;
    prefix++;
    resource++;
  }
}

static void check_signed(const struct key_store *store, unsigned slot, const char *text) {
  char decoded[MAX_TEXT_BYTES];
  struct key_info info = {0};
  check(store->describe(store->self, slot, &info) == KEY_OK && info.kind == KEY_HMAC);
  check(resource_decode(text, decoded, sizeof decoded));
  bool covered = false;
  for (size_t at = 0; at < info.prefixes_length; at += strlen(info.prefixes + at) + 1) {
    covered = covered || (info.prefixes[at] != '\0' && is_within(decoded, info.prefixes + at));
  }
  check(covered);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct key_file file;
  static char path[64];
  static struct signer signer;
  if (path[0] == '\0') {
    (void)snprintf(path, sizeof path, "/tmp/latchkey-fuzz-%ld.bin", (long)getpid());
    check(key_file_init(&file, path));
  }
  if (size < 2 + COMMAND_BYTES) return 0;
  const size_t wanted = (size_t)data[0] << 8 | data[1];
  const size_t room = size - 2 - COMMAND_BYTES;
  const size_t file_length = wanted < room ? wanted : room;
  write_file(path, data + 2, file_length);
  const uint8_t *command = data + 2 + file_length;
  const size_t text_length = room - file_length < MAX_TEXT_BYTES - 1 ? room - file_length : MAX_TEXT_BYTES - 1;
  char text[MAX_TEXT_BYTES] = "";
  memcpy(text, command + COMMAND_BYTES, text_length);
  const unsigned slot = command[0] % (SIGNER_SLOTS + 1);
  int64_t expiry_s;
  memcpy(&expiry_s, command + 1, sizeof expiry_s);

  char signature[SIGNER_SIGNATURE_BYTES] = "";
  signer_init(&signer, &file.store);
  const enum signer_error error = signer_sign_sas(&signer, slot, text, expiry_s, signature);
  outcome = signer_error_code(error);
  check((error == SIGNER_OK) == (strlen(signature) == SIGNER_SIGNATURE_BYTES - 1));
  if (error == SIGNER_OK) check_signed(&file.store, slot, text);
  for (unsigned into = KEY_STORE_SLOTS; into < KEY_STORE_SLOTS + 3; into++) {
    const unsigned from = into == KEY_STORE_SLOTS ? slot : into - 1;
    if (signer_derive(&signer, from, text, into) == SIGNER_OK) check(signer_backend(&signer, into) != NULL);
    if (signer_sign_sas(&signer, into, text, expiry_s, signature) == SIGNER_OK && slot < KEY_STORE_SLOTS) check_signed(&file.store, slot, text);
  }
  uint8_t der[PRIVATE_KEY_MAX_BYTES];
  size_t der_length = 0;
  if (signer_read_private_key(&signer, slot, der, sizeof der, &der_length) == SIGNER_OK) check(der_length <= sizeof der);
  if (signer_erase(&signer, slot) == SIGNER_OK) check(signer_backend(&signer, slot) == NULL);
  signer_clear(&signer);
  (void)unlink(path);
  return 0;
}
