/* The board: what its parts share. One board a process; natives reach it by `board_of(the)`. */
#ifndef BOARD_H
#define BOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "machine.h"
#include "options.h"

struct driver;
struct flash;
struct js_timer;
struct key_file;
struct net;
struct resolver;
struct settings;
struct stop_handler;
struct tcp_socket;
struct udp_socket;

struct board {
  struct options options;
  struct machines machines;
  const struct net *net;
  struct driver *driver; /* NULL: real time, real sockets */
  struct flash *flash;
  struct settings *settings;
  struct key_file *keys;
  struct js_timer *timers;
  struct tcp_socket *tcp_sockets;
  struct udp_socket *udp_sockets;
  struct resolver *resolvers;
  struct stop_handler *stop_handler;
  uint32_t last_id; /* of sockets and resolutions */
  uint64_t random_state;
  bool stop_requested;
  bool exiting;
  int exit_code;
};

/* `the` is an xsMachine. */
#define board_of(the) ((struct board *)xsGetContext(the))

/* The path of a file of the device's folder, in a static buffer. */
const char *board_device_file(const struct board *board, const char *name);

/* Calls `onStop`; the board ends at once when there is none, or at the second request. */
void board_stop(struct board *board);

#endif
