/* Module `embedded:storage/key-value`, with the rules of NVS: names of 15 characters, a value has the format it was written in. */
#include <string.h>

#include "heap.h"
#include "natives.h"
#include "settings-file.h"

struct domain {
  struct settings *settings;
  char name[SETTINGS_MAX_NAME_BYTES + 1];
  char type; /* 's' or 'b' */
  bool read_only;
};

static void domain_destroy(void *data) {
  board_free(data);
}

static const xsHostHooks domain_hooks = { domain_destroy, NULL, NULL };

static struct domain *domain_this(xsMachine *the) {
  struct domain *domain = xsmcGetHostDataValidate(xsThis, (void *)&domain_hooks);
  if (domain == NULL) xsUnknownError("KeyValue: closed");
  return domain;
}

/* A domain or a key: into a buffer of SETTINGS_MAX_NAME_BYTES + 1. */
static void name_argument(xsMachine *the, xsSlot *slot, char *name) {
  const char *text = xsmcToString(*slot);
  const size_t length = strlen(text);
  if (length == 0 || length > SETTINGS_MAX_NAME_BYTES) xsRangeError("KeyValue: a name has 1 to %d characters", SETTINGS_MAX_NAME_BYTES);
  if (strpbrk(text, "\t\n\r") != NULL) xsRangeError("KeyValue: a name has no tab and no line end");
  memcpy(name, text, length + 1);
}

static bool option_is(xsMachine *the, const char *name, const char *value, const char *other) {
  xsmcGet(xsVar(0), xsArg(0), xsID(name));
  if (xsmcTypeOf(xsVar(0)) == xsUndefinedType) return false;
  const char *text = xsmcToString(xsVar(0));
  if (strcmp(text, value) != 0 && strcmp(text, other) != 0) xsRangeError("KeyValue: %s: \"%s\" or \"%s\" expected", name, value, other);
  return strcmp(text, value) == 0;
}

static void store_open(xsMachine *the) {
  struct domain domain = { .settings = board_of(the)->settings };
  xsmcVars(1);
  if (xsmcArgc < 1) xsTypeError("KeyValue.open: options expected");
  xsmcGet(xsVar(0), xsArg(0), xsID("path"));
  name_argument(the, &xsVar(0), domain.name);
  domain.read_only = option_is(the, "mode", "r", "r+");
  domain.type = option_is(the, "format", "string", "buffer") ? 's' : 'b';
  if (domain.read_only && !settings_has_domain(domain.settings, domain.name)) xsUnknownError("KeyValue.open: no such domain");
  xsmcGet(xsVar(0), xsThis, xsID("prototype"));
  xsResult = xsNewHostInstance(xsVar(0));
  struct domain *kept = board_alloc(sizeof *kept);
  *kept = domain;
  xsmcSetHostData(xsResult, kept);
}

static void store_read(xsMachine *the) {
  struct domain *domain = domain_this(the);
  char key[SETTINGS_MAX_NAME_BYTES + 1];
  if (xsmcArgc < 1) xsTypeError("KeyValue.read: a key expected");
  name_argument(the, &xsArg(0), key);
  const struct setting *setting = settings_find(domain->settings, domain->name, key);
  if (setting == NULL) return;
  if (setting->type != domain->type) xsTypeError("KeyValue.read: mismatch: written in another format");
  if (setting->type == 's') xsmcSetString(xsResult, (char *)setting->bytes);
  else {
    xsmcSetArrayBuffer(xsResult, NULL, (xsIntegerValue)setting->count);
    memcpy(xsmcToArrayBuffer(xsResult), setting->bytes, setting->count);
  }
}

static void store_write(xsMachine *the) {
  struct domain *domain = domain_this(the);
  char key[SETTINGS_MAX_NAME_BYTES + 1];
  void *bytes;
  xsUnsignedValue count;
  if (domain->read_only) xsUnknownError("KeyValue.write: read-only");
  if (xsmcArgc < 2) xsTypeError("KeyValue.write: key and value expected");
  name_argument(the, &xsArg(0), key);
  if (domain->type == 's') {
    bytes = xsmcToString(xsArg(1));
    count = (xsUnsignedValue)strlen(bytes);
  }
  else xsmcGetBufferReadable(xsArg(1), &bytes, &count);
  if (count > SETTINGS_MAX_VALUE_BYTES) xsRangeError("KeyValue.write: at most %d bytes", SETTINGS_MAX_VALUE_BYTES);
  if (!settings_write(domain->settings, domain->name, key, domain->type, bytes, count)) {
    xsUnknownError("KeyValue.write: the file of the device could not be written: is the disk full?");
  }
}

static void store_delete(xsMachine *the) {
  struct domain *domain = domain_this(the);
  char key[SETTINGS_MAX_NAME_BYTES + 1];
  bool existed;
  if (domain->read_only) xsUnknownError("KeyValue.delete: read-only");
  if (xsmcArgc < 1) xsTypeError("KeyValue.delete: a key expected");
  name_argument(the, &xsArg(0), key);
  if (!settings_delete(domain->settings, domain->name, key, &existed)) {
    xsUnknownError("KeyValue.delete: the file of the device could not be written: is the disk full?");
  }
  xsmcSetBoolean(xsResult, existed);
}

static void store_close(xsMachine *the) {
  struct domain *domain = xsmcGetHostDataValidate(xsThis, (void *)&domain_hooks);
  xsmcSetHostData(xsThis, NULL);
  board_free(domain);
}

void key_value_module(xsMachine *the, xsSlot *module) {
  xsVar(2) = xsNewHostObject(NULL);
  xsSetHostHooks(xsVar(2), &domain_hooks);
  native_method(the, &xsVar(2), "read", store_read, 1);
  native_method(the, &xsVar(2), "write", store_write, 2);
  native_method(the, &xsVar(2), "delete", store_delete, 1);
  native_method(the, &xsVar(2), "close", store_close, 0);
  xsmcSetNewObject(xsVar(3));
  native_method(the, &xsVar(3), "open", store_open, 1);
  xsmcDefine(xsVar(3), xsID("prototype"), xsVar(2), xsDontEnum);
  xsmcSet(*module, xsID("default"), xsVar(3));
}
