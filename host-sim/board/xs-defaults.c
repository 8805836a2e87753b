/* xsDefaults.c of XS, but functions have no own `length` and `name`: the SDK's linker strips them from an image too. */
#include "xsAll.h"

#define fxNewFunctionLength C_NULL
#define fxNewFunctionName C_NULL
#include "xsDefaults.c"
