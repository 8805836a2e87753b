/* The client of tls-input.c against a real server: writes what the server sent, as an input of the corpus. `tls-record PORT FILE`. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls-input-root.h"
#include "tls.h"

#define MAX_INPUT_BYTES 65536u
#define QUIET_MS 500
#define LINE "ping\n"

void fuzz_reset_random(void);

static bool step(struct tls *tls, size_t *sent) {
  bool done = false;
  bool closed = false;
  size_t available = 1;
  uint8_t plain[300];
  if (tls_handshake(tls, &done) != TLS_OK) return false;
  if (done && *sent < strlen(LINE)) {
    size_t written = 0;
    if (tls_write(tls, (const uint8_t *)LINE + *sent, strlen(LINE) - *sent, &written) != TLS_OK) return false;
    *sent += written;
  }
  while (done && available > 0) {
    if (tls_poll(tls, &available, &closed) != TLS_OK) return false;
    (void)tls_read(tls, plain, sizeof plain);
  }
  return !closed;
}

static void flush(struct tls *tls, int fd) {
  uint8_t out[4096];
  for (size_t length; (length = tls_take(tls, out, sizeof out)) > 0;) (void)!write(fd, out, length);
}

int main(int argc, char **argv) {
  static uint8_t input[MAX_INPUT_BYTES]; /* its first byte says: fed at once */
  size_t length = 1;
  size_t sent = 0;
  if (argc != 3) return 1;
  fuzz_reset_random();
  struct tls_context *context = tls_context_create();
  if (tls_self_test(context, NULL) != TLS_OK) return 1;
  fuzz_reset_random();
  struct tls *tls = tls_create(context);
  tls_set_host(tls, TLS_INPUT_HOST);
  tls_add_root(tls, tls_input_root, sizeof tls_input_root);
  if (tls_start(tls) != TLS_OK) return 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) return 1;
  for (bool more = step(tls, &sent); more;) {
    flush(tls, fd);
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    if (poll(&waiting, 1, QUIET_MS) <= 0) break;
    const ssize_t count = read(fd, input + length, sizeof input - length > 1024 ? 1024 : sizeof input - length);
    if (count <= 0) break;
    if (tls_feed(tls, input + length, (size_t)count) != TLS_OK) break;
    length += (size_t)count;
    more = step(tls, &sent);
  }
  flush(tls, fd);
  FILE *file = fopen(argv[2], "wb");
  if (file == NULL || fwrite(input, 1, length, file) != length) return 1;
  fclose(file);
  close(fd);
  tls_destroy(tls);
  tls_context_free(context);
  return 0;
}
