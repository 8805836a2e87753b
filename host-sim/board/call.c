#include "call.h"

#include "machine.h"

#define CATCH_UNCAUGHT \
  xsCatch { \
    machine_abort(the, xsUnhandledExceptionExit); \
  }

void call_plain(xsMachine *machine, xsSlot *function, xsSlot *target) {
  xsBeginHost(machine);
  {
    xsTry {
      xsCallFunction0(xsReference(function), *target);
    }
    CATCH_UNCAUGHT
  }
  xsEndHost(machine);
  machine_run_jobs(machine);
}

void call_number(xsMachine *machine, xsSlot *function, xsSlot *target, double number) {
  xsBeginHost(machine);
  {
    xsTry {
      xsmcSetNumber(xsResult, number);
      if (number == (double)(int32_t)number) xsmcSetInteger(xsResult, (int32_t)number);
      xsCallFunction1(xsReference(function), *target, xsResult);
    }
    CATCH_UNCAUGHT
  }
  xsEndHost(machine);
  machine_run_jobs(machine);
}

void call_strings(xsMachine *machine, xsSlot *function, xsSlot *target, const char *first, const char *second) {
  xsBeginHost(machine);
  {
    xsTry {
      xsmcVars(2);
      xsmcSetString(xsVar(0), (char *)first);
      xsmcSetString(xsVar(1), (char *)second);
      xsCallFunction2(xsReference(function), *target, xsVar(0), xsVar(1));
    }
    CATCH_UNCAUGHT
  }
  xsEndHost(machine);
  machine_run_jobs(machine);
}

xsSlot *argument_callback(xsMachine *the, const char *name) {
  xsmcGet(xsVar(0), xsArg(0), xsID(name));
  if (!xsmcTest(xsVar(0))) return NULL;
  if (!xsmcIsCallable(xsVar(0))) xsTypeError("%s: not a function", name);
  return xsToReference(xsVar(0));
}

int argument_port(xsMachine *the, const char *name, int absent) {
  xsmcGet(xsVar(0), xsArg(0), xsID(name));
  if (xsmcTypeOf(xsVar(0)) == xsUndefinedType) return absent;
  const int port = xsmcToInteger(xsVar(0));
  if (port < 0 || port > UINT16_MAX) xsRangeError("%s: not a port", name);
  return port;
}

void construct(xsMachine *the, void *data) {
  xsmcGet(xsResult, xsTarget, xsID("prototype"));
  xsmcSetNewHostInstance(xsResult, xsResult);
  xsThis = xsResult;
  xsmcSetHostData(xsThis, data);
}
