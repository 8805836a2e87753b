/* A TCP client socket as lwIP gives it to the chip: small fixed windows, errors told once. The header world of xsmc.h. */
#ifndef BOARD_TCP_SOCKET_H
#define BOARD_TCP_SOCKET_H

#include "byte-list.h"
#include "net.h"
#include "xsmc.h"

/* lwIP as ESP-IDF configures it (CONFIG_LWIP_TCP_WND_DEFAULT, CONFIG_LWIP_TCP_SND_BUF_DEFAULT): 4 segments. */
#define TCP_RECEIVE_WINDOW_BYTES 5744
#define TCP_SEND_WINDOW_BYTES 5744

struct tcp_socket {
  struct tcp_socket *next;
  struct board *board;
  uint32_t id;

  /* The JavaScript side; none once `closed`. */
  xsSlot self;
  xsSlot *on_readable, *on_writable, *on_error;
  bool formats_number;

  bool connected, failed;
  bool closed; /* by JavaScript; gone once all is sent */
  bool error_told;
  bool arrived; /* bytes came since the last onReadable */
  bool sent;    /* connected, or bytes left since the last onWritable */
  uint8_t received[TCP_RECEIVE_WINDOW_BYTES];
  size_t received_start, received_count;
  uint8_t to_send[TCP_SEND_WINDOW_BYTES];
  size_t to_send_count;

  /* The backend's. */
  int fd;
  bool may_receive;
  size_t sent_in_turn;
  struct byte_list backlog;
  bool backlog_ends;
};

struct tcp_socket *tcp_find(struct board *board, uint32_t id);
/* From the backend: delivered by the next step. */
void tcp_connected(struct tcp_socket *socket);
void tcp_failed(struct tcp_socket *socket);

bool tcp_step(struct board *board);
/* At the end of the board: what was written just before still leaves, when the backend takes it at once. */
void tcp_flush(struct board *board);

#endif
