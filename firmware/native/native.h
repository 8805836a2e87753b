/*
 * The natives' state: the one place of firmware/native that is global, since a native function is given nothing but its machine. A
 * port calls native_start before the first script runs and native_stop after the last.
 */
#ifndef LATCHKEY_NATIVE_H
#define LATCHKEY_NATIVE_H

#include "key-store.h"
#include "signer.h"
#include "tls.h"

/* `keys` outlives the machine; NULL: the signer's slots are empty. */
void native_start(const struct key_store *keys);
/* Wipes and frees; destroy the machine first. */
void native_stop(void);

struct signer *native_signer(void);
/* Made at the first use; NULL: no memory or no randomness. */
struct tls_context *native_tls(void);

#endif
