/* Where the signer's keys are kept: each port has its own. A key is read into a caller's struct, used, and wiped. */
#ifndef LATCHKEY_KEY_STORE_H
#define LATCHKEY_KEY_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Slots below this one are the store's; from here on they are derived (signer.h). */
#define KEY_STORE_SLOTS 8u
#define KEY_MIN_BYTES 16u /* IoT Hub: keys of 16 to 64 bytes */
#define KEY_MAX_BYTES 64u
#define KEY_PREFIXES_MAX_BYTES 1024u
#define PRIVATE_KEY_MAX_BYTES 2400u /* RSA-4096, PKCS #8 */

enum key_kind { KEY_HMAC = 1, KEY_PRIVATE = 2 };

enum key_status {
  KEY_OK = 0,
  KEY_EMPTY,     /* no such slot, or another kind of key in it */
  KEY_EXPOSED,   /* others may read the store: nothing is read from it */
  KEY_DAMAGED,   /* not in the store's format */
  KEY_FAILED,    /* the medium failed */
  KEY_READ_ONLY, /* this store cannot erase */
  /* Of a chip's eFuse block: */
  KEY_UNBURNT,  /* there is no key in it */
  KEY_PURPOSE,  /* it was burnt for something else than HMAC_UP */
  KEY_READABLE, /* software can read it */
  KEY_WRITABLE, /* it can be overwritten, or its purpose changed */
  KEY_RESERVED, /* no key block, or the one of the encrypted NVS */
  /* Of a chip's key partition: */
  KEY_PLAIN, /* not encrypted, and this build wants it to be */
};

/* What may be known of a slot; no key bytes. */
struct key_info {
  enum key_kind kind;
  /* Resources that the key may sign for, each ended by NUL, one after the other. */
  char prefixes[KEY_PREFIXES_MAX_BYTES];
  size_t prefixes_length;
  /* Where a store keeps keys in several ways; NULL: the store's own names. */
  const char *backend;
  const char *derived_backend;
};

struct hmac_key {
  uint8_t bytes[KEY_MAX_BYTES];
  size_t length;
};

struct key_store {
  /* 'file', 'efuse', 'partition': how keys are kept, and what a key derived from one is called. */
  const char *backend;
  const char *derived_backend;
  enum key_status (*describe)(void *self, unsigned slot, struct key_info *info);
  /* One HMAC key; NULL where keys cannot be read (`mac` is there then). */
  enum key_status (*read)(void *self, unsigned slot, struct hmac_key *key);
  /* HMAC-SHA256 by hardware; NULL where the key is read. */
  enum key_status (*mac)(void *self, unsigned slot, const uint8_t *message, size_t length, uint8_t out[32]);
  /* A private key for TLS, DER, at most PRIVATE_KEY_MAX_BYTES; may be NULL. */
  enum key_status (*read_private)(void *self, unsigned slot, uint8_t *der, size_t capacity, size_t *length);
  enum key_status (*erase)(void *self, unsigned slot);
  /* Whether the medium is what it must be, for every slot; NULL: nothing to look at. An empty store is KEY_OK. */
  enum key_status (*check)(void *self);
  void *self;
};

#endif
