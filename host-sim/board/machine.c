/* Root and clone (see machine.h). Follows what xsl and fxPrepareMachine do for a chip's image. */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>

#include "flash-image.h"
#include "flash-memory.h"
#include "xsAll.h"
#include "xsScript.h"

#if mxStress
extern int gxStress;
#endif

/* The root is not measured: room enough for built-ins and the firmware. */
static txCreation root_creation = {
  .initialChunkSize = 2 * 1024 * 1024,
  .incrementalChunkSize = 1024 * 1024,
  .initialHeapCount = 32 * 1024,
  .incrementalHeapCount = 16 * 1024,
  .stackCount = 8 * 1024,
  .initialKeyCount = 4 * 1024,
  .incrementalKeyCount = 1024,
  .nameModulo = 1993,
  .symbolModulo = 127,
  .parserBufferSize = 64 * 1024,
  .parserTableModulo = 1993,
};

static txScript *parse(txMachine *root, const char *path) {
  size_t size;
  char *text = read_text(path, &size);
  txStringCStream stream = { .buffer = text, .offset = 0, .size = (txSize)size };
  txScript *script = fxParseScript(root, &stream, fxStringCGetter, mxProgramFlag);
  free_text(text);
  if (script == NULL) { /* a syntax error gives a script that throws it; this is want of memory */
    fprintf(stderr, "board: %s: the script cannot be parsed\n", path);
    exit(EXIT_BASE + XS_NOT_ENOUGH_MEMORY_EXIT);
  }
  script_to_flash(root, script);
  return script;
}

static void run(txMachine *machine, txScript *script) {
  txMachine *the = fxBeginHost(machine);
  mxTry(the) {
    txSlot *realm = mxModuleInstanceInternal(mxProgram.value.reference)->value.module.realm;
    fxRunScript(the, script, mxRealmGlobal(realm), C_NULL, mxRealmClosures(realm)->value.reference, C_NULL,
      mxProgram.value.reference);
  }
  mxCatch(the) {
    machine_abort(the, XS_UNHANDLED_EXCEPTION_EXIT);
  }
  fxEndHost(the);
  machine_run_jobs(the);
}

void machines_start(struct machines *machines, const struct creation *creation, const char *preload_path,
  const char *main_path, void *context) {
  txMachine *root = fxCreateMachine(&root_creation, "root", context, XS_NO_ID);
  if (root == NULL) {
    fputs("board: no memory for the root machine\n", stderr);
    exit(EXIT_BASE + XS_NOT_ENOUGH_MEMORY_EXIT);
  }
  natives_install(root);
  run(root, parse(root, preload_path));
  machines->main_script = parse(root, main_path);
  fxCollectGarbage(root);
  root_freeze(root);
  fxShareMachine(root);
  root_to_flash(root);
  flash_memory_lock();

  txCreation clone_creation = root_creation;
  clone_creation.initialChunkSize = creation->chunk_bytes;
  clone_creation.incrementalChunkSize = creation->chunk_increment_bytes;
  clone_creation.initialHeapCount = creation->heap_slots;
  clone_creation.incrementalHeapCount = creation->heap_increment_slots;
  clone_creation.stackCount = creation->stack_slots;
  clone_creation.initialKeyCount = creation->keys;
  clone_creation.incrementalKeyCount = creation->keys_increment;
  txMachine *clone = fxCloneMachine(&clone_creation, root, "board", context);
  if (clone == NULL) {
    fputs("board: the creation figures leave no room for the machine itself\n", stderr);
    exit(EXIT_BASE + XS_NOT_ENOUGH_MEMORY_EXIT);
  }
  clone->meterIndex = 0;
#if mxStress
  gxStress = 1;
#endif
  machines->root = root;
  machines->clone = clone;
}

void machines_run_main(struct machines *machines) {
  run(machines->clone, machines->main_script);
}

void machines_delete(struct machines *machines) {
  fxDeleteMachine(machines->clone);
  flash_memory_unlock();
  fxDeleteMachine(machines->root);
}

void machine_run_jobs(void *machine) {
  txMachine *the = machine;
  while (the->promiseJobsWaiting) {
    the->promiseJobsWaiting = 0;
    fxRunPromiseJobs(the);
  }
  fxEndJob(the);
  fxCheckUnhandledRejections(the, 1);
}

uint32_t machine_compute_units(void *machine) {
  return ((txMachine *)machine)->meterIndex;
}

/* firmware/native/charge.h: what a native's work costs, for the meter counts a call as one unit. */
void native_charge(txMachine *the, uint32_t units) {
  the->meterIndex += units;
}

struct heap_figures machine_measure(void *machine) {
  txMachine *the = machine;
  struct heap_figures figures = {
    .slot_bytes = sizeof(txSlot),
    .peak_slots = (uint32_t)the->peakHeapCount,
    .peak_chunk_bytes = (uint32_t)the->peakChunksSize,
    .garbage_collections = the->garbageCollectionCount,
    .compute_units = the->meterIndex,
  };
  /* Twice: where XS has collected by itself since, the first leaves up to five slots behind, the second none (measured, XS 13.3). */
  fxCollectGarbage(the);
  fxCollectGarbage(the);
  figures.slots = (uint32_t)the->currentHeapCount;
  figures.chunk_bytes = (uint32_t)the->currentChunksSize;
  figures.reserved_bytes = (uint32_t)the->maximumHeapCount * sizeof(txSlot) + (uint32_t)the->maximumChunksSize;
  figures.stack_peak_slots = (uint32_t)(the->stackTop - the->stackPeak);
  figures.keys = (uint32_t)(the->keyIndex - the->keyOffset);
  for (txID index = 0; index < the->aliasCount; index++) figures.aliases += the->aliasArray[index] != C_NULL;
  the->peakHeapCount = the->currentHeapCount;
  the->peakChunksSize = the->currentChunksSize;
  return figures;
}

/* What XS asks of its platform. */

void fxQueuePromiseJobs(txMachine *the) {
  the->promiseJobsWaiting = 1;
}

void fxAbort(txMachine *the, int status) {
  machine_abort(the, status);
}

/* Only the clone has a machine to share; it is set before the clone allocates. */
static int is_root(const txMachine *the) {
  return the->sharedMachine == C_NULL;
}

static void *allocate(txMachine *the, size_t bytes) {
  const size_t limit = sizeof(void *) == 4 ? MEMORY_LIMIT_BYTES_32 : MEMORY_LIMIT_BYTES_64;
  if (is_root(the)) return flash_memory_allocate(bytes);
  if (the->allocatedBytes + bytes > limit) return C_NULL;
  the->allocatedBytes += bytes;
  return c_malloc(bytes);
}

void *fxAllocateChunks(txMachine *the, txSize bytes) {
  return allocate(the, (size_t)bytes);
}

void fxFreeChunks(txMachine *the, void *chunks) {
  if (!is_root(the)) c_free(chunks);
}

txSlot *fxAllocateSlots(txMachine *the, txSize count) {
  return allocate(the, (size_t)count * sizeof(txSlot));
}

void fxFreeSlots(txMachine *the, void *slots) {
  if (!is_root(the)) c_free(slots);
}
