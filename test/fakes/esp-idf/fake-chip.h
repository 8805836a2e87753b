/* FAKE, for tests: what a test sets before it asks. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct fake_block {
  bool burnt;
  unsigned purpose;
  bool read_protected;
  bool write_protected;
  bool purpose_protected;
  uint8_t key[32];
};

extern struct fake_block fake_blocks[6];
/* Loads the partition `signer` from a file; false: there is none. */
bool fake_load_partition(const char *path, bool encrypted);
/* Reads of the partition fail from now on. */
extern bool fake_flash_fails;
extern unsigned fake_hmac_count;
/* What nvs_flash_init answers. */
extern int fake_nvs_error;
/* Runs the task that was created, as the scheduler would; false: there is none. */
bool fake_run_task(void);
/* Priority and core of that task. */
extern unsigned fake_task_priority;
extern int fake_task_core;
