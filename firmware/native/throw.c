#include "throw.h"

#include <math.h>

void native_throw(xsMachine *the, const char *code, const char *message) {
  const xsIntegerValue first = xsmcVars(2);
  xsmcSetString(xsVar(first), (char *)message);
  xsmcNew(xsResult, xsGlobal, xsID("Error"), &xsVar(first), NULL);
  xsmcSetString(xsVar(first + 1), (char *)code);
  xsmcDefine(xsResult, xsID("code"), xsVar(first + 1), xsDefault);
  xsThrow(xsResult);
}

double native_integer(xsMachine *the, xsSlot *slot, const char *name, double low, double high) {
  const xsType type = (xsType)xsmcTypeOf(*slot);
  if (type != xsIntegerType && type != xsNumberType) xsTypeError("%s: expected a number", name);
  const double value = xsmcToNumber(*slot);
  if (!(value >= low && value <= high) || value != floor(value)) {
    xsRangeError("%s: expected a whole number from %.0f to %.0f", name, low, high);
  }
  return value;
}
