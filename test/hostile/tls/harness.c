/*
 * Runs firmware/native/tls.c against real peers: reads commands from stdin, one a line, writes one line of JSON for each.
 *
 *   connect port=N host=NAME root=FILE… [cert=FILE… key=FILE] [resume=0] [chunk=N] [send=TEXT] [expect=N] [timeout=MS] [repeat=N]
 *   drop-sessions | self-test | wall SECONDS | monotonic SECONDS | heap (where it is counted)
 *
 * `chunk` feeds at most so many bytes at a time; `expect` reads so many bytes of plaintext before the end; `repeat` connects again and
 * again and tells of the last one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness-clock.h"
#ifdef HARNESS_COUNTS_HEAP
  #include "harness-heap.h"
#endif
#include "tls.h"

#define MAX_FILES 20u
#define MAX_LINE_BYTES 4096u
#define READ_BYTES 4096u
#define DEFAULT_TIMEOUT_MS 20000

struct plan {
  const char *host;
  const char *roots[MAX_FILES];
  unsigned root_count;
  const char *certificates[MAX_FILES];
  unsigned certificate_count;
  const char *key;
  char send[256]; /* a line */
  int port;
  int timeout_ms;
  int repeat;
  size_t chunk;
  size_t expect;
  bool resume;
};

struct outcome {
  const char *code; /* NULL: up */
  struct tls_failure failure;
  struct tls_info info;
  size_t sent;
  size_t received;
  uint32_t checksum; /* of the plaintext: sum of bytes */
  uint32_t units;
  bool closed;
};

static uint8_t *read_file(const char *path, size_t *length) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    perror(path);
    exit(2);
  }
  uint8_t *bytes = malloc(65536);
  *length = fread(bytes, 1, 65536, file);
  fclose(file);
  return bytes;
}

static enum tls_error add_file(struct tls *tls, const char *path, enum tls_error (*add)(struct tls *, const uint8_t *, size_t)) {
  size_t length;
  uint8_t *bytes = read_file(path, &length);
  const enum tls_error error = add(tls, bytes, length);
  free(bytes);
  return error;
}

static enum tls_error configure(struct tls *tls, const struct plan *plan) {
  enum tls_error error = tls_set_host(tls, plan->host);
  for (unsigned i = 0; error == TLS_OK && i < plan->root_count; i++) error = add_file(tls, plan->roots[i], tls_add_root);
  for (unsigned i = 0; error == TLS_OK && i < plan->certificate_count; i++) {
    error = add_file(tls, plan->certificates[i], tls_add_certificate);
  }
  if (error == TLS_OK && plan->key != NULL) error = add_file(tls, plan->key, tls_set_private_key);
  tls_set_resume(tls, plan->resume);
  return error == TLS_OK ? tls_start(tls) : error;
}

