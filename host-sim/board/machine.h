/*
 * The XS machines of the board, in plain C: a root, where built-ins, natives and the preloaded modules live as they do in
 * the chip's flash, and its clone, whose heap is the chip's RAM. `void *` stands for xsMachine and txMachine alike: the two
 * header worlds of XS cannot meet in one file.
 */
#ifndef BOARD_MACHINE_H
#define BOARD_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The creation block of a Moddable manifest. */
struct creation {
  int32_t chunk_bytes, chunk_increment_bytes;
  int32_t heap_slots, heap_increment_slots;
  int32_t stack_slots;
  int32_t keys, keys_increment;
};

struct machines {
  void *root;
  void *clone;
  void *main_script;
};

struct heap_figures {
  uint32_t slots, slot_bytes, chunk_bytes;
  uint32_t peak_slots, peak_chunk_bytes;
  uint32_t reserved_bytes;
  uint32_t stack_peak_slots;
  uint32_t keys, aliases;
  uint32_t garbage_collections;
  uint32_t compute_units;
};

/* Exit codes: 10 plus the abort status of XS. */
#define EXIT_BASE 10

/* How much slots, chunks and stack of the clone together may take: what a classic ESP32 has left for the heap, about. */
#define MEMORY_LIMIT_BYTES_32 (300 * 1024)
#define MEMORY_LIMIT_BYTES_64 (2 * MEMORY_LIMIT_BYTES_32)

/*
 * Evaluates the script of file `preload_path` in the root, freezes everything there, and clones it; `main_path` is parsed
 * too, so that its code lies outside of the clone's heap. `context` is what xsGetContext gives. Ends the program when a
 * script cannot be read or parsed.
 */
void machines_start(struct machines *machines, const struct creation *creation, const char *preload_path,
  const char *main_path, void *context);
void machines_run_main(struct machines *machines);
void machines_delete(struct machines *machines);

/* Runs promise jobs until there are none; ends the program at a rejection that nobody handled. */
void machine_run_jobs(void *machine);

/* After one garbage collection; the peaks are those since the last `machine_measure`. */
struct heap_figures machine_measure(void *machine);
uint32_t machine_compute_units(void *machine);

/* What ends the board: an uncaught exception and the aborts of XS. Does not return. */
void machine_abort(void *machine, int status) __attribute__((noreturn));

/* From natives.c: defines `hostModules` on the global object of the root. */
void natives_install(void *root);

#endif
