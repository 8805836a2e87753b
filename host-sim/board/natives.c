#include "natives.h"

#include "xs-faces.h"
#include "xsmc.h"

struct module {
  const char *specifier;
  void (*fill)(xsMachine *the, xsSlot *module);
};

static const struct module modules[] = {
  { "timer", timer_module },
  { "time", time_module },
  { "embedded:io/socket/tcp", tcp_module },
  { "embedded:io/socket/udp", udp_module },
  { "embedded:network/dns/resolver/udp", resolver_module },
  { "embedded:storage/flash", flash_module },
  { "embedded:storage/key-value", key_value_module },
  { "latchkey/board", board_module },
  { "latchkey/tls", tls_module },
  { "latchkey/signer", signer_module },
  { "latchkey/verify", verify_module },
};

/* Names that natives look up when they run: known to the root, they take no key of the clone. */
static const char *const property_names[] = {
  "address", "blockLength", "blocks", "default", "format", "host", "mode", "onError", "onReadable", "onResolved", "onWritable",
  "path", "port", "prototype", "size",
  NATIVE_PROPERTY_NAMES,
};

void native_method(xsMachine *the, xsSlot *object, const char *name, xsCallback callback, int length) {
  const xsIdentifier id = xsID(name);
  xsResult = xsNewHostFunctionObject(callback, length, id);
  xsmcDefine(*object, id, xsResult, xsDontEnum);
}

void native_getter(xsMachine *the, xsSlot *object, const char *name, xsCallback callback) {
  const xsIdentifier id = xsID(name);
  xsResult = xsNewHostFunctionObject(callback, 0, id);
  xsmcDefine(*object, id, xsResult, xsDontEnum | xsIsGetter);
}

void native_accessor(xsMachine *the, xsSlot *object, const char *name, xsCallback getter, xsCallback setter) {
  const xsIdentifier id = xsID(name);
  native_getter(the, object, name, getter);
  xsResult = xsNewHostFunctionObject(setter, 1, id);
  xsmcDefine(*object, id, xsResult, xsDontEnum | xsIsSetter);
}

void natives_install(void *root) {
  xsMachine *machine = root;
  xsBeginHost(machine);
  {
    xsTry {
      xsmcVars(4);
      for (size_t index = 0; index < sizeof property_names / sizeof *property_names; index++) xsID(property_names[index]);
      xsmcSetNewObject(xsVar(0));
      for (size_t index = 0; index < sizeof modules / sizeof *modules; index++) {
        xsmcSetNewObject(xsVar(1));
        modules[index].fill(the, &xsVar(1));
        xsmcSet(xsVar(0), xsID(modules[index].specifier), xsVar(1));
      }
      xsmcSet(xsGlobal, xsID("hostModules"), xsVar(0));
    }
    xsCatch {
      machine_abort(the, xsUnhandledExceptionExit);
    }
  }
  xsEndHost(machine);
}
