/*
 * Signs SAS tokens with keys that never leave C. It is no oracle: it builds the string to sign, for a resource inside the prefixes that
 * were bound to the key when it was provisioned and for an expiry of at most 366 days. There is no general HMAC.
 *
 * A derived slot keeps how its key is derived, not the key: between two calls no key byte is in memory. It ends with its source.
 */
#ifndef LATCHKEY_SIGNER_H
#define LATCHKEY_SIGNER_H

#include <stdint.h>

#include "key-store.h"

#define SIGNER_DERIVED_SLOTS 8u
#define SIGNER_SLOTS (KEY_STORE_SLOTS + SIGNER_DERIVED_SLOTS)
#define SIGNER_MAX_DERIVATIONS 2u
#define SIGNER_MAX_LABEL_BYTES 512u
/* Host 253, device and module id 128 each, every character as %XX, and the words between. */
#define SIGNER_MAX_RESOURCE_BYTES 1536u
#define SIGNER_MAX_LIFE_SECONDS (366 * 86400)
#define SIGNER_SIGNATURE_BYTES 45u /* base64 of 32 bytes, and NUL */

enum signer_error {
  SIGNER_OK = 0,
  SIGNER_SLOT,     /* empty, or not of the kind that is asked for */
  SIGNER_RESOURCE, /* malformed, or outside the slot's prefixes */
  SIGNER_EXPIRY,   /* in the past by the epoch, or more than 366 days from now */
  SIGNER_LABEL,    /* empty, longer than 512 bytes, or not printable ASCII and newlines */
  SIGNER_STORE,    /* the key store is exposed or damaged */
  SIGNER_FAILED,   /* PSA failed: no memory, most likely */
  SIGNER_SELF_TEST, /* HMAC-SHA256 is wrong in this build, or on this chip */
  /* As the KEY_… of key-store.h: */
  SIGNER_EFUSE_UNBURNT,
  SIGNER_EFUSE_PURPOSE,
  SIGNER_EFUSE_READABLE,
  SIGNER_EFUSE_WRITABLE,
  SIGNER_EFUSE_BLOCK,
  SIGNER_PARTITION_PLAIN,
};

/* "ERR_SIGNER_RESOURCE" and so on: stable. */
const char *signer_error_code(enum signer_error error);
/* One sentence with the remedy. */
const char *signer_error_text(enum signer_error error);

struct derived_slot {
  unsigned source; /* a slot of the store or another derived one */
  uint16_t label_length; /* 0: empty */
  uint8_t label[SIGNER_MAX_LABEL_BYTES];
};

struct signer {
  const struct key_store *store;
  struct derived_slot derived[SIGNER_DERIVED_SLOTS];
  uint32_t units;
};

/* `store` outlives the signer; NULL: every slot is empty. */
void signer_init(struct signer *signer, const struct key_store *store);
void signer_clear(struct signer *signer);

/* base64(HMAC-SHA256(key, resource "\n" expiry)), `resource` as it will stand in the token: percent-encoded or not. */
enum signer_error signer_sign_sas(struct signer *signer, unsigned slot, const char *resource, int64_t expiry_s,
                                  char signature[SIGNER_SIGNATURE_BYTES]);
/* HMAC-SHA256(key of `from`, label) becomes the key of the derived slot `into`, with the prefixes of `from`. */
enum signer_error signer_derive(struct signer *signer, unsigned from, const char *label, unsigned into);
/* Empties a slot, and those derived from it; SIGNER_STORE where the store cannot erase. */
enum signer_error signer_erase(struct signer *signer, unsigned slot);
/* 'file', 'derived', 'efuse', …; NULL when the slot is empty. */
const char *signer_backend(const struct signer *signer, unsigned slot);
/* Whether the store is what it must be: blocks burnt, for this purpose, locked. */
enum signer_error signer_check(const struct signer *signer);
/* A known HMAC, and that each filled slot gives the same answer twice. No key is needed for the first. */
enum signer_error signer_self_test(struct signer *signer);
/* A private key for the TLS client; the caller wipes it. */
enum signer_error signer_read_private_key(struct signer *signer, unsigned slot, uint8_t *der, size_t capacity, size_t *length);
/* Compute units (compute-units.h) since the last call. */
uint32_t signer_take_units(struct signer *signer);

#ifdef LATCHKEY_TEST_VECTORS
/* For test vectors only: no build of the firmware or of the board sets this. */
enum signer_error signer_test_hmac(const uint8_t *key, size_t key_length, const uint8_t *message, size_t length, uint8_t out[32]);
#endif

#endif
