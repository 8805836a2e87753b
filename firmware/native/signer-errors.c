/* What the signer's errors are called, and what to do about each. Codes are stable; docs/security.md lists them. */
#include "signer.h"

const char *signer_error_code(enum signer_error error) {
  switch (error) {
    case SIGNER_OK: return "OK";
    case SIGNER_SLOT: return "ERR_SIGNER_SLOT";
    case SIGNER_RESOURCE: return "ERR_SIGNER_RESOURCE";
    case SIGNER_EXPIRY: return "ERR_SIGNER_EXPIRY";
    case SIGNER_LABEL: return "ERR_SIGNER_LABEL";
    case SIGNER_STORE: return "ERR_SIGNER_STORE";
    case SIGNER_FAILED: return "ERR_SIGNER_FAILED";
    case SIGNER_SELF_TEST: return "ERR_SIGNER_SELF_TEST";
    case SIGNER_EFUSE_UNBURNT: return "ERR_SIGNER_EFUSE_UNBURNT";
    case SIGNER_EFUSE_PURPOSE: return "ERR_SIGNER_EFUSE_PURPOSE";
    case SIGNER_EFUSE_READABLE: return "ERR_SIGNER_EFUSE_READABLE";
    case SIGNER_EFUSE_WRITABLE: return "ERR_SIGNER_EFUSE_WRITABLE";
    case SIGNER_EFUSE_BLOCK: return "ERR_SIGNER_EFUSE_BLOCK";
    case SIGNER_PARTITION_PLAIN: return "ERR_SIGNER_PARTITION_PLAIN";
  }
  return "ERR_SIGNER_FAILED";
}

const char *signer_error_text(enum signer_error error) {
  switch (error) {
    case SIGNER_OK: return "nothing is wrong";
    case SIGNER_SLOT: return "the slot holds no key of this kind: provision the device";
    case SIGNER_RESOURCE: return "the resource is outside the prefixes that the key was provisioned for";
    case SIGNER_EXPIRY: return "the expiry is not within 366 days from now: check the clock first";
    case SIGNER_LABEL: return "the label must be 1 to 512 bytes of printable ASCII and newlines";
    case SIGNER_STORE: return "the key store is damaged or open to others: provision the device again, keep the file at mode 0600";
    case SIGNER_SELF_TEST: return "HMAC-SHA256 gives wrong results here: do not use this build, or this chip";
    case SIGNER_EFUSE_UNBURNT: return "the eFuse block holds no key: latchkey provision --burn";
    case SIGNER_EFUSE_PURPOSE: return "the eFuse block was burnt for another purpose than HMAC_UP: provision with a free block";
    case SIGNER_EFUSE_READABLE: return "software can read the key in the eFuse block: take the key as known, provision a new one in a free block";
    case SIGNER_EFUSE_WRITABLE: return "the eFuse block or its purpose is not write-protected: latchkey provision --burn locks it";
    case SIGNER_EFUSE_BLOCK: return "not a key block (0 to 5), or the one that protects NVS: provision with another block";
    case SIGNER_PARTITION_PLAIN: return "the key partition is not encrypted and this build wants it to be: enable flash encryption, or use an eFuse block";
    case SIGNER_FAILED: break;
  }
  return "the cryptography failed, for want of memory most likely";
}
