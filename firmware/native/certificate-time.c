#include "tls-require.h"

#include "certificate-time.h"

#define DAYS_PER_ERA 146097 /* 400 years */

/* Days since 1970-01-01 of a Gregorian date. */
static int64_t days_from_civil(int year, int month, int day) {
  const int64_t y = month <= 2 ? year - 1 : year;
  const int64_t era = y / 400;
  const int64_t year_of_era = y - era * 400;
  const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * DAYS_PER_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

int64_t certificate_unix_seconds(const mbedtls_x509_time *time) {
  return ((days_from_civil(time->year, time->mon, time->day) * 24 + time->hour) * 60 + time->min) * 60 + time->sec;
}
