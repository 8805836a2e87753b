#include "js-timer.h"

#include <math.h>

#include "board-clock.h"
#include "call.h"
#include "heap.h"
#include "natives.h"

struct js_timer {
  struct js_timer *next;
  double due_ms;
  xsSlot self;
  xsSlot *callback;
  bool fires;   /* chosen by the present timers_run */
  bool running; /* its callback runs */
  bool ended;   /* to be unlinked by timers_run */
};

static void timer_mark(xsMachine *the, void *data, xsMarkRoot mark) {
  struct js_timer *timer = data;
  if (timer != NULL && timer->callback != NULL) (*mark)(the, timer->callback);
}

static void timer_destroy(void *data) {
  (void)data; /* the list owns it; a live timer is remembered and so never collected */
}

static const xsHostHooks timer_hooks = { timer_destroy, timer_mark, NULL };

static double delay_of(xsMachine *the, int index) {
  if (xsmcArgc <= index || xsmcTypeOf(xsArg(index)) == xsUndefinedType) return 0;
  const double delay_ms = trunc(xsmcToNumber(xsArg(index)));
  if (!(delay_ms <= (double)INT32_MAX)) xsRangeError("timer: a delay is at most 2147483647 ms: count long times in steps");
  return delay_ms < 0 ? 0 : delay_ms;
}

static struct js_timer *timer_of(xsMachine *the, xsSlot *slot) {
  struct js_timer *timer = NULL;
  if (xsmcTypeOf(*slot) == xsReferenceType) timer = xsmcGetHostDataValidate(*slot, (void *)&timer_hooks);
  return timer;
}

/* Lets go of the JavaScript side; timers_run frees the rest. */
static void timer_end(xsMachine *the, struct js_timer *timer) {
  if (timer->ended) return;
  timer->ended = true;
  timer->callback = NULL;
  xsForget(timer->self);
  xsmcSetHostData(timer->self, NULL);
}

static void timer_set(xsMachine *the) {
  struct board *board = board_of(the);
  if (xsmcArgc < 1 || !xsmcIsCallable(xsArg(0))) xsTypeError("timer.set: not a function");
  const double delay_ms = delay_of(the, 1);
  xsResult = xsNewHostObject(NULL);
  xsSetHostHooks(xsResult, &timer_hooks);
  struct js_timer *timer = board_alloc(sizeof *timer);
  timer->due_ms = clock_monotonic_ms() + delay_ms;
  timer->callback = xsToReference(xsArg(0));
  timer->self = xsResult;
  xsmcSetHostData(xsResult, timer);
  xsRemember(timer->self);
  struct js_timer **last = &board->timers;
  while (*last != NULL) last = &(*last)->next;
  *last = timer;
}

static void timer_schedule(xsMachine *the) {
  const double delay_ms = delay_of(the, 1);
  struct js_timer *timer = xsmcArgc < 1 ? NULL : timer_of(the, &xsArg(0));
  /* On the chip a timer without repeat is gone after its callback, even when the callback schedules it. */
  if (timer == NULL || timer->running) xsUnknownError("timer.schedule: this timer has fired or was cleared: set a new one");
  timer->due_ms = clock_monotonic_ms() + delay_ms;
  timer->fires = false;
}

static void timer_clear(xsMachine *the) {
  if (xsmcArgc < 1) return;
  struct js_timer *timer = timer_of(the, &xsArg(0));
  if (timer != NULL) timer_end(the, timer);
}

static void time_get_ticks(xsMachine *the) {
  xsmcSetInteger(xsResult, clock_ticks());
}

static void time_set(xsMachine *the) {
  const double seconds = xsmcArgc < 1 ? NAN : xsmcToNumber(xsArg(0));
  if (!isfinite(seconds) || seconds < 0 || seconds != floor(seconds)) xsRangeError("time.set: whole seconds since 1970 expected");
  clock_set_wall_ms(seconds * 1000.0);
}

void timer_module(xsMachine *the, xsSlot *module) {
  xsmcSetNewObject(xsVar(2));
  native_method(the, &xsVar(2), "set", timer_set, 2);
  native_method(the, &xsVar(2), "schedule", timer_schedule, 2);
  native_method(the, &xsVar(2), "clear", timer_clear, 1);
  xsmcSet(*module, xsID("default"), xsVar(2));
}

void time_module(xsMachine *the, xsSlot *module) {
  xsmcSetNewObject(xsVar(2));
  native_getter(the, &xsVar(2), "ticks", time_get_ticks);
  native_method(the, &xsVar(2), "set", time_set, 1);
  xsmcSet(*module, xsID("default"), xsVar(2));
}

static void free_ended(struct board *board) {
  for (struct js_timer **link = &board->timers; *link != NULL;) {
    struct js_timer *timer = *link;
    if (timer->ended) {
      *link = timer->next;
      board_free(timer);
    }
    else link = &timer->next;
  }
}

bool timers_run(struct board *board) {
  xsMachine *the = board->machines.clone;
  const double now_ms = clock_monotonic_ms();
  bool ran = false;
  for (struct js_timer *timer = board->timers; timer != NULL; timer = timer->next) {
    timer->fires = !timer->ended && timer->due_ms <= now_ms;
  }
  for (struct js_timer *timer = board->timers; timer != NULL && !board->exiting; timer = timer->next) {
    if (!timer->fires || timer->ended) continue;
    ran = true;
    timer->running = true;
    call_plain(the, timer->callback, &timer->self);
    timer_end(the, timer);
  }
  free_ended(board);
  return ran;
}

double timers_next_ms(const struct board *board) {
  double next_ms = INFINITY;
  for (const struct js_timer *timer = board->timers; timer != NULL; timer = timer->next) {
    if (!timer->ended && timer->due_ms < next_ms) next_ms = timer->due_ms;
  }
  return next_ms;
}