static int open_socket(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  if (fd >= 0) (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  perror("connect");
  exit(2);
}

static bool flush(int fd, struct tls *tls) {
  uint8_t bytes[READ_BYTES];
  size_t length;
  while ((length = tls_take(tls, bytes, sizeof bytes)) > 0) {
    for (size_t at = 0; at < length;) {
      const ssize_t count = send(fd, bytes + at, length - at, MSG_NOSIGNAL);
      if (count <= 0) return false;
      at += (size_t)count;
    }
  }
  return true;
}

/* Waits for bytes and feeds them; 0 at the peer's end, -1 when time is up. */
static int feed_some(int fd, struct tls *tls, const struct plan *plan, enum tls_error *error) {
  uint8_t bytes[READ_BYTES];
  struct pollfd waiting = {.fd = fd, .events = POLLIN};
  if (poll(&waiting, 1, plan->timeout_ms) <= 0) return -1;
  const ssize_t count = recv(fd, bytes, plan->chunk < sizeof bytes ? plan->chunk : sizeof bytes, 0);
  if (count <= 0) return 0;
  *error = tls_feed(tls, bytes, (size_t)count);
  return 1;
}

static enum tls_error exchange(int fd, struct tls *tls, const struct plan *plan, struct outcome *outcome) {
  const size_t to_send = strlen(plan->send);
  bool done = false;
  for (;;) {
    enum tls_error error = TLS_OK;
    size_t available = 1;
    if (!done) error = tls_handshake(tls, &done);
    if (error == TLS_OK && done) {
      (void)tls_get_info(tls, &outcome->info);
      size_t written = 0;
      if (outcome->sent < to_send) {
        error = tls_write(tls, (const uint8_t *)plan->send + outcome->sent, to_send - outcome->sent, &written);
        outcome->sent += written;
      }
    }
    while (error == TLS_OK && done && available > 0) {
      uint8_t plain[1000];
      error = tls_poll(tls, &available, &outcome->closed);
      const size_t count = error == TLS_OK ? tls_read(tls, plain, sizeof plain) : 0;
      for (size_t i = 0; i < count; i++) outcome->checksum += plain[i];
      outcome->received += count;
    }
    const bool flushed = flush(fd, tls);
    if (error != TLS_OK) return error;
    if (done && (outcome->closed || (outcome->sent == to_send && outcome->received >= plan->expect))) return TLS_OK;
    const int fed = flushed ? feed_some(fd, tls, plan, &error) : 0;
    if (error != TLS_OK) return error;
    if (fed < 0) outcome->code = "ERR_TLS_TIMEOUT";
    if (fed == 0) outcome->code = "ERR_CLOSED";
    if (fed <= 0) return TLS_OK;
  }
}

static void connect_once(struct tls_context *context, const struct plan *plan, struct outcome *outcome) {
  memset(outcome, 0, sizeof *outcome);
  struct tls *tls = tls_create(context);
  enum tls_error error = configure(tls, plan);
  if (error == TLS_OK) {
    const int fd = open_socket(plan->port);
    error = exchange(fd, tls, plan, outcome);
    (void)tls_end(tls);
    (void)flush(fd, tls);
    close(fd);
  }
  if (error != TLS_OK) {
    outcome->code = tls_error_code(error);
    outcome->failure = *tls_get_failure(tls);
  }
  outcome->units = tls_take_units(tls);
  tls_destroy(tls);
}

static void print_outcome(const struct outcome *outcome) {
  if (outcome->code != NULL) {
    printf("{\"event\":\"tls\",\"ok\":false,\"code\":\"%s\",\"depth\":%d,\"alert\":%d,\"library\":%d,\"text\":\"%s\"}\n", outcome->code,
           outcome->failure.depth, outcome->failure.alert, outcome->failure.library_code, outcome->failure.text);
  } else {
    printf("{\"event\":\"tls\",\"ok\":true,\"version\":\"%s\",\"cipher\":\"%s\",\"resumed\":%s,\"received\":%zu,\"checksum\":%u,"
           "\"closed\":%s,\"units\":%u}\n",
           outcome->info.version, outcome->info.cipher, outcome->info.resumed ? "true" : "false", outcome->received,
           outcome->checksum, outcome->closed ? "true" : "false", outcome->units);
  }
}

static void parse_word(struct plan *plan, char *word) {
  char *value = strchr(word, '=');
  if (value == NULL) return;
  *value++ = '\0';
  if (strcmp(word, "port") == 0) plan->port = atoi(value);
  if (strcmp(word, "host") == 0) plan->host = value;
  if (strcmp(word, "root") == 0 && plan->root_count < MAX_FILES) plan->roots[plan->root_count++] = value;
  if (strcmp(word, "cert") == 0 && plan->certificate_count < MAX_FILES) plan->certificates[plan->certificate_count++] = value;
  if (strcmp(word, "key") == 0) plan->key = value;
  if (strcmp(word, "send") == 0) (void)snprintf(plan->send, sizeof plan->send, "%s\n", value);
  if (strcmp(word, "resume") == 0) plan->resume = atoi(value) != 0;
  if (strcmp(word, "chunk") == 0) plan->chunk = (size_t)atoi(value);
  if (strcmp(word, "expect") == 0) plan->expect = (size_t)atoi(value);
  if (strcmp(word, "timeout") == 0) plan->timeout_ms = atoi(value);
  if (strcmp(word, "repeat") == 0) plan->repeat = atoi(value);
}

static void run(struct tls_context *context, char *line) {
  char *rest = NULL;
  const char *command = strtok_r(line, " \n", &rest);
  if (command == NULL) return;
  if (strcmp(command, "connect") == 0) {
    struct plan plan = {.host = "", .timeout_ms = DEFAULT_TIMEOUT_MS, .repeat = 1, .chunk = READ_BYTES, .resume = true};
    struct outcome outcome = {0};
    for (char *word; (word = strtok_r(NULL, " \n", &rest)) != NULL;) parse_word(&plan, word);
    for (int i = 0; i < plan.repeat; i++) connect_once(context, &plan, &outcome);
    print_outcome(&outcome);
  } else if (strcmp(command, "drop-sessions") == 0) {
    tls_drop_sessions(context);
    puts("{\"event\":\"dropped\"}");
  } else if (strcmp(command, "self-test") == 0) {
    printf("{\"event\":\"self-test\",\"code\":\"%s\"}\n", tls_error_code(tls_self_test(context, NULL)));
#ifdef HARNESS_COUNTS_HEAP
  } else if (strcmp(command, "heap") == 0) {
    printf("{\"event\":\"heap\",\"bytes\":%zu}\n", heap_bytes());
#endif
  } else {
    const char *word = strtok_r(NULL, " \n", &rest);
    const int64_t seconds = word == NULL ? 0 : strtoll(word, NULL, 10);
    if (strcmp(command, "wall") == 0) clock_move_wall(seconds);
    if (strcmp(command, "monotonic") == 0) clock_move_monotonic(seconds);
    puts("{\"event\":\"moved\"}");
  }
}

int main(void) {
  static char line[MAX_LINE_BYTES];
  struct tls_context *context = tls_context_create();
  if (context == NULL) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  while (fgets(line, sizeof line, stdin) != NULL) run(context, line);
  tls_context_free(context);
  return 0;
}
