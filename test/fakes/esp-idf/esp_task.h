/* FAKE, for tests. */
#pragma once
#define ESP_TASK_MAIN_PRIO 1
