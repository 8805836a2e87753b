#include "resolver.h"

#include <arpa/inet.h>
#include <string.h>

#include "call.h"
#include "heap.h"
#include "natives.h"

/* One question; the array of a resolver is in the order of the questions. */
struct resolution {
  struct resolution *next;
  uint32_t id;
  bool answered;
  char address[INET_ADDRSTRLEN]; /* empty: not found */
  xsSlot *on_resolved, *on_error;
  char name[MAX_HOST_NAME_BYTES + 1];
};

/* Remembered while it has questions; collected as any object after that. */
struct resolver {
  struct resolver *next;
  struct board *board;
  xsSlot self;
  struct resolution *resolutions;
  bool gone; /* closed or collected: to be unlinked by resolver_step */
};

static void resolver_mark(xsMachine *the, void *data, xsMarkRoot mark) {
  struct resolver *resolver = data;
  if (resolver == NULL) return;
  for (struct resolution *resolution = resolver->resolutions; resolution != NULL; resolution = resolution->next) {
    if (resolution->on_resolved != NULL) (*mark)(the, resolution->on_resolved);
    if (resolution->on_error != NULL) (*mark)(the, resolution->on_error);
  }
}

static void resolver_destroy(void *data) {
  struct resolver *resolver = data;
  if (resolver != NULL) resolver->gone = true;
}

static const xsHostHooks resolver_hooks = { resolver_destroy, resolver_mark, NULL };

static void resolver_construct(xsMachine *the) {
  struct board *board = board_of(the);
  if (xsmcTypeOf(xsTarget) == xsUndefinedType) xsTypeError("Resolver: new Resolver(options) expected");
  construct(the, NULL);
  struct resolver *resolver = board_alloc(sizeof *resolver);
  resolver->board = board;
  resolver->next = board->resolvers;
  board->resolvers = resolver;
  xsmcSetHostData(xsThis, resolver);
}

static void answer(struct resolution *resolution, const char *address) {
  resolution->answered = true;
  const size_t length = address == NULL ? 0 : strlen(address);
  if (length < sizeof resolution->address) memcpy(resolution->address, address == NULL ? "" : address, length);
}

static void resolver_resolve(xsMachine *the) {
  struct resolver *resolver = xsmcGetHostDataValidate(xsThis, (void *)&resolver_hooks);
  struct in_addr parsed;
  char name[MAX_HOST_NAME_BYTES + 1];
  xsmcVars(1);
  if (resolver == NULL) xsUnknownError("Resolver: closed");
  if (xsmcArgc < 1) xsTypeError("Resolver.resolve: options expected");
  xsSlot *on_resolved = argument_callback(the, "onResolved");
  xsSlot *on_error = argument_callback(the, "onError");
  xsmcGet(xsVar(0), xsArg(0), xsID("host"));
  if (xsmcTypeOf(xsVar(0)) != xsStringType && xsmcTypeOf(xsVar(0)) != xsStringXType) xsTypeError("Resolver.resolve: host: a string expected");
  if (strlen(xsmcToString(xsVar(0))) > MAX_HOST_NAME_BYTES) xsRangeError("Resolver.resolve: host: too long");
  xsmcToStringBuffer(xsVar(0), name, sizeof name);

  struct board *board = resolver->board;
  struct resolution *resolution = board_alloc(sizeof *resolution);
  resolution->id = ++board->last_id;
  resolution->on_resolved = on_resolved;
  resolution->on_error = on_error;
  memcpy(resolution->name, name, sizeof name);
  if (resolver->resolutions == NULL) {
    resolver->self = xsThis;
    xsRemember(resolver->self);
  }
  struct resolution **last = &resolver->resolutions;
  while (*last != NULL) last = &(*last)->next;
  *last = resolution;
  const char *known = inet_pton(AF_INET, name, &parsed) == 1 ? name : options_host(&board->options, name);
  if (known != NULL) answer(resolution, known);
  else board->net->resolve(board, resolution->id, name);
}

static void resolver_close(xsMachine *the) {
  struct resolver *resolver = xsmcGetHostDataValidate(xsThis, (void *)&resolver_hooks);
  if (resolver == NULL) return;
  resolver->gone = true;
  xsmcSetHostData(xsThis, NULL);
  if (resolver->resolutions != NULL) xsForget(resolver->self);
}

void resolver_module(xsMachine *the, xsSlot *module) {
  xsVar(2) = xsNewHostObject(NULL);
  xsSetHostHooks(xsVar(2), &resolver_hooks);
  native_method(the, &xsVar(2), "resolve", resolver_resolve, 1);
  native_method(the, &xsVar(2), "close", resolver_close, 0);
  xsVar(3) = xsNewHostConstructorObject(resolver_construct, 1, xsVar(2), xsID("Resolver"));
  xsmcSet(*module, xsID("default"), xsVar(3));
}

void resolver_answer(struct board *board, uint32_t id, const char *address) {
  for (struct resolver *resolver = board->resolvers; resolver != NULL; resolver = resolver->next) {
    for (struct resolution *resolution = resolver->resolutions; resolution != NULL; resolution = resolution->next) {
      if (resolution->id == id && !resolution->answered) return answer(resolution, address);
    }
  }
}

/* Tells one answer: the callback may close the resolver or ask again. */
static void deliver(struct board *board, struct resolver *resolver, struct resolution **link) {
  xsMachine *the = board->machines.clone;
  struct resolution *resolution = *link;
  const bool found = resolution->address[0] != 0;
  xsSlot *callback = found ? resolution->on_resolved : resolution->on_error;
  if (callback != NULL) {
    if (found) call_strings(the, callback, &resolver->self, resolution->name, resolution->address);
    else call_plain(the, callback, &resolver->self);
  }
  *link = resolution->next;
  board_free(resolution);
  if (resolver->resolutions == NULL && !resolver->gone) xsForget(resolver->self);
}

static bool deliver_first(struct board *board, struct resolver *resolver) {
  for (struct resolution **link = &resolver->resolutions; *link != NULL; link = &(*link)->next) {
    if ((*link)->answered) {
      deliver(board, resolver, link);
      return true;
    }
  }
  return false;
}

static void free_resolver(struct resolver *resolver) {
  while (resolver->resolutions != NULL) {
    struct resolution *resolution = resolver->resolutions;
    resolver->resolutions = resolution->next;
    board_free(resolution);
  }
  board_free(resolver);
}

bool resolver_step(struct board *board) {
  bool called = false;
  for (struct resolver *resolver = board->resolvers; resolver != NULL; resolver = resolver->next) {
    while (!resolver->gone && !board->exiting && deliver_first(board, resolver)) called = true;
  }
  for (struct resolver **link = &board->resolvers; *link != NULL;) {
    struct resolver *resolver = *link;
    if (resolver->gone) {
      *link = resolver->next;
      free_resolver(resolver);
    }
    else link = &resolver->next;
  }
  return called;
}
