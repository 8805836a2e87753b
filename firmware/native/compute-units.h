/*
 * Compute units of the natives. One unit is 2.5 ns of the machine on which the table was measured, once, and the table is fixed:
 * the figures are the same on every machine. Measured with test/hostile/tls/measure-units.c, gcc -O2, Debian's Mbed TLS 2.28.3
 * for amd64, median of 11 runs.
 */
#ifndef LATCHKEY_COMPUTE_UNITS_H
#define LATCHKEY_COMPUTE_UNITS_H

#define UNITS_SHA256_BLOCK 85u

#define UNITS_HMAC_CALL 400u
#define UNITS_KEY_READ 2000u

#define UNITS_TLS_START 4000u
#define UNITS_CERTIFICATE_PARSE 4000u
#define UNITS_TLS_CALL 40u
#define UNITS_RECORD 600u
#define UNITS_AEAD_BLOCK 12u /* AES-GCM, 16 bytes */
#define UNITS_ECDHE 400000u  /* P-256: a key pair and a shared secret */
#define UNITS_ECDSA_P256_VERIFY 500000u
#define UNITS_ECDSA_P384_VERIFY 1000000u
#define UNITS_ECDSA_SIGN 200000u
#define UNITS_RSA_2048_VERIFY 16000u
#define UNITS_RSA_3072_VERIFY 36000u
#define UNITS_RSA_4096_VERIFY 64000u

#endif
