#include "flash-image.h"

#include <stdio.h>
#include <stdlib.h>

#include "flash-memory.h"

extern void fxRemapIDs(txMachine *the, txByte *codeBuffer, txSize codeSize, txID *theIDs);

char *read_text(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
    fprintf(stderr, "board: %s: %s\n", path, strerror(errno));
    exit(EXIT_FAILURE);
  }
  *size = (size_t)ftell(file);
  rewind(file);
  char *text = c_malloc(*size + 1);
  if (text == NULL || fread(text, 1, *size, file) != *size) {
    fprintf(stderr, "board: %s: cannot be read\n", path);
    exit(EXIT_FAILURE);
  }
  text[*size] = 0;
  fclose(file);
  return text;
}

void free_text(char *text) {
  c_free(text);
}

/* The codes that carry code or text have a twin that says: this lies in flash. */
static txByte archive_code(txByte code) {
  switch ((txU1)code) {
    case XS_CODE_CODE_1: return (txByte)XS_CODE_CODE_ARCHIVE_1;
    case XS_CODE_CODE_2: return (txByte)XS_CODE_CODE_ARCHIVE_2;
    case XS_CODE_CODE_4: return (txByte)XS_CODE_CODE_ARCHIVE_4;
    case XS_CODE_STRING_1: return (txByte)XS_CODE_STRING_ARCHIVE_1;
    case XS_CODE_STRING_2: return (txByte)XS_CODE_STRING_ARCHIVE_2;
    case XS_CODE_STRING_4: return (txByte)XS_CODE_STRING_ARCHIVE_4;
    default: return code;
  }
}

/* Bytes of the instruction at `code`, as fxRemapIDs counts them. */
static txSize instruction_bytes(txByte *code) {
  const txS1 size = gxCodeSizes[(txU1)*code];
  txByte *p = code + 1;
  if (size > 0) return size;
  if (size == 0) return 1 + (txSize)sizeof(txID);
  if (size == -1) return 2 + (txSize)(txU1)*p;
  if (size == -2) {
    txU2 length;
    mxDecode2(p, length);
    return 3 + (txSize)length;
  }
  txS4 length;
  mxDecode4(p, length);
  return 5 + (txSize)length;
}

void script_to_flash(txMachine *root, txScript *script) {
  if (script->symbolsBuffer != C_NULL) {
    txByte *p = script->symbolsBuffer;
    txID count;
    mxDecodeID(p, count);
    txID *ids = c_malloc(count * sizeof(txID));
    ids[0] = XS_NO_ID;
    for (txID index = 1; index < count; index++) {
      ids[index] = fxNewNameX(root, (txString)p);
      p += c_strlen((txString)p) + 1;
    }
    fxRemapIDs(root, script->codeBuffer, script->codeSize, ids);
    c_free(ids);
    script->symbolsBuffer = C_NULL; /* its names are used in place: it is never freed */
  }
  txByte *flash = flash_memory_allocate((size_t)script->codeSize);
  if (flash == NULL) {
    fputs("board: no memory for the bytecode\n", stderr);
    exit(EXIT_FAILURE);
  }
  c_memcpy(flash, script->codeBuffer, (size_t)script->codeSize);
  c_free(script->codeBuffer);
  script->codeBuffer = flash;
  txByte *code = flash;
  const txByte *end = code + script->codeSize;
  while (code < end) {
    const txSize bytes = instruction_bytes(code);
    *code = archive_code(*code);
    code += bytes;
  }
}

static void freeze_property(txSlot *property) {
  if (property->kind != XS_ACCESSOR_KIND) property->flag |= XS_DONT_SET_FLAG;
  property->flag |= XS_DONT_DELETE_FLAG;
}

/* Private fields need nothing: fxShareMachine marks them, and XS does not set what is marked. */
static void freeze_instance(txMachine *the, txSlot *instance) {
  (void)the;
  instance->flag |= XS_DONT_PATCH_FLAG;
  for (txSlot *property = instance->next; property != C_NULL; property = property->next) {
    freeze_property(property);
    if (property->kind == XS_ARRAY_KIND) {
      txSlot *item = property->value.array.address;
      for (txIndex rest = fxGetIndexSize(the, property); rest > 0; rest--) freeze_property(item++);
    }
  }
}

void root_freeze(txMachine *root) {
  txMachine *the = root;
  const txSlot *global = mxGlobal.value.reference;
  for (txSlot *heap = root->firstHeap; heap != C_NULL; heap = heap->next) {
    for (txSlot *slot = heap + 1; slot < heap->value.reference; slot++) {
      if (slot->kind == XS_INSTANCE_KIND && slot != global) freeze_instance(root, slot);
      else if (slot->kind == XS_CLOSURE_KIND) slot->value.closure->flag |= XS_DONT_SET_FLAG;
    }
  }
}

static void to_flash(txSlot *slot) {
  switch (slot->kind) {
    case XS_STRING_KIND: slot->kind = XS_STRING_X_KIND; break;
    case XS_KEY_KIND: slot->kind = XS_KEY_X_KIND; break;
    case XS_BIGINT_KIND: slot->kind = XS_BIGINT_X_KIND; break;
    case XS_CODE_KIND: slot->kind = XS_CODE_X_KIND; break;
    default: break;
  }
}

/* The global object remembers where it found a built-in: that table stays in RAM. */
static void move_global_cache(txMachine *the) {
  txSlot *cache = mxGlobal.value.reference->next;
  const size_t bytes = (size_t)cache->value.table.length * sizeof(txSlot *);
  txSlot **copy = c_malloc(bytes);
  if (copy == C_NULL) exit(EXIT_FAILURE);
  c_memcpy(copy, cache->value.table.address, bytes);
  cache->value.table.address = copy;
}

void root_to_flash(txMachine *root) {
  txMachine *the = root;
  move_global_cache(root);
  for (txSlot *heap = root->firstHeap; heap != C_NULL; heap = heap->next) {
    for (txSlot *slot = heap + 1; slot < heap->value.reference; slot++) {
      to_flash(slot);
      if (slot->kind == XS_ARRAY_KIND) {
        txSlot *item = slot->value.array.address;
        for (txIndex rest = fxGetIndexSize(the, slot); rest > 0; rest--) to_flash(item++);
      }
    }
  }
  for (txSlot *slot = root->stack; slot < root->stackTop; slot++) to_flash(slot);
}
