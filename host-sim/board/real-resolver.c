#define _GNU_SOURCE
#include "real-resolver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap.h"
#include "resolver.h"

/* Goes through the pipe in one piece: it is shorter than PIPE_BUF. */
struct answer {
  uint32_t id;
  char address[INET_ADDRSTRLEN];
};

struct question {
  uint32_t id;
  char name[MAX_HOST_NAME_BYTES + 1];
};

static int answers[2] = { -1, -1 };

void real_resolver_start(void) {
  if (pipe2(answers, O_CLOEXEC) != 0) {
    perror("board: pipe");
    exit(EXIT_FAILURE);
  }
}

static void tell(const struct answer *answer) {
  while (write(answers[1], answer, sizeof *answer) < 0 && errno == EINTR) {}
}

static void *ask(void *data) {
  struct question *question = data;
  struct answer answer = { .id = question->id };
  const struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
  struct addrinfo *found = NULL;
  if (getaddrinfo(question->name, NULL, &hints, &found) == 0) {
    const struct sockaddr_in *first = (const struct sockaddr_in *)(const void *)found->ai_addr;
    inet_ntop(AF_INET, &first->sin_addr, answer.address, sizeof answer.address);
    freeaddrinfo(found);
  }
  tell(&answer);
  board_free(question);
  return NULL;
}

void real_resolver_ask(uint32_t id, const char *name) {
  pthread_t thread;
  struct question *question = board_alloc(sizeof *question);
  question->id = id;
  snprintf(question->name, sizeof question->name, "%s", name);
  if (pthread_create(&thread, NULL, ask, question) == 0) {
    pthread_detach(thread);
    return;
  }
  const struct answer none = { .id = id };
  tell(&none);
  board_free(question);
}

int real_resolver_fd(void) {
  return answers[0];
}

void real_resolver_take(struct board *board) {
  struct answer answer;
  if (read(answers[0], &answer, sizeof answer) != (ssize_t)sizeof answer) return;
  resolver_answer(board, answer.id, answer.address[0] == 0 ? NULL : answer.address);
}
