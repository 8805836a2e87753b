/* Debian's Mbed TLS is configured for Linux: what a chip has no library for is taken out (MBEDTLS_USER_CONFIG_FILE). */
#undef MBEDTLS_THREADING_C
#undef MBEDTLS_THREADING_PTHREAD
#undef MBEDTLS_NET_C
#undef MBEDTLS_TIMING_C
#undef MBEDTLS_HAVEGE_C
