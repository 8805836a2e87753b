/* Dates of certificates without time_t: that ends in 2038 on 32-bit Linux. */
#ifndef LATCHKEY_CERTIFICATE_TIME_H
#define LATCHKEY_CERTIFICATE_TIME_H

#include <stdint.h>

#include "mbedtls/x509.h"

/* Seconds since 1970 of a date in UTC. */
int64_t certificate_unix_seconds(const mbedtls_x509_time *time);

#endif
