/* FAKE, for tests. */
#pragma once
#include <stdint.h>
typedef int BaseType_t;
typedef unsigned UBaseType_t;
#define pdPASS 1
