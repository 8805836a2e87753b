/*
 * Runs firmware/native/signer.c over chip-keys.c on a fake chip: `chip-keys-harness IMAGE [encrypted]`. One command a line on stdin, one
 * line of JSON for each on stdout. Texts and bytes are in hex.
 *
 *   burn BLOCK PURPOSE FLAGS KEY   FLAGS: any of r (read-protected), w (write-protected), p (purpose locked), - (none)
 *   sign SLOT SECONDS RESOURCE | derive FROM INTO LABEL | erase SLOT | backend SLOT | private SLOT
 *   check | selftest | nvs | guard (what runs before ESP-IDF opens NVS: it prints its line and stops, or lets the start go on) |
 *   open ERROR (the scheduler starts, and NVS answers so) | fail (flash reads fail from now on) | count (calls of the peripheral)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chip-keys.h"
#include "esp_private/startup_internal.h"
#include "esp_rom_sys.h"
#include "fake-chip.h"
#include "signer.h"

#define LINE_BYTES 8192

esp_err_t init_of_latchkey_boot_guard(void);

static jmp_buf stopped;

int esp_rom_printf(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int length = vprintf(format, arguments);
  va_end(arguments);
  return length;
}

/* The guard waits here, for ever. */
void esp_rom_delay_us(uint32_t us) {
  (void)us;
  longjmp(stopped, 1);
}

static size_t from_hex(const char *text, uint8_t *out, size_t capacity) {
  size_t length = 0;
  for (unsigned value; text != NULL && length < capacity && sscanf(text, "%2x", &value) == 1; text += 2) out[length++] = (uint8_t)value;
  return length;
}

static void print_error(enum signer_error error) {
  printf("{\"ok\":%s,\"code\":\"%s\",\"text\":\"%s\"}\n", error == SIGNER_OK ? "true" : "false", signer_error_code(error), signer_error_text(error));
}

static void burn(const char *number, const char *purpose, const char *flags, const char *key) {
  struct fake_block *block = &fake_blocks[strtoul(number, NULL, 10) % 6];
  *block = (struct fake_block){
      .burnt = true,
      .purpose = (unsigned)strtoul(purpose, NULL, 10),
      .read_protected = strchr(flags, 'r') != NULL,
      .write_protected = strchr(flags, 'w') != NULL,
      .purpose_protected = strchr(flags, 'p') != NULL,
  };
  (void)from_hex(key, block->key, sizeof block->key);
  puts("{\"ok\":true}");
}

static void run(struct signer *signer, char *line) {
  uint8_t text[LINE_BYTES / 2 + 1] = {0};
  char *rest = NULL;
  const char *command = strtok_r(line, " \n", &rest);
  const char *word[4];
  for (unsigned i = 0; i < 4; i++) word[i] = strtok_r(NULL, " \n", &rest);
  if (command == NULL) return;
  const unsigned slot = word[0] == NULL ? 0 : (unsigned)strtoul(word[0], NULL, 10);
  if (strcmp(command, "burn") == 0) {
    burn(word[0], word[1], word[2], word[3]);
  } else if (strcmp(command, "sign") == 0) {
    char signature[SIGNER_SIGNATURE_BYTES] = "";
    (void)from_hex(word[2], text, sizeof text - 1);
    const enum signer_error error = signer_sign_sas(signer, slot, (char *)text, strtoll(word[1], NULL, 10), signature);
    if (error == SIGNER_OK) printf("{\"ok\":true,\"signature\":\"%s\"}\n", signature);
    else print_error(error);
  } else if (strcmp(command, "derive") == 0) {
    (void)from_hex(word[2], text, sizeof text - 1);
    print_error(signer_derive(signer, slot, (char *)text, (unsigned)strtoul(word[1], NULL, 10)));
  } else if (strcmp(command, "erase") == 0) {
    print_error(signer_erase(signer, slot));
  } else if (strcmp(command, "private") == 0) {
    uint8_t der[PRIVATE_KEY_MAX_BYTES];
    size_t length = 0;
    const enum signer_error error = signer_read_private_key(signer, slot, der, sizeof der, &length);
    if (error == SIGNER_OK) printf("{\"ok\":true,\"length\":%zu}\n", length);
    else print_error(error);
  } else if (strcmp(command, "backend") == 0) {
    const char *backend = signer_backend(signer, slot);
    printf("{\"backend\":\"%s\"}\n", backend == NULL ? "" : backend);
  } else if (strcmp(command, "check") == 0) {
    print_error(signer_check(signer));
  } else if (strcmp(command, "selftest") == 0) {
    print_error(signer_self_test(signer));
  } else if (strcmp(command, "nvs") == 0) {
    printf("{\"status\":%d}\n", (int)chip_keys_check_nvs());
  } else if (strcmp(command, "guard") == 0) {
    if (setjmp(stopped) == 0) printf("{\"ok\":%s}\n", init_of_latchkey_boot_guard() == ESP_OK ? "true" : "false");
  } else if (strcmp(command, "open") == 0) {
    fake_nvs_error = (int)strtol(word[0], NULL, 0);
    if (setjmp(stopped) == 0) printf("{\"ok\":%s,\"priority\":%u,\"core\":%d}\n", fake_run_task() ? "true" : "false", fake_task_priority, fake_task_core);
  } else if (strcmp(command, "fail") == 0) {
    fake_flash_fails = true;
    puts("{\"ok\":true}");
  } else if (strcmp(command, "count") == 0) {
    printf("{\"count\":%u}\n", fake_hmac_count);
  }
}

int main(int argc, char **argv) {
  static char line[LINE_BYTES];
  static struct signer signer;
  if (argc < 2) return 2;
  (void)fake_load_partition(argv[1], argc > 2);
  signer_init(&signer, chip_keys_open());
  setvbuf(stdout, NULL, _IOLBF, 0);
  while (fgets(line, sizeof line, stdin) != NULL) run(&signer, line);
  signer_clear(&signer);
  return 0;
}
