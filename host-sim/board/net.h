/*
 * What the socket classes want of the world. Two of them: real sockets (net-real.c) and the driver's frames (net-driven.c).
 * A backend calls no JavaScript: it answers with the functions below, and sockets_step delivers.
 */
#ifndef BOARD_NET_H
#define BOARD_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "board.h"

struct tcp_socket;
struct udp_socket;

struct net {
  /* Begins to connect. */
  void (*tcp_open)(struct board *board, struct tcp_socket *socket, const char *address, uint16_t port);
  /* Takes a prefix of `bytes`; returns its length. */
  size_t (*tcp_send)(struct board *board, struct tcp_socket *socket, const uint8_t *bytes, size_t length);
  /* Gives what has come, `room` bytes at most; calls tcp_failed at the end of the stream. */
  size_t (*tcp_receive)(struct board *board, struct tcp_socket *socket, uint8_t *bytes, size_t room);
  void (*tcp_close)(struct board *board, struct tcp_socket *socket);
  bool (*udp_open)(struct board *board, struct udp_socket *socket, uint16_t port);
  void (*udp_send)(struct board *board, struct udp_socket *socket, const uint8_t address[4], uint16_t port,
    const uint8_t *bytes, size_t length);
  void (*udp_close)(struct board *board, struct udp_socket *socket);
  /* Answered by resolver_answer. */
  void (*resolve)(struct board *board, uint32_t id, const char *name);
};

extern const struct net net_real;
extern const struct net net_driven;

/* Moves bytes and calls back what there is to tell; false when there was nothing. */
bool sockets_step(struct board *board);

#endif
