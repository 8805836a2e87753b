/* Module `embedded:storage/flash`: one partition, "latchkey". */
#include <string.h>

#include "natives.h"
#include "nor-flash.h"

static void handle_destroy(void *data) {
  (void)data; /* the flash is the board's */
}

static const xsHostHooks flash_hooks = { handle_destroy, NULL, NULL };

static struct flash *flash_this(xsMachine *the) {
  struct flash *flash = xsmcGetHostDataValidate(xsThis, (void *)&flash_hooks);
  if (flash == NULL) xsUnknownError("Flash: closed");
  return flash;
}

static size_t size_argument(xsMachine *the, int index, size_t absent, const char *name) {
  if (xsmcArgc <= index || xsmcTypeOf(xsArg(index)) == xsUndefinedType) return absent;
  const double value = xsmcToNumber(xsArg(index));
  if (!(value >= 0 && value <= FLASH_BYTES) || value != (double)(size_t)value) xsRangeError("Flash: %s: outside of the partition", name);
  return (size_t)value;
}

static void js_flash_open(xsMachine *the) {
  xsmcVars(1);
  if (xsmcArgc < 1) xsTypeError("flash.open: options expected");
  xsmcGet(xsVar(0), xsArg(0), xsID("path"));
  if (strcmp(xsmcToString(xsVar(0)), FLASH_PARTITION) != 0) xsUnknownError("flash.open: can't find partition");
  xsmcGet(xsVar(0), xsThis, xsID("prototype"));
  xsResult = xsNewHostInstance(xsVar(0));
  xsmcSetHostData(xsResult, board_of(the)->flash);
}

static void js_flash_status(xsMachine *the) {
  flash_this(the);
  xsmcVars(1);
  xsmcSetNewObject(xsResult);
  xsmcSetInteger(xsVar(0), FLASH_BYTES);
  xsmcSet(xsResult, xsID("size"), xsVar(0));
  xsmcSetInteger(xsVar(0), FLASH_BYTES / FLASH_BLOCK_BYTES);
  xsmcSet(xsResult, xsID("blocks"), xsVar(0));
  xsmcSetInteger(xsVar(0), FLASH_BLOCK_BYTES);
  xsmcSet(xsResult, xsID("blockLength"), xsVar(0));
}

static void js_flash_erase(xsMachine *the) {
  struct flash *flash = flash_this(the);
  if (xsmcArgc < 1) xsTypeError("Flash.eraseBlock: a block expected");
  const size_t start = size_argument(the, 0, 0, "start");
  const size_t end = size_argument(the, 1, start + 1, "end");
  if (start > end || end > FLASH_BYTES / FLASH_BLOCK_BYTES) xsRangeError("Flash.eraseBlock: outside of the partition");
  for (size_t block = start; block < end; block++) flash_erase(flash, block);
}

static void js_flash_read(xsMachine *the) {
  struct flash *flash = flash_this(the);
  if (xsmcArgc < 2) xsTypeError("Flash.read: byteLength and byteOffset expected");
  const size_t count = size_argument(the, 0, 0, "byteLength");
  const size_t offset = size_argument(the, 1, 0, "byteOffset");
  if (count > FLASH_BYTES - offset) xsRangeError("Flash.read: outside of the partition");
  xsmcSetArrayBuffer(xsResult, NULL, (xsIntegerValue)count);
  flash_read(flash, offset, xsmcToArrayBuffer(xsResult), count);
}

static void js_flash_write(xsMachine *the) {
  struct flash *flash = flash_this(the);
  void *bytes;
  xsUnsignedValue count;
  if (xsmcArgc < 2) xsTypeError("Flash.write: bytes and byteOffset expected");
  const size_t offset = size_argument(the, 1, 0, "byteOffset");
  xsmcGetBufferReadable(xsArg(0), &bytes, &count);
  if (count > FLASH_BYTES - offset) xsRangeError("Flash.write: outside of the partition");
  if (offset % FLASH_UNIT_BYTES != 0 || count % FLASH_UNIT_BYTES != 0) {
    xsRangeError("Flash.write: offset and length are to be multiples of %d", FLASH_UNIT_BYTES);
  }
  if (!flash_program(flash, offset, bytes, count)) {
    xsUnknownError("Flash.write: a unit of %d bytes was written before: erase its block first", FLASH_UNIT_BYTES);
  }
}

static void js_flash_close(xsMachine *the) {
  xsmcGetHostDataValidate(xsThis, (void *)&flash_hooks);
  xsmcSetHostData(xsThis, NULL);
}

void flash_module(xsMachine *the, xsSlot *module) {
  xsVar(2) = xsNewHostObject(NULL);
  xsSetHostHooks(xsVar(2), &flash_hooks);
  native_method(the, &xsVar(2), "status", js_flash_status, 0);
  native_method(the, &xsVar(2), "eraseBlock", js_flash_erase, 2);
  native_method(the, &xsVar(2), "read", js_flash_read, 2);
  native_method(the, &xsVar(2), "write", js_flash_write, 2);
  native_method(the, &xsVar(2), "close", js_flash_close, 0);
  xsmcSetNewObject(xsVar(3));
  native_method(the, &xsVar(3), "open", js_flash_open, 1);
  xsmcDefine(xsVar(3), xsID("prototype"), xsVar(2), xsDontEnum);
  xsmcSet(*module, xsID("default"), xsVar(3));
}
