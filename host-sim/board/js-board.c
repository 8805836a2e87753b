/* Module `latchkey/board`: what only the virtual board has. And Math.random, seeded here. */
#include <string.h>
#include <sys/random.h>

#include "call.h"
#include "heap.h"
#include "natives.h"
#include "output.h"
#include "random.h"

/* The function in `board.onStop`: the module's object is frozen, so an accessor keeps it here. */
struct stop_handler {
  xsSlot function;
  xsSlot *callback;
};

static void board_print(xsMachine *the) {
  if (xsmcArgc < 1) xsTypeError("board.print: a line expected");
  const char *line = xsmcToString(xsArg(0));
  if (strchr(line, '\n') != NULL) xsRangeError("board.print: one line, without its end");
  output_line(board_of(the), line);
}

static void board_exit(xsMachine *the) {
  struct board *board = board_of(the);
  board->exit_code = xsmcArgc < 1 ? 0 : xsmcToInteger(xsArg(0)) & 0xFF;
  board->exiting = true;
}

static void board_random(xsMachine *the) {
  struct board *board = board_of(the);
  uint64_t bits = 0;
  if (board->options.has_seed) bits = random_next(&board->random_state);
  else if (getrandom(&bits, sizeof bits, 0) != (ssize_t)sizeof bits) xsUnknownError("board.random: no randomness");
  xsmcSetNumber(xsResult, (double)(bits >> 11) * 0x1p-53);
}

static void board_get_compute_units(xsMachine *the) {
  xsmcSetNumber(xsResult, machine_compute_units(the));
}

static void board_get_on_stop(xsMachine *the) {
  struct stop_handler *handler = board_of(the)->stop_handler;
  if (handler != NULL && handler->callback != NULL) xsResult = xsReference(handler->callback);
}

static void board_set_on_stop(xsMachine *the) {
  struct board *board = board_of(the);
  const bool clears = xsmcArgc < 1 || !xsmcTest(xsArg(0));
  if (!clears && !xsmcIsCallable(xsArg(0))) xsTypeError("board.onStop: not a function");
  if (board->stop_handler == NULL) board->stop_handler = board_alloc(sizeof *board->stop_handler);
  struct stop_handler *handler = board->stop_handler;
  if (handler->callback != NULL) xsForget(handler->function);
  handler->callback = NULL;
  if (clears) return;
  handler->function = xsArg(0);
  handler->callback = xsToReference(xsArg(0));
  xsRemember(handler->function);
}

void board_module(xsMachine *the, xsSlot *module) {
  xsmcSetNewObject(xsVar(2));
  native_method(the, &xsVar(2), "print", board_print, 1);
  native_method(the, &xsVar(2), "exit", board_exit, 1);
  native_method(the, &xsVar(2), "random", board_random, 0);
  native_getter(the, &xsVar(2), "computeUnits", board_get_compute_units);
  native_accessor(the, &xsVar(2), "onStop", board_get_on_stop, board_set_on_stop);
  xsmcSet(*module, xsID("default"), xsVar(2));
  xsmcGet(xsVar(3), xsGlobal, xsID("Math"));
  native_method(the, &xsVar(3), "random", board_random, 0);
}

void board_stop(struct board *board) {
  xsMachine *the = board->machines.clone;
  struct stop_handler *handler = board->stop_handler;
  if (handler == NULL || handler->callback == NULL || board->stop_requested) {
    board->exiting = true;
    return;
  }
  board->stop_requested = true;
  call_plain(the, handler->callback, &handler->function);
}
