#include "tcp-socket.h"

#include <arpa/inet.h>
#include <string.h>

#include "call.h"
#include "heap.h"
#include "natives.h"

static void tcp_mark(xsMachine *the, void *data, xsMarkRoot mark) {
  struct tcp_socket *socket = data;
  if (socket == NULL) return;
  if (socket->on_readable != NULL) (*mark)(the, socket->on_readable);
  if (socket->on_writable != NULL) (*mark)(the, socket->on_writable);
  if (socket->on_error != NULL) (*mark)(the, socket->on_error);
}

static void tcp_destroy(void *data) {
  (void)data; /* remembered until it is closed, and then it has no data */
}

static const xsHostHooks tcp_hooks = { tcp_destroy, tcp_mark, NULL };

static struct tcp_socket *tcp_this(xsMachine *the) {
  struct tcp_socket *socket = xsmcGetHostDataValidate(xsThis, (void *)&tcp_hooks);
  if (socket == NULL) xsUnknownError("TCP: closed");
  return socket;
}

static void tcp_construct(xsMachine *the) {
  struct board *board = board_of(the);
  char address[INET_ADDRSTRLEN];
  struct in_addr parsed;
  xsmcVars(1);
  if (xsmcArgc < 1 || xsmcTypeOf(xsTarget) == xsUndefinedType) xsTypeError("TCP: new TCP(options) expected");
  xsSlot *on_readable = argument_callback(the, "onReadable");
  xsSlot *on_writable = argument_callback(the, "onWritable");
  xsSlot *on_error = argument_callback(the, "onError");
  const int port = argument_port(the, "port", 0);
  xsmcGet(xsVar(0), xsArg(0), xsID("address"));
  xsmcToStringBuffer(xsVar(0), address, sizeof address);
  if (inet_pton(AF_INET, address, &parsed) != 1) xsUnknownError("TCP: invalid address: a dotted IPv4 address expected");

  construct(the, NULL);
  struct tcp_socket *socket = board_alloc(sizeof *socket);
  socket->board = board;
  socket->id = ++board->last_id;
  socket->on_readable = on_readable;
  socket->on_writable = on_writable;
  socket->on_error = on_error;
  socket->fd = -1;
  socket->self = xsThis;
  xsmcSetHostData(xsThis, socket);
  xsRemember(socket->self);
  struct tcp_socket **last = &board->tcp_sockets;
  while (*last != NULL) last = &(*last)->next;
  *last = socket;
  board->net->tcp_open(board, socket, address, (uint16_t)port);
}

static void tcp_read(xsMachine *the) {
  struct tcp_socket *socket = tcp_this(the);
  if (socket->received_count == 0) return;
  size_t count = socket->formats_number ? 1 : socket->received_count;
  if (!socket->formats_number && xsmcArgc > 0 && xsmcTypeOf(xsArg(0)) != xsUndefinedType) {
    const int wanted = xsmcToInteger(xsArg(0));
    if (wanted <= 0) xsRangeError("TCP.read: a positive count expected");
    if ((size_t)wanted < count) count = (size_t)wanted;
  }
  const uint8_t first = socket->received[socket->received_start];
  if (socket->formats_number) xsmcSetInteger(xsResult, first);
  else {
    xsmcSetArrayBuffer(xsResult, NULL, (xsIntegerValue)count);
    memcpy(xsmcToArrayBuffer(xsResult), socket->received + socket->received_start, count);
  }
  socket->received_start += count;
  socket->received_count -= count;
}

static void tcp_write(xsMachine *the) {
  struct tcp_socket *socket = tcp_this(the);
  uint8_t single;
  void *bytes = &single;
  xsUnsignedValue count = 1;
  if (socket->failed && !socket->error_told) return; /* as on the chip: lost, and onError is about to say so */
  if (!socket->connected) xsUnknownError("TCP.write: not connected");
  if (xsmcArgc < 1) xsTypeError("TCP.write: nothing to write");
  if (socket->formats_number) single = (uint8_t)xsmcToInteger(xsArg(0));
  else xsmcGetBufferReadable(xsArg(0), &bytes, &count);
  if (count > TCP_SEND_WINDOW_BYTES - socket->to_send_count) {
    xsUnknownError("TCP.write: would block: stay within the count of onWritable");
  }
  memcpy(socket->to_send + socket->to_send_count, bytes, count);
  socket->to_send_count += count;
  xsmcSetInteger(xsResult, (xsIntegerValue)(TCP_SEND_WINDOW_BYTES - socket->to_send_count));
}

static void tcp_close(xsMachine *the) {
  struct tcp_socket *socket = xsmcGetHostDataValidate(xsThis, (void *)&tcp_hooks);
  if (socket == NULL) return;
  socket->closed = true; /* tcp_step sends what is left, then closes */
  xsmcSetHostData(socket->self, NULL);
  xsForget(socket->self);
}

