/* FAKE, for tests. */
#ifndef FAKE_NO_HMAC
  #define SOC_HMAC_SUPPORTED 1
#endif
