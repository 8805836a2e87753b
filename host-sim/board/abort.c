/* How a board dies: the reason and the heap figures on stderr, then an exit code that says which. */
#include <stdio.h>
#include <unistd.h>

#include "machine.h"
#include "xsAll.h"

static const char *reason(int status) {
  switch (status) {
    case XS_NOT_ENOUGH_MEMORY_EXIT: return "out of memory: the heap of manifests/manifest.json is full";
    case XS_STACK_OVERFLOW_EXIT: return "stack overflow";
    case XS_UNHANDLED_EXCEPTION_EXIT: return "uncaught exception";
    case XS_NO_MORE_KEYS_EXIT: return "no more keys: too many property names";
    case XS_TOO_MUCH_COMPUTATION_EXIT: return "too much computation";
    case XS_UNHANDLED_REJECTION_EXIT: return "unhandled rejection";
    default: return "fatal error";
  }
}

/* The stack of an Error (its first line is name and message), or the thrown value as text. Runs JavaScript. */
static void print_exception(txMachine *the) {
  mxTry(the) {
    mxOverflow(-8);
    mxPush(mxException);
    if (the->stack->kind == XS_REFERENCE_KIND) {
      mxDub();
      mxGetID(mxID(_stack));
      if (the->stack->kind != XS_STRING_KIND && the->stack->kind != XS_STRING_X_KIND) mxPop();
    }
    fprintf(stderr, "%s\n", fxToString(the, the->stack));
  }
  mxCatch(the) {
    fputs("(the thrown value has no text)\n", stderr);
  }
}

void machine_abort(void *machine, int status) {
  txMachine *the = machine;
  fprintf(stderr, "board: %s%s\n", reason(status), the->sharedMachine == C_NULL ? ", while preloading" : "");
  if (status == XS_UNHANDLED_EXCEPTION_EXIT || status == XS_UNHANDLED_REJECTION_EXIT) print_exception(the);
  fprintf(stderr, "board: heap: %ld of %ld slots of %zu bytes, %ld of %ld chunk bytes, %ld of %ld stack slots, %ld keys\n",
    (long)the->currentHeapCount, (long)the->maximumHeapCount, sizeof(txSlot), (long)the->currentChunksSize,
    (long)the->maximumChunksSize, (long)(the->stackTop - the->stackPeak), (long)(the->stackTop - the->stackBottom),
    (long)(the->keyIndex - the->keyOffset));
  _exit(EXIT_BASE + status);
}
