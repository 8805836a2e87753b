/* The command line (docs/architecture.md, "The board program"). */
#ifndef BOARD_OPTIONS_H
#define BOARD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "machine.h"

#define MAX_HOSTS 64
#define EXIT_USAGE 2

struct host_entry {
  const char *name;
  size_t name_bytes;
  const char *address;
};

struct options {
  const char *preload, *main, *device, *dump;
  struct creation creation;
  bool has_seed;
  uint64_t seed;
  double wall_ms; /* negative: the system's */
  struct host_entry hosts[MAX_HOSTS];
  int host_count;
  int driver_fd; /* -1: none */
  uint32_t cut_at; /* 0: never */
  uint64_t cut_seed;
};

/* Ends the program with EXIT_USAGE and a sentence when the arguments are wrong. */
void options_parse(struct options *options, int count, char **arguments);
/* The address that --hosts gives to `name`, or NULL. */
const char *options_host(const struct options *options, const char *name);

#endif
