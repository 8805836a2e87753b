#include "net-driven.h"

#include <arpa/inet.h>
#include <string.h>

#include "resolver.h"
#include "tcp-socket.h"
#include "udp-socket.h"

#define TURN_LIMIT_BYTES (16 * TCP_SEND_WINDOW_BYTES)

struct __attribute__((packed)) tcp_open_head {
  uint32_t id;
  uint16_t port;
};

struct __attribute__((packed)) udp_head {
  uint32_t id;
  uint8_t address[4];
  uint16_t port;
};

static void open_tcp(struct board *board, struct tcp_socket *socket, const char *address, uint16_t port) {
  const struct tcp_open_head head = { .id = socket->id, .port = port };
  driver_send(board->driver, FRAME_TCP_OPEN, &head, sizeof head, address, strlen(address));
}

static size_t send_tcp(struct board *board, struct tcp_socket *socket, const uint8_t *bytes, size_t length) {
  const size_t room = TURN_LIMIT_BYTES - socket->sent_in_turn;
  const size_t count = length < room ? length : room;
  if (count == 0) return 0;
  driver_send(board->driver, FRAME_TCP_WRITE, &socket->id, sizeof socket->id, bytes, count);
  socket->sent_in_turn += count;
  return count;
}

static size_t receive_tcp(struct board *board, struct tcp_socket *socket, uint8_t *bytes, size_t room) {
  (void)board;
  const size_t count = byte_list_take(&socket->backlog, bytes, room);
  if (socket->backlog.count == 0 && socket->backlog_ends) tcp_failed(socket);
  return count;
}

static void close_tcp(struct board *board, struct tcp_socket *socket) {
  driver_send(board->driver, FRAME_TCP_CLOSE, &socket->id, sizeof socket->id, NULL, 0);
}

static bool open_udp(struct board *board, struct udp_socket *socket, uint16_t port) {
  (void)board;
  (void)socket;
  (void)port;
  return true;
}

static void send_udp(struct board *board, struct udp_socket *socket, const uint8_t address[4], uint16_t port,
  const uint8_t *bytes, size_t length) {
  struct udp_head head = { .id = socket->id, .port = port };
  memcpy(head.address, address, sizeof head.address);
  driver_send(board->driver, FRAME_UDP_SEND, &head, sizeof head, bytes, length);
}

static void close_udp(struct board *board, struct udp_socket *socket) {
  driver_send(board->driver, FRAME_UDP_CLOSE, &socket->id, sizeof socket->id, NULL, 0);
}

static void resolve(struct board *board, uint32_t id, const char *name) {
  driver_send(board->driver, FRAME_RESOLVE, &id, sizeof id, name, strlen(name));
}

const struct net net_driven = { open_tcp, send_tcp, receive_tcp, close_tcp, open_udp, send_udp, close_udp, resolve };

static void take_resolved(struct board *board, const struct frame *frame) {
  char address[INET_ADDRSTRLEN];
  struct in_addr parsed;
  const uint32_t id = frame_u32(frame, 0);
  const size_t count = frame->count - sizeof id;
  const bool fits = count < sizeof address;
  if (fits) memcpy(address, frame_bytes(frame, sizeof id, count), count);
  address[fits ? count : 0] = 0;
  resolver_answer(board, id, inet_pton(AF_INET, address, &parsed) == 1 ? address : NULL);
}

static void take_udp(struct board *board, const struct frame *frame) {
  struct udp_head head;
  memcpy(&head, frame_bytes(frame, 0, sizeof head), sizeof head);
  struct udp_socket *socket = udp_find(board, head.id);
  if (socket == NULL) return;
  const size_t count = frame->count - sizeof head;
  udp_arrived(socket, head.address, head.port, frame_bytes(frame, sizeof head, count), count);
}

static void take_tcp(struct board *board, const struct frame *frame) {
  struct tcp_socket *socket = tcp_find(board, frame_u32(frame, 0));
  if (socket == NULL) return; /* closed meanwhile */
  switch (frame->type) {
    case FRAME_TCP_CONNECTED:
      tcp_connected(socket);
      break;
    case FRAME_TCP_DATA:
      byte_list_append(&socket->backlog, frame_bytes(frame, 4, frame->count - 4), frame->count - 4);
      break;
    case FRAME_TCP_CLOSED:
      socket->backlog_ends = true;
      break;
    default: /* reset: what has not been read is lost */
      byte_list_free(&socket->backlog);
      tcp_failed(socket);
      break;
  }
}

bool net_driven_take(struct board *board, const struct frame *frame) {
  switch (frame->type) {
    case FRAME_TCP_CONNECTED:
    case FRAME_TCP_DATA:
    case FRAME_TCP_CLOSED:
    case FRAME_TCP_FAILED:
      take_tcp(board, frame);
      return true;
    case FRAME_UDP_DATA:
      take_udp(board, frame);
      return true;
    case FRAME_RESOLVED:
      take_resolved(board, frame);
      return true;
    default:
      return false;
  }
}

void net_driven_begin_turn(struct board *board) {
  for (struct tcp_socket *socket = board->tcp_sockets; socket != NULL; socket = socket->next) socket->sent_in_turn = 0;
}

bool net_driven_waits(const struct board *board) {
  for (const struct tcp_socket *socket = board->tcp_sockets; socket != NULL; socket = socket->next) {
    if (socket->connected && socket->to_send_count > 0) return true;
  }
  return false;
}
