#include "options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char usage[] =
  "usage: board --preload FILE --main FILE --device DIR --creation chunk=I+N,heap=I+N,stack=N,keys=I+N\n"
  "             [--seed N] [--wall UNIX_MS] [--hosts NAME=ADDRESS]... [--driver-fd FD] [--dump FILE]\n"
  "             [--cut-at N --cut-seed N]\n";

static void fail(const char *option, const char *value) __attribute__((noreturn));
static void fail(const char *option, const char *value) {
  fprintf(stderr, "board: %s%s%s\n%s", option, value == NULL ? "" : ": not understood: ", value == NULL ? "" : value, usage);
  exit(EXIT_USAGE);
}

static uint64_t parse_number(const char *option, const char *text) {
  char *end;
  errno = 0;
  const unsigned long long value = strtoull(text, &end, 10);
  if (errno != 0 || end == text || *end != 0 || *text == '-') fail(option, text);
  return value;
}

static void parse_creation(struct creation *creation, const char *text) {
  int end = 0;
  const int read = sscanf(text, "chunk=%d+%d,heap=%d+%d,stack=%d,keys=%d+%d%n", &creation->chunk_bytes,
    &creation->chunk_increment_bytes, &creation->heap_slots, &creation->heap_increment_slots, &creation->stack_slots,
    &creation->keys, &creation->keys_increment, &end);
  const bool negative = creation->chunk_increment_bytes < 0 || creation->heap_increment_slots < 0 || creation->keys < 0 ||
    creation->keys_increment < 0;
  if (read != 7 || text[end] != 0 || negative || creation->chunk_bytes < 256 || creation->heap_slots < 16 ||
      creation->stack_slots < 64) {
    fail("--creation", text);
  }
}

static void parse_host(struct options *options, const char *text) {
  struct in_addr parsed;
  const char *equals = strchr(text, '=');
  if (equals == NULL || equals == text || inet_pton(AF_INET, equals + 1, &parsed) != 1) fail("--hosts", text);
  if (options->host_count == MAX_HOSTS) fail("--hosts: too many", NULL);
  options->hosts[options->host_count++] =
    (struct host_entry){ .name = text, .name_bytes = (size_t)(equals - text), .address = equals + 1 };
}

void options_parse(struct options *options, int count, char **arguments) {
  bool has_creation = false;
  *options = (struct options){ .wall_ms = -1, .driver_fd = -1 };
  for (int index = 1; index < count; index += 2) {
    const char *option = arguments[index];
    const char *value = arguments[index + 1];
    if (index + 1 == count) fail(option, "(no value)");
    if (strcmp(option, "--preload") == 0) options->preload = value;
    else if (strcmp(option, "--main") == 0) options->main = value;
    else if (strcmp(option, "--device") == 0) options->device = value;
    else if (strcmp(option, "--dump") == 0) options->dump = value;
    else if (strcmp(option, "--hosts") == 0) parse_host(options, value);
    else if (strcmp(option, "--wall") == 0) options->wall_ms = (double)parse_number(option, value);
    else if (strcmp(option, "--driver-fd") == 0) options->driver_fd = (int)parse_number(option, value);
    else if (strcmp(option, "--cut-at") == 0) options->cut_at = (uint32_t)parse_number(option, value);
    else if (strcmp(option, "--cut-seed") == 0) options->cut_seed = parse_number(option, value);
    else if (strcmp(option, "--seed") == 0) {
      options->has_seed = true;
      options->seed = parse_number(option, value);
    }
    else if (strcmp(option, "--creation") == 0) {
      has_creation = true;
      parse_creation(&options->creation, value);
    }
    else fail("unknown option", option);
  }
  if (options->preload == NULL) fail("--preload is missing", NULL);
  if (options->main == NULL) fail("--main is missing", NULL);
  if (options->device == NULL) fail("--device is missing", NULL);
  if (!has_creation) fail("--creation is missing", NULL);
}

const char *options_host(const struct options *options, const char *name) {
  for (int index = 0; index < options->host_count; index++) {
    const struct host_entry *host = &options->hosts[index];
    if (strlen(name) == host->name_bytes && strncasecmp(name, host->name, host->name_bytes) == 0) return host->address;
  }
  return NULL;
}
