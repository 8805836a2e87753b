/* Memory of the root machine and of all bytecode. Read-only once it is locked, as the chip's flash: a write ends the board. */
#ifndef BOARD_FLASH_MEMORY_H
#define BOARD_FLASH_MEMORY_H

#include <stddef.h>

/* A write to flash by native code or by XS itself; what JavaScript tries throws. */
#define EXIT_FLASH_WRITE 91

/* Zeroed, never freed; NULL when there is none. */
void *flash_memory_allocate(size_t bytes);
void flash_memory_lock(void);
/* For taking the root machine down. */
void flash_memory_unlock(void);

#endif
