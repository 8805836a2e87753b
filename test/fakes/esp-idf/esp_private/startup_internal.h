/* FAKE, for tests: the function is called by the test, or not at all. */
#pragma once
#include "esp_err.h"
#define BIT(n) (1u << (n))
#define ESP_SYSTEM_INIT_FN(name, stage, cores, priority) \
  esp_err_t init_of_##name(void); \
  esp_err_t init_of_##name(void)
