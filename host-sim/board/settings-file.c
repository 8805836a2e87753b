#include "settings-file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base64.h"
#include "heap.h"

#define MAX_PATH_BYTES 4096
/* Two names, a type and a value of the largest size in base64. */
#define MAX_LINE_BYTES 8192

struct settings {
  char path[MAX_PATH_BYTES];
  struct setting *first;
};

static struct setting *make(const char *domain, const char *key, char type, const void *bytes, size_t count) {
  struct setting *setting = board_alloc(sizeof *setting + count + 1);
  snprintf(setting->domain, sizeof setting->domain, "%s", domain);
  snprintf(setting->key, sizeof setting->key, "%s", key);
  setting->type = type;
  setting->count = count;
  if (count > 0) memcpy(setting->bytes, bytes, count);
  return setting;
}

static bool is_name(const char *name) {
  return name != NULL && *name != 0 && strlen(name) <= SETTINGS_MAX_NAME_BYTES;
}

/* Takes the line apart; NULL when it is no entry. */
static struct setting *parse_line(char *line) {
  uint8_t bytes[MAX_LINE_BYTES];
  char *rest = line;
  const char *domain = strsep(&rest, "\t");
  const char *key = strsep(&rest, "\t");
  const char *type = strsep(&rest, "\t");
  const char *value = rest;
  if (!is_name(domain) || !is_name(key) || value == NULL || (strcmp(type, "s") != 0 && strcmp(type, "b") != 0)) return NULL;
  const long count = base64_decode(value, strlen(value), bytes);
  if (count < 0 || count > SETTINGS_MAX_VALUE_BYTES) return NULL;
  return make(domain, key, *type, bytes, (size_t)count);
}

static void load(struct settings *settings, FILE *file) {
  char line[MAX_LINE_BYTES];
  struct setting **last = &settings->first;
  for (int number = 1; fgets(line, sizeof line, file) != NULL; number++) {
    char *end = strchr(line, '\n');
    if (end != NULL) *end = 0;
    struct setting *setting = end == NULL ? NULL : parse_line(line);
    if (setting == NULL) {
      fprintf(stderr, "board: %s: line %d is no entry (domain, key, s or b, base64; separated by tabs)\n", settings->path, number);
      exit(EXIT_FAILURE);
    }
    *last = setting;
    last = &setting->next;
  }
}

struct settings *settings_open(const char *path) {
  struct settings *settings = board_alloc(sizeof *settings);
  snprintf(settings->path, sizeof settings->path, "%s", path);
  FILE *file = fopen(path, "r");
  if (file != NULL) {
    load(settings, file);
    fclose(file);
  }
  else if (errno != ENOENT) {
    fprintf(stderr, "board: %s: %s\n", path, strerror(errno));
    exit(EXIT_FAILURE);
  }
  return settings;
}

static void free_list(struct setting *setting) {
  while (setting != NULL) {
    struct setting *next = setting->next;
    board_free(setting);
    setting = next;
  }
}

void settings_close(struct settings *settings) {
  free_list(settings->first);
  board_free(settings);
}

bool settings_has_domain(const struct settings *settings, const char *domain) {
  for (const struct setting *setting = settings->first; setting != NULL; setting = setting->next) {
    if (strcmp(setting->domain, domain) == 0) return true;
  }
  return false;
}

/* The link that points to the entry, or to the end of the list. */
static struct setting **find_link(struct settings *settings, const char *domain, const char *key) {
  struct setting **link = &settings->first;
  while (*link != NULL && (strcmp((*link)->domain, domain) != 0 || strcmp((*link)->key, key) != 0)) link = &(*link)->next;
  return link;
}

const struct setting *settings_find(const struct settings *settings, const char *domain, const char *key) {
  return *find_link((struct settings *)settings, domain, key);
}

static bool store(const struct settings *settings) {
  char temporary[MAX_PATH_BYTES + 4];
  snprintf(temporary, sizeof temporary, "%s.new", settings->path);
  FILE *file = fopen(temporary, "w");
  if (file == NULL) return false;
  for (const struct setting *setting = settings->first; setting != NULL; setting = setting->next) {
    fprintf(file, "%s\t%s\t%c\t", setting->domain, setting->key, setting->type);
    base64_write(file, setting->bytes, setting->count);
    fputc('\n', file);
  }
  bool good = fflush(file) == 0 && fsync(fileno(file)) == 0;
  good = fclose(file) == 0 && good;
  good = good && rename(temporary, settings->path) == 0;
  if (!good) unlink(temporary);
  return good;
}

/* Puts `replacement` (or nothing) in the place of what `link` points to, and stores; takes it back when that fails. */
static bool replace(struct settings *settings, struct setting **link, struct setting *replacement) {
  struct setting *former = *link;
  struct setting *rest = former == NULL ? NULL : former->next;
  if (replacement != NULL) replacement->next = rest;
  *link = replacement == NULL ? rest : replacement;
  const bool stored = store(settings);
  if (!stored) *link = former;
  board_free(stored ? former : replacement);
  return stored;
}

bool settings_write(struct settings *settings, const char *domain, const char *key, char type, const void *bytes, size_t count) {
  return replace(settings, find_link(settings, domain, key), make(domain, key, type, bytes, count));
}

bool settings_delete(struct settings *settings, const char *domain, const char *key, bool *existed) {
  struct setting **link = find_link(settings, domain, key);
  *existed = *link != NULL;
  return !*existed || replace(settings, link, NULL);
}
