/*
 * Compute units of the natives: a fixed table, the same on every machine and for every build, so that figures can be compared.
 *
 * One unit is 2.5 ns of the machine on which JavaScript's units were timed; there a block of SHA-256 takes 85. The others were measured
 * once by test/hostile/tls/measure-units.c (gcc -O2, Debian's Mbed TLS 2.28.3 for amd64, CPU time, median of 11 runs), scaled so that the
 * block is 85, and rounded to two digits.
 */
#ifndef LATCHKEY_COMPUTE_UNITS_H
#define LATCHKEY_COMPUTE_UNITS_H

#define UNITS_SHA256_BLOCK 85u

#define UNITS_HMAC_CALL 160u /* beside its blocks: key import and destruction */
#define UNITS_KEY_READ 980u  /* describe and read, the board's file */

#define UNITS_BASE64_CHARACTER 1u /* about 1 ns each; not less than one */

#define UNITS_TLS_START 2100u
#define UNITS_CERTIFICATE_PARSE 240u
#define UNITS_TLS_CALL 40u
#define UNITS_RECORD 140u    /* beside its bytes */
#define UNITS_AEAD_BLOCK 21u /* AES-128-GCM, 16 bytes */
#define UNITS_ECDHE 550000u  /* P-256: a key pair and a shared secret */
#define UNITS_ECDSA_P256_VERIFY 590000u
#define UNITS_ECDSA_P384_VERIFY 990000u
#define UNITS_ECDSA_P256_SIGN 300000u
#define UNITS_RSA_2048_VERIFY 15000u
#define UNITS_RSA_3072_VERIFY 30000u
#define UNITS_RSA_4096_VERIFY 52000u

#endif
