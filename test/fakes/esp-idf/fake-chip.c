/* FAKE, for tests. */
#include "fake-chip.h"

#include <stdio.h>
#include <string.h>

#include "esp_efuse.h"
#include "esp_hmac.h"
#include "esp_partition.h"
#include "freertos/task.h"
#include "hmac.h"
#include "nvs_flash.h"

#define PARTITION_BYTES 0x2000u

struct fake_block fake_blocks[6];
bool fake_flash_fails;
unsigned fake_hmac_count;
int fake_nvs_error = ESP_OK;
unsigned fake_task_priority;
int fake_task_core;

static TaskFunction_t task;

static uint8_t flash[PARTITION_BYTES];
static esp_partition_t partition = {.type = 0x41, .subtype = 0, .address = 0x25000, .size = PARTITION_BYTES, .label = "signer"};
static bool has_partition;

static const struct fake_block *block_of(esp_efuse_block_t block) {
  return &fake_blocks[block - EFUSE_BLK_KEY0];
}

/* As ESP-IDF: unused means purpose USER, empty, and nothing locked. */
bool esp_efuse_key_block_unused(esp_efuse_block_t block) {
  const struct fake_block *fake = block_of(block);
  return !fake->burnt && fake->purpose == ESP_EFUSE_KEY_PURPOSE_USER && !fake->read_protected && !fake->write_protected && !fake->purpose_protected;
}

esp_efuse_purpose_t esp_efuse_get_key_purpose(esp_efuse_block_t block) {
  return (esp_efuse_purpose_t)block_of(block)->purpose;
}

bool esp_efuse_get_key_dis_read(esp_efuse_block_t block) {
  return block_of(block)->read_protected;
}

bool esp_efuse_get_key_dis_write(esp_efuse_block_t block) {
  return block_of(block)->write_protected;
}

bool esp_efuse_get_keypurpose_dis_write(esp_efuse_block_t block) {
  return block_of(block)->purpose_protected;
}

/* The peripheral fails for a key of another purpose. */
esp_err_t esp_hmac_calculate(hmac_key_id_t key_id, const void *message, size_t message_len, uint8_t *hmac) {
  if (message == NULL || hmac == NULL || key_id >= HMAC_KEY_MAX) return ESP_ERR_INVALID_ARG;
  if (fake_blocks[key_id].purpose != ESP_EFUSE_KEY_PURPOSE_HMAC_UP) return ESP_FAIL;
  fake_hmac_count++;
  return compute_hmac_sha256(fake_blocks[key_id].key, 32, message, message_len, hmac) ? ESP_OK : ESP_FAIL;
}

const esp_partition_t *esp_partition_find_first(esp_partition_type_t type, esp_partition_subtype_t subtype, const char *label) {
  const bool matches = has_partition && type == partition.type && subtype == ESP_PARTITION_SUBTYPE_ANY && strcmp(label, partition.label) == 0;
  return matches ? &partition : NULL;
}

esp_err_t esp_partition_read(const esp_partition_t *from, size_t offset, void *out, size_t length) {
  if (fake_flash_fails) return ESP_FAIL;
  if (offset > from->size || length > from->size - offset) return ESP_ERR_INVALID_SIZE;
  memcpy(out, flash + offset, length);
  return ESP_OK;
}

bool fake_load_partition(const char *path, bool encrypted) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) return false;
  memset(flash, 0xFF, sizeof flash);
  const size_t length = fread(flash, 1, sizeof flash, file);
  fclose(file);
  partition.encrypted = encrypted;
  has_partition = true;
  return length > 0;
}

const char *esp_err_to_name(esp_err_t error) {
  return error == ESP_ERR_NVS_NO_FREE_PAGES ? "ESP_ERR_NVS_NO_FREE_PAGES" : "ESP_FAIL";
}

esp_err_t nvs_flash_init(void) {
  return fake_nvs_error;
}

BaseType_t xTaskCreatePinnedToCore(TaskFunction_t run, const char *name, uint32_t stack_bytes, void *argument, UBaseType_t priority, TaskHandle_t *handle, BaseType_t core) {
  (void)name;
  (void)stack_bytes;
  (void)argument;
  (void)handle;
  task = run;
  fake_task_priority = priority;
  fake_task_core = core;
  return pdPASS;
}

void vTaskDelete(TaskHandle_t handle) {
  (void)handle;
  task = NULL;
}

bool fake_run_task(void) {
  if (task == NULL) return false;
  task(NULL);
  return task == NULL;
}
