/* A UDP socket with the short receive queue of lwIP. The header world of xsmc.h. */
#ifndef BOARD_UDP_SOCKET_H
#define BOARD_UDP_SOCKET_H

#include "net.h"
#include "xsmc.h"

/* CONFIG_LWIP_UDP_RECVMBOX_SIZE of ESP-IDF; what comes above it is lost, as is a datagram above the MTU. */
#define UDP_QUEUE_DATAGRAMS 6
#define UDP_MAX_BYTES 1472

struct datagram {
  uint8_t address[4];
  uint16_t port;
  size_t count;
  uint8_t bytes[UDP_MAX_BYTES];
};

struct udp_socket {
  struct udp_socket *next;
  struct board *board;
  uint32_t id;
  xsSlot self;
  xsSlot *on_readable, *on_error;
  bool closed;
  bool arrived; /* since the last onReadable */
  struct datagram queue[UDP_QUEUE_DATAGRAMS];
  size_t first, count;
  int fd; /* the backend's */
};

struct udp_socket *udp_find(struct board *board, uint32_t id);
/* From the backend. */
void udp_arrived(struct udp_socket *socket, const uint8_t address[4], uint16_t port, const uint8_t *bytes, size_t count);

bool udp_step(struct board *board);

#endif
