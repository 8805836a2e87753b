/*
 * Measures what firmware/native/compute-units.h holds: CPU time of one operation each, median of 11 runs, in units of 2.5 ns.
 *
 *   gcc -O2 -Ifirmware/native -Ihost-sim/board -o measure test/hostile/tls/measure-units.c firmware/native/{tls,tls-*,byte-queue,hmac}.c
 *     host-sim/board/key-file.c -l:libmbedtls.a -l:libmbedx509.a -l:libmbedcrypto.a     (without the -xs.c files)
 *   ./measure KEYS.BIN CERTIFICATE.DER
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hmac.h"
#include "key-file.h"
#include "mbedtls/ecdh.h"
#include "mbedtls/pk.h"
#include "mbedtls/psa_util.h"
#include "mbedtls/rsa.h"
#include "mbedtls/x509_crt.h"
#include "psa/crypto.h"
#include "tls.h"

#define NS_PER_UNIT 2.5
#define RUNS 11
#define RANDOM mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE

static struct key_file keys;
static uint8_t certificate[8192];
static size_t certificate_length;
static uint8_t block[16384 + 64];
static struct tls_context *context;

static double cpu_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a;
  const double y = *(const double *)b;
  return (x > y) - (x < y);
}

static double measure(const char *name, int times, void (*operation)(void *), void *argument) {
  double runs[RUNS];
  operation(argument);
  for (int run = 0; run < RUNS; run++) {
    const double start = cpu_ns();
    for (int i = 0; i < times; i++) operation(argument);
    runs[run] = (cpu_ns() - start) / times / NS_PER_UNIT;
  }
  qsort(runs, RUNS, sizeof runs[0], ascending);
  printf("%-28s %12.0f units\n", name, runs[RUNS / 2]);
  return runs[RUNS / 2];
}

static void hash(void *length) {
  uint8_t out[32];
  size_t out_length;
  psa_hash_compute(PSA_ALG_SHA_256, block, *(size_t *)length, out, sizeof out, &out_length);
}

static void hmac(void *length) {
  uint8_t out[32];
  compute_hmac_sha256(block, 32, block, *(size_t *)length, out);
}

static void read_key(void *unused) {
  struct key_info info;
  struct hmac_key key;
  (void)unused;
  keys.store.describe(&keys, 0, &info);
  keys.store.read(&keys, 0, &key);
}

static void parse(void *unused) {
  mbedtls_x509_crt parsed;
  (void)unused;
  mbedtls_x509_crt_init(&parsed);
  mbedtls_x509_crt_parse_der(&parsed, certificate, certificate_length);
  mbedtls_x509_crt_free(&parsed);
}

static void start(void *unused) {
  (void)unused;
  struct tls *tls = tls_create(context);
  tls_set_host(tls, "hub.test");
  tls_add_root(tls, certificate, certificate_length);
  if (tls_start(tls) != TLS_OK) exit(1);
  tls_destroy(tls);
}

static void seal(void *arguments) {
  const size_t *length = arguments;
  static psa_key_id_t id;
  size_t out_length;
  if (id == 0) {
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_set_key_type(&attributes, PSA_KEY_TYPE_AES);
    psa_set_key_algorithm(&attributes, PSA_ALG_GCM);
    psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_ENCRYPT);
    psa_import_key(&attributes, block, 16, &id);
  }
  psa_aead_encrypt(id, PSA_ALG_GCM, block, 12, block, 13, block, *length, block, sizeof block, &out_length);
}

static void ecdhe(void *unused) {
  mbedtls_ecdh_context ours;
  uint8_t point[80];
  uint8_t secret[80];
  size_t length;
  (void)unused;
  mbedtls_ecdh_init(&ours);
  mbedtls_ecdh_setup(&ours, MBEDTLS_ECP_DP_SECP256R1);
  mbedtls_ecdh_make_params(&ours, &length, point, sizeof point, RANDOM);
  mbedtls_ecdh_read_public(&ours, point + 3, length - 3);
  mbedtls_ecdh_calc_secret(&ours, &length, secret, sizeof secret, RANDOM);
  mbedtls_ecdh_free(&ours);
}

struct signature {
  mbedtls_pk_context key;
  uint8_t bytes[MBEDTLS_PK_SIGNATURE_MAX_SIZE];
  size_t length;
};

static void verify(void *argument) {
  struct signature *signature = argument;
  if (mbedtls_pk_verify(&signature->key, MBEDTLS_MD_SHA256, block, 32, signature->bytes, signature->length) != 0) exit(1);
}

static void sign(void *argument) {
  struct signature *signature = argument;
  mbedtls_pk_sign(&signature->key, MBEDTLS_MD_SHA256, block, 32, signature->bytes, &signature->length, RANDOM);
}

static void measure_signature(const char *name, mbedtls_ecp_group_id group, unsigned rsa_bits) {
  struct signature signature;
  mbedtls_pk_init(&signature.key);
  mbedtls_pk_setup(&signature.key, mbedtls_pk_info_from_type(rsa_bits > 0 ? MBEDTLS_PK_RSA : MBEDTLS_PK_ECKEY));
  if (rsa_bits > 0) mbedtls_rsa_gen_key(mbedtls_pk_rsa(signature.key), RANDOM, rsa_bits, 65537);
  else mbedtls_ecp_gen_key(group, mbedtls_pk_ec(signature.key), RANDOM);
  memset(block, 7, 32);
  sign(&signature);
  char title[64];
  snprintf(title, sizeof title, "%s verify", name);
  measure(title, rsa_bits > 0 ? 200 : 20, verify, &signature);
  if (group == MBEDTLS_ECP_DP_SECP256R1) measure("P-256 sign", 20, sign, &signature);
  mbedtls_pk_free(&signature.key);
}

int main(int argc, char **argv) {
  if (argc != 3 || !key_file_init(&keys, argv[1]) || psa_crypto_init() != PSA_SUCCESS) return 1;
  FILE *file = fopen(argv[2], "rb");
  if (file == NULL) return 1;
  certificate_length = fread(certificate, 1, sizeof certificate, file);
  fclose(file);
  context = tls_context_create();

  size_t short_bytes = 0;
  size_t long_bytes = 6400;
  const double short_hash = measure("SHA-256 call", 20000, hash, &short_bytes);
  const double long_hash = measure("SHA-256 of 100 blocks", 2000, hash, &long_bytes);
  const double sha_block = (long_hash - short_hash) / 100;
  printf("%-28s %12.1f units\n", "SHA-256 block", sha_block);
  size_t message = 20;
  printf("%-28s %12.0f units\n", "HMAC call without blocks", measure("HMAC of 20 bytes", 5000, hmac, &message) - 4 * sha_block);
  measure("key read", 2000, read_key, NULL);
  measure("certificate parse", 2000, parse, NULL);
  measure("TLS create and start", 500, start, NULL);
  size_t small = 16;
  size_t large = 16384;
  const double small_record = measure("AES-GCM of 16 bytes", 5000, seal, &small);
  printf("%-28s %12.1f units\n", "AES-GCM, 16 bytes more", (measure("AES-GCM of 16384 bytes", 200, seal, &large) - small_record) / 1023);
  measure("ECDHE P-256", 20, ecdhe, NULL);
  measure_signature("P-256", MBEDTLS_ECP_DP_SECP256R1, 0);
  measure_signature("P-384", MBEDTLS_ECP_DP_SECP384R1, 0);
  measure_signature("RSA-2048", MBEDTLS_ECP_DP_NONE, 2048);
  measure_signature("RSA-3072", MBEDTLS_ECP_DP_NONE, 3072);
  measure_signature("RSA-4096", MBEDTLS_ECP_DP_NONE, 4096);
  tls_context_free(context);
  return 0;
}
