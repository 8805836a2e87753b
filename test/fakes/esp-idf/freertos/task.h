/* FAKE, for tests: a task that is created is kept for the test, which runs it. */
#pragma once
#include "freertos/FreeRTOS.h"
typedef struct fake_task *TaskHandle_t;
typedef void (*TaskFunction_t)(void *argument);
BaseType_t xTaskCreatePinnedToCore(TaskFunction_t run, const char *name, uint32_t stack_bytes, void *argument, UBaseType_t priority, TaskHandle_t *handle, BaseType_t core);
void vTaskDelete(TaskHandle_t task);
