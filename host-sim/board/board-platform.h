/* The platform header that XS asks for (XSPLATFORM). Its macros shape `struct sxMachine`: every C file uses the same. */
#ifndef BOARD_PLATFORM_H
#define BOARD_PLATFORM_H

#undef mxLinux
#define mxLinux 1
#undef mxLittleEndian
#define mxLittleEndian 1

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define XS_FUNCTION_NORETURN __attribute__((noreturn))

#define mxUseGCCAtomics 1
#define mxUsePOSIXThreads 1
#define mxCESU8 1
#if INTPTR_MAX == INT64_MAX
  #define mx32bitID 1 /* 16-bit identifiers on the 32-bit board, as on the chip */
#endif

#define mxUseDefaultMachinePlatform 1
#define mxUseDefaultBuildKeys 1
#define mxUseDefaultFindModule 1
#define mxUseDefaultLoadModule 1
#define mxUseDefaultParseScript 1
#define mxUseDefaultSharedChunks 1
/* machine.c has chunk and slot allocation (with a limit), fxAbort and fxQueuePromiseJobs. */

/* The waiter fields are what xsAtomics.c wants. */
#define mxMachinePlatform \
  int promiseJobsWaiting; \
  size_t allocatedBytes; \
  void *waiterCondition; \
  void *waiterData; \
  void *waiterLink;

/* The board's clock, in 64 bits: a 32-bit time_t ends in 2038. */
typedef struct {
  int64_t tv_sec;
  int64_t tv_usec;
} c_timeval;
int board_gettimeofday(c_timeval *now, void *zone);
#define c_gettimeofday board_gettimeofday

/* XS takes its memory past the counter of the natives' C heap. */
#include "heap.h"
#define c_malloc xs_malloc
#define c_calloc xs_calloc
#define c_realloc xs_realloc
#define c_free xs_free
#define c_malloc_uint32 xs_malloc
#define c_free_uint32 xs_free

#endif
