#include "tls-name.h"

#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tls.h"

#define MAX_LABEL_BYTES 63u /* RFC 1035 2.3.4 */
#define IPV4_BYTES 4u
/* GeneralName, RFC 5280 4.2.1.6: context-specific, primitive. */
#define SAN_DNS_NAME 0x82
#define SAN_IP_ADDRESS 0x87

static bool parse_ipv4(const char *text, uint8_t address[IPV4_BYTES]) {
  for (unsigned i = 0; i < IPV4_BYTES; i++) {
    unsigned value = 0;
    unsigned digits = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
      if (digits > 0 && value == 0) return false; /* a leading zero: octal to some */
      value = value * 10 + (unsigned)(*text - '0');
      if (++digits > 3 || value > 255) return false;
    }
    if (digits == 0) return false;
    address[i] = (uint8_t)value;
    if (*text++ != (i + 1 < IPV4_BYTES ? '.' : '\0')) return false;
  }
  return true;
}

static bool is_dns_name(const char *host) {
  const size_t length = strlen(host);
  if (length == 0 || length > TLS_MAX_HOST_BYTES) return false;
  size_t label = 0;
  bool numeric = true; /* the last label: all digits is an address, or nothing */
  for (size_t i = 0; i < length; i++) {
    const unsigned char c = (unsigned char)host[i];
    if (c == '.') {
      if (label == 0 || host[i - 1] == '-') return false;
      label = 0;
      numeric = true;
      continue;
    }
    const bool digit = c >= '0' && c <= '9';
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!digit && !letter && c != '-' && c != '_') return false;
    if (c == '-' && label == 0) return false;
    if (++label > MAX_LABEL_BYTES) return false;
    numeric = numeric && digit;
  }
  return label > 0 && host[length - 1] != '-' && !numeric;
}

enum host_kind host_kind_of(const char *host) {
  uint8_t address[IPV4_BYTES];
  if (parse_ipv4(host, address)) return HOST_IPV4;
  return is_dns_name(host) ? HOST_DNS : HOST_INVALID;
}

static bool equal_without_case(const char *a, const char *b, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if (tolower((unsigned char)a[i]) != tolower((unsigned char)b[i])) return false;
  }
  return true;
}

static bool pattern_matches(const char *pattern, size_t length, const char *host) {
  const size_t host_length = strlen(host);
  if (length == host_length && equal_without_case(pattern, host, length)) return true;
  if (length < 3 || pattern[0] != '*' || pattern[1] != '.') return false;
  if (memchr(pattern + 2, '.', length - 2) == NULL) return false;
  const char *rest = strchr(host, '.');
  if (rest == NULL || rest == host) return false;
  const size_t rest_length = host_length - (size_t)(rest - host);
  return rest_length == length - 1 && equal_without_case(pattern + 1, rest, rest_length);
}

bool certificate_names_host(const mbedtls_x509_crt *certificate, const char *host) {
  uint8_t address[IPV4_BYTES];
  const bool wants_address = parse_ipv4(host, address);
  for (const mbedtls_x509_sequence *entry = &certificate->subject_alt_names; entry != NULL; entry = entry->next) {
    const mbedtls_x509_buf *name = &entry->buf;
    if (name->p == NULL) continue;
    if (wants_address) {
      if (name->tag == SAN_IP_ADDRESS && name->len == IPV4_BYTES && memcmp(name->p, address, IPV4_BYTES) == 0) return true;
    } else if (name->tag == SAN_DNS_NAME && pattern_matches((const char *)name->p, name->len, host)) {
      return true;
    }
  }
  return false;
}
