/*
 * A NOR flash partition in a file: erasing sets the bits of a 4 KB block, programming only clears bits, and a 16-byte unit is
 * programmed once between two erases (a second time only with the same bytes), as encrypted flash demands. The power can be
 * cut in the middle of a write.
 */
#ifndef BOARD_NOR_FLASH_H
#define BOARD_NOR_FLASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLASH_BYTES (64 * 1024)
#define FLASH_BLOCK_BYTES 4096
#define FLASH_UNIT_BYTES 16
#define FLASH_PARTITION "latchkey"

/* What a board exits with when its power was cut: BoardOptions.cut in board.ts. */
#define EXIT_POWER_CUT 90

struct flash;

/* Made, erased, when absent. Write number `cut_at` (a unit or a block; counted from 1, 0: none) ends the program half done. */
struct flash *flash_open(const char *path, uint32_t cut_at, uint64_t cut_seed);
void flash_close(struct flash *flash);

/* All sizes and offsets are checked by the caller: within the partition, and for programming whole units. */
void flash_read(const struct flash *flash, size_t offset, void *bytes, size_t count);
/* False, and nothing written, when a unit is neither erased nor equal. */
bool flash_program(struct flash *flash, size_t offset, const uint8_t *bytes, size_t count);
void flash_erase(struct flash *flash, size_t block);

#endif
