#define _GNU_SOURCE
#include "net-real.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "heap.h"
#include "real-resolver.h"
#include "tcp-socket.h"
#include "udp-socket.h"

static void open_tcp(struct board *board, struct tcp_socket *tcp, const char *address, uint16_t port) {
  (void)board;
  const int on = 1;
  struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(port) };
  inet_pton(AF_INET, address, &peer.sin_addr);
  tcp->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (tcp->fd < 0) return tcp_failed(tcp);
  setsockopt(tcp->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(tcp->fd, (struct sockaddr *)&peer, sizeof peer) != 0 && errno != EINPROGRESS) tcp_failed(tcp);
}

static void close_tcp(struct board *board, struct tcp_socket *tcp) {
  (void)board;
  if (tcp->fd >= 0) close(tcp->fd);
  tcp->fd = -1;
}

static void fail_tcp(struct tcp_socket *tcp) {
  close_tcp(tcp->board, tcp);
  tcp_failed(tcp);
}

static size_t send_tcp(struct board *board, struct tcp_socket *tcp, const uint8_t *bytes, size_t length) {
  (void)board;
  const ssize_t sent = send(tcp->fd, bytes, length, MSG_NOSIGNAL);
  if (sent >= 0) return (size_t)sent;
  if (errno != EAGAIN && errno != EINTR) fail_tcp(tcp);
  return 0;
}

static size_t receive_tcp(struct board *board, struct tcp_socket *tcp, uint8_t *bytes, size_t room) {
  (void)board;
  if (!tcp->may_receive) return 0;
  tcp->may_receive = false;
  const ssize_t came = recv(tcp->fd, bytes, room, 0);
  if (came > 0) return (size_t)came;
  if (came == 0 || (errno != EAGAIN && errno != EINTR)) fail_tcp(tcp);
  return 0;
}

static bool open_udp(struct board *board, struct udp_socket *udp, uint16_t port) {
  (void)board;
  struct sockaddr_in own = { .sin_family = AF_INET, .sin_port = htons(port) };
  udp->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (udp->fd >= 0 && bind(udp->fd, (struct sockaddr *)&own, sizeof own) == 0) return true;
  if (udp->fd >= 0) close(udp->fd);
  return false;
}

static void send_udp(struct board *board, struct udp_socket *udp, const uint8_t address[4], uint16_t port, const uint8_t *bytes,
  size_t length) {
  (void)board;
  struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(port) };
  memcpy(&peer.sin_addr, address, 4);
  (void)!sendto(udp->fd, bytes, length, MSG_NOSIGNAL, (struct sockaddr *)&peer, sizeof peer); /* may be lost, as any */
}

static void close_udp(struct board *board, struct udp_socket *udp) {
  (void)board;
  close(udp->fd);
}

static void receive_udp(struct udp_socket *udp) {
  uint8_t bytes[UDP_MAX_BYTES + 1];
  struct sockaddr_in peer;
  socklen_t peer_bytes = sizeof peer;
  const ssize_t count = recvfrom(udp->fd, bytes, sizeof bytes, 0, (struct sockaddr *)&peer, &peer_bytes);
  if (count >= 0) udp_arrived(udp, (const uint8_t *)&peer.sin_addr, ntohs(peer.sin_port), bytes, (size_t)count);
}

static void resolve(struct board *board, uint32_t id, const char *name) {
  (void)board;
  real_resolver_ask(id, name);
}

const struct net net_real = { open_tcp, send_tcp, receive_tcp, close_tcp, open_udp, send_udp, close_udp, resolve };

void net_real_start(void) {
  real_resolver_start();
}

/* The end of connect(), and readiness to read; the reading itself is sockets_step's. */
static void take_tcp_events(struct tcp_socket *tcp, short events) {
  if (tcp->fd < 0 || events == 0) return;
  if (tcp->connected) {
    tcp->may_receive = (events & (POLLIN | POLLERR | POLLHUP)) != 0;
    return;
  }
  int error = 0;
  socklen_t error_bytes = sizeof error;
  getsockopt(tcp->fd, SOL_SOCKET, SO_ERROR, &error, &error_bytes);
  if (error != 0 || (events & (POLLERR | POLLHUP)) != 0) fail_tcp(tcp);
  else if (events & POLLOUT) tcp_connected(tcp);
}

static short wanted_events(const struct tcp_socket *tcp) {
  if (!tcp->connected) return POLLOUT;
  const short reads = !tcp->closed && tcp->received_count < TCP_RECEIVE_WINDOW_BYTES ? POLLIN : 0;
  return (short)(reads | (tcp->to_send_count > 0 ? POLLOUT : 0));
}

enum { WAKES, HOST, NAMES, FIXED_ENTRIES };

void net_real_wait(struct board *board, int timeout_ms, int wakes) {
  size_t count = FIXED_ENTRIES;
  for (struct tcp_socket *tcp = board->tcp_sockets; tcp != NULL; tcp = tcp->next) count++;
  for (struct udp_socket *udp = board->udp_sockets; udp != NULL; udp = udp->next) count++;
  struct pollfd *waits = board_alloc(count * sizeof *waits);
  struct pollfd *wait = waits + FIXED_ENTRIES;
  waits[WAKES] = (struct pollfd){ .fd = wakes, .events = POLLIN };
  waits[HOST] = (struct pollfd){ .fd = STDOUT_FILENO }; /* told without asking: nobody reads our lines any more */
  waits[NAMES] = (struct pollfd){ .fd = real_resolver_fd(), .events = POLLIN };
  for (struct tcp_socket *tcp = board->tcp_sockets; tcp != NULL; tcp = tcp->next) {
    const short events = wanted_events(tcp);
    *wait++ = (struct pollfd){ .fd = events == 0 ? -1 : tcp->fd, .events = events }; /* none wanted: no POLLHUP either */
  }
  for (struct udp_socket *udp = board->udp_sockets; udp != NULL; udp = udp->next) {
    *wait++ = (struct pollfd){ .fd = udp->fd, .events = POLLIN };
  }
  if (poll(waits, count, timeout_ms) > 0) {
    wait = waits + FIXED_ENTRIES;
    if (waits[HOST].revents & (POLLERR | POLLHUP)) board->exiting = true; /* a pipe says the one, a socket the other */
    if (waits[NAMES].revents & POLLIN) real_resolver_take(board);
    for (struct tcp_socket *tcp = board->tcp_sockets; tcp != NULL; tcp = tcp->next) take_tcp_events(tcp, (wait++)->revents);
    for (struct udp_socket *udp = board->udp_sockets; udp != NULL; udp = udp->next) {
      if ((wait++)->revents & POLLIN) receive_udp(udp);
    }
  }
  board_free(waits);
}
