/* What Mbed TLS must have been built with. A library without these checks would connect to anybody: such a build stops here. */
#ifndef LATCHKEY_TLS_REQUIRE_H
#define LATCHKEY_TLS_REQUIRE_H

#include "mbedtls/version.h"

#if MBEDTLS_VERSION_NUMBER < 0x021C0000
  #error "Latchkey needs Mbed TLS 2.28 or later"
#endif
#if MBEDTLS_VERSION_NUMBER < 0x03000000
  #include "mbedtls/config.h"
#else
  #include "mbedtls/build_info.h"
#endif

#if !defined(MBEDTLS_HAVE_TIME) || !defined(MBEDTLS_HAVE_TIME_DATE)
  #error "Certificate dates are not checked: set MBEDTLS_HAVE_TIME_DATE (ESP-IDF: CONFIG_MBEDTLS_HAVE_TIME_DATE=y)"
#endif
#if !defined(MBEDTLS_X509_CRT_PARSE_C)
  #error "Certificates are not checked: set MBEDTLS_X509_CRT_PARSE_C"
#endif
#if defined(MBEDTLS_X509_REMOVE_HOSTNAME_VERIFICATION)
  #error "Host names are not checked: unset MBEDTLS_X509_REMOVE_HOSTNAME_VERIFICATION"
#endif
#if !defined(MBEDTLS_SSL_SERVER_NAME_INDICATION)
  #error "The server does not learn which host is meant: set MBEDTLS_SSL_SERVER_NAME_INDICATION"
#endif
#if !defined(MBEDTLS_SSL_CLI_C) || !defined(MBEDTLS_SSL_PROTO_TLS1_2)
  #error "There is no TLS 1.2 client: set MBEDTLS_SSL_CLI_C and MBEDTLS_SSL_PROTO_TLS1_2"
#endif
#if !defined(MBEDTLS_PSA_CRYPTO_C) && !defined(MBEDTLS_PSA_CRYPTO_CLIENT)
  #error "There is no PSA Crypto: set MBEDTLS_PSA_CRYPTO_C"
#endif
#if MBEDTLS_VERSION_NUMBER < 0x03000000
  #if !defined(MBEDTLS_X509_CHECK_KEY_USAGE) || !defined(MBEDTLS_X509_CHECK_EXTENDED_KEY_USAGE)
    #error "Key usage is not checked: set MBEDTLS_X509_CHECK_KEY_USAGE and MBEDTLS_X509_CHECK_EXTENDED_KEY_USAGE"
  #endif
#endif

#endif
