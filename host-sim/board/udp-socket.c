#include "udp-socket.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "heap.h"
#include "natives.h"

static void udp_mark(xsMachine *the, void *data, xsMarkRoot mark) {
  struct udp_socket *socket = data;
  if (socket == NULL) return;
  if (socket->on_readable != NULL) (*mark)(the, socket->on_readable);
  if (socket->on_error != NULL) (*mark)(the, socket->on_error);
}

static void udp_destroy(void *data) {
  (void)data;
}

static const xsHostHooks udp_hooks = { udp_destroy, udp_mark, NULL };

static struct udp_socket *udp_this(xsMachine *the) {
  struct udp_socket *socket = xsmcGetHostDataValidate(xsThis, (void *)&udp_hooks);
  if (socket == NULL) xsUnknownError("UDP: closed");
  return socket;
}

static void udp_construct(xsMachine *the) {
  struct board *board = board_of(the);
  xsmcVars(1);
  if (xsmcArgc < 1 || xsmcTypeOf(xsTarget) == xsUndefinedType) xsTypeError("UDP: new UDP(options) expected");
  xsSlot *on_readable = argument_callback(the, "onReadable");
  xsSlot *on_error = argument_callback(the, "onError");
  const int port = argument_port(the, "port", 0);
  construct(the, NULL);
  struct udp_socket *socket = board_alloc(sizeof *socket);
  socket->board = board;
  socket->id = ++board->last_id;
  socket->fd = -1;
  if (!board->net->udp_open(board, socket, (uint16_t)port)) {
    board_free(socket);
    xsUnknownError("UDP: the port is taken");
  }
  socket->on_readable = on_readable;
  socket->on_error = on_error;
  socket->self = xsThis;
  xsmcSetHostData(xsThis, socket);
  xsRemember(socket->self);
  struct udp_socket **last = &board->udp_sockets;
  while (*last != NULL) last = &(*last)->next;
  *last = socket;
}

static void udp_read(xsMachine *the) {
  struct udp_socket *socket = udp_this(the);
  if (socket->count == 0) return;
  const struct datagram *datagram = &socket->queue[socket->first];
  char address[INET_ADDRSTRLEN];
  inet_ntop(AF_INET, datagram->address, address, sizeof address);
  xsmcVars(1);
  xsmcSetArrayBuffer(xsResult, NULL, (xsIntegerValue)datagram->count);
  memcpy(xsmcToArrayBuffer(xsResult), datagram->bytes, datagram->count);
  xsmcSetString(xsVar(0), address);
  xsmcDefine(xsResult, xsID("address"), xsVar(0), xsDefault);
  xsmcSetInteger(xsVar(0), datagram->port);
  xsmcDefine(xsResult, xsID("port"), xsVar(0), xsDefault);
  socket->first = (socket->first + 1) % UDP_QUEUE_DATAGRAMS;
  socket->count--;
}

static void udp_write(xsMachine *the) {
  struct udp_socket *socket = udp_this(the);
  char text[INET_ADDRSTRLEN];
  struct in_addr address;
  void *bytes;
  xsUnsignedValue count;
  if (xsmcArgc < 3) xsTypeError("UDP.write: bytes, address and port expected");
  xsmcToStringBuffer(xsArg(1), text, sizeof text);
  if (inet_pton(AF_INET, text, &address) != 1) xsUnknownError("UDP.write: invalid address: a dotted IPv4 address expected");
  const int port = xsmcToInteger(xsArg(2));
  if (port < 1 || port > UINT16_MAX) xsRangeError("UDP.write: not a port");
  xsmcGetBufferReadable(xsArg(0), &bytes, &count);
  if (count > UDP_MAX_BYTES) xsRangeError("UDP.write: at most %d bytes", UDP_MAX_BYTES);
  socket->board->net->udp_send(socket->board, socket, (const uint8_t *)&address, (uint16_t)port, bytes, count);
}

static void udp_close(xsMachine *the) {
  struct udp_socket *socket = xsmcGetHostDataValidate(xsThis, (void *)&udp_hooks);
  if (socket == NULL) return;
  socket->board->net->udp_close(socket->board, socket);
  socket->closed = true;
  xsmcSetHostData(socket->self, NULL);
  xsForget(socket->self);
}

void udp_module(xsMachine *the, xsSlot *module) {
  xsVar(2) = xsNewHostObject(NULL);
  xsSetHostHooks(xsVar(2), &udp_hooks);
  native_method(the, &xsVar(2), "read", udp_read, 0);
  native_method(the, &xsVar(2), "write", udp_write, 3);
  native_method(the, &xsVar(2), "close", udp_close, 0);
  xsVar(3) = xsNewHostConstructorObject(udp_construct, 1, xsVar(2), xsID("UDP"));
  xsmcSet(*module, xsID("default"), xsVar(3));
}

struct udp_socket *udp_find(struct board *board, uint32_t id) {
  for (struct udp_socket *socket = board->udp_sockets; socket != NULL; socket = socket->next) {
    if (socket->id == id && !socket->closed) return socket;
  }
  return NULL;
}

void udp_arrived(struct udp_socket *socket, const uint8_t address[4], uint16_t port, const uint8_t *bytes, size_t count) {
  if (socket->count == UDP_QUEUE_DATAGRAMS || count > UDP_MAX_BYTES) return;
  struct datagram *datagram = &socket->queue[(socket->first + socket->count++) % UDP_QUEUE_DATAGRAMS];
  memcpy(datagram->address, address, sizeof datagram->address);
  datagram->port = port;
  datagram->count = count;
  if (count > 0) memcpy(datagram->bytes, bytes, count);
  socket->arrived = true;
}

bool udp_step(struct board *board) {
  bool called = false;
  for (struct udp_socket *socket = board->udp_sockets; socket != NULL && !board->exiting; socket = socket->next) {
    if (socket->closed || !socket->arrived || socket->count == 0) continue;
    socket->arrived = false;
    called = true;
    if (socket->on_readable != NULL) {
      call_number(board->machines.clone, socket->on_readable, &socket->self, (double)socket->count);
    }
  }
  for (struct udp_socket **link = &board->udp_sockets; *link != NULL;) {
    struct udp_socket *socket = *link;
    if (socket->closed) {
      *link = socket->next;
      board_free(socket);
    }
    else link = &socket->next;
  }
  return called;
}
