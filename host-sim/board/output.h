/* Lines to the host: stdout, or frames to the driver. */
#ifndef BOARD_OUTPUT_H
#define BOARD_OUTPUT_H

#include "board.h"

/* One line, without its end; text as XS has it (CESU-8) goes out as UTF-8. */
void output_line(struct board *board, const char *text);
/* The heap figures as one line: `{"event":"report",…}`. Collects garbage first. */
void output_report(struct board *board);
/* All writable memory of the process into a file; false when it cannot be written. */
bool output_dump(const char *path);

#endif
