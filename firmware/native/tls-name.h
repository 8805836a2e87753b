/* Host names: what may be asked for, and whether a certificate names it. */
#ifndef LATCHKEY_TLS_NAME_H
#define LATCHKEY_TLS_NAME_H

#include <stdbool.h>

#include "mbedtls/x509_crt.h"

enum host_kind { HOST_INVALID, HOST_DNS, HOST_IPV4 };

/* A DNS name of letters, digits, `-` and `_` (RFC 1123 2.1; no trailing dot), or an IPv4 address in decimal dots. */
enum host_kind host_kind_of(const char *host);
/*
 * Whether the SAN of `certificate` holds `host`; the subject is never looked at (RFC 9525 2).
 * `*` stands for the whole left-most label, with at least two labels behind it; an address needs an iPAddress entry.
 */
bool certificate_names_host(const mbedtls_x509_crt *certificate, const char *host);

#endif