static void tcp_get_format(xsMachine *the) {
  xsmcSetString(xsResult, tcp_this(the)->formats_number ? "number" : "buffer");
}

static void tcp_set_format(xsMachine *the) {
  struct tcp_socket *socket = tcp_this(the);
  const char *format = xsmcToString(xsArg(0));
  if (strcmp(format, "number") != 0 && strcmp(format, "buffer") != 0) xsRangeError("TCP.format: \"buffer\" or \"number\" expected");
  socket->formats_number = strcmp(format, "number") == 0;
}

void tcp_module(xsMachine *the, xsSlot *module) {
  xsVar(2) = xsNewHostObject(NULL);
  xsSetHostHooks(xsVar(2), &tcp_hooks);
  native_method(the, &xsVar(2), "read", tcp_read, 1);
  native_method(the, &xsVar(2), "write", tcp_write, 1);
  native_method(the, &xsVar(2), "close", tcp_close, 0);
  native_accessor(the, &xsVar(2), "format", tcp_get_format, tcp_set_format);
  xsVar(3) = xsNewHostConstructorObject(tcp_construct, 1, xsVar(2), xsID("TCP"));
  xsmcSet(*module, xsID("default"), xsVar(3));
}

struct tcp_socket *tcp_find(struct board *board, uint32_t id) {
  for (struct tcp_socket *socket = board->tcp_sockets; socket != NULL; socket = socket->next) {
    if (socket->id == id && !socket->closed) return socket;
  }
  return NULL;
}

void tcp_connected(struct tcp_socket *socket) {
  socket->connected = true;
  socket->sent = true;
}

void tcp_failed(struct tcp_socket *socket) {
  socket->connected = false;
  socket->failed = true;
}

/* Hands to the backend what it takes; false when nothing is left that could be sent. */
static bool send_waiting(struct board *board, struct tcp_socket *socket) {
  if (!socket->connected || socket->to_send_count == 0) return false;
  const size_t sent = board->net->tcp_send(board, socket, socket->to_send, socket->to_send_count);
  socket->to_send_count -= sent;
  memmove(socket->to_send, socket->to_send + sent, socket->to_send_count);
  socket->sent = socket->sent || sent > 0;
  return socket->connected && socket->to_send_count > 0;
}

/* Bytes to and from the backend. */
static bool exchange(struct board *board, struct tcp_socket *socket) {
  const size_t waiting = socket->to_send_count;
  send_waiting(board, socket);
  bool moved = socket->to_send_count < waiting;
  if (socket->connected && socket->received_count < TCP_RECEIVE_WINDOW_BYTES) {
    memmove(socket->received, socket->received + socket->received_start, socket->received_count);
    socket->received_start = 0;
    const size_t came = board->net->tcp_receive(board, socket, socket->received + socket->received_count,
      TCP_RECEIVE_WINDOW_BYTES - socket->received_count);
    socket->received_count += came;
    socket->arrived = socket->arrived || came > 0;
    moved = moved || came > 0;
  }
  return moved;
}

/* In the order of the SDK's lwIP socket: what came, then the error once all is read, else room to write. */
static bool deliver(struct board *board, struct tcp_socket *socket) {
  xsMachine *the = board->machines.clone;
  bool called = false;
  if (socket->arrived && socket->received_count > 0) {
    socket->arrived = false;
    called = true;
    if (socket->on_readable != NULL) call_number(the, socket->on_readable, &socket->self, (double)socket->received_count);
  }
  if (socket->closed || board->exiting) return called;
  if (socket->failed && socket->received_count == 0 && !socket->error_told) {
    socket->error_told = true;
    called = true;
    if (socket->on_error != NULL) call_plain(the, socket->on_error, &socket->self);
  }
  else if (socket->connected && socket->sent) {
    socket->sent = false;
    called = true;
    if (socket->on_writable != NULL) {
      call_number(the, socket->on_writable, &socket->self, (double)(TCP_SEND_WINDOW_BYTES - socket->to_send_count));
    }
  }
  return called;
}

bool tcp_step(struct board *board) {
  bool moved = false;
  for (struct tcp_socket *socket = board->tcp_sockets; socket != NULL && !board->exiting; socket = socket->next) {
    if (!socket->closed && exchange(board, socket)) moved = true;
    if (!socket->closed && deliver(board, socket)) moved = true;
  }
  for (struct tcp_socket **link = &board->tcp_sockets; *link != NULL;) {
    struct tcp_socket *socket = *link;
    if (socket->closed && !send_waiting(board, socket)) {
      board->net->tcp_close(board, socket);
      *link = socket->next;
      byte_list_free(&socket->backlog);
      board_free(socket);
    }
    else link = &socket->next;
  }
  return moved;
}

void tcp_flush(struct board *board) {
  for (struct tcp_socket *socket = board->tcp_sockets; socket != NULL; socket = socket->next) send_waiting(board, socket);
}
