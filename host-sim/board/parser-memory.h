/* Memory of XS's parser, which takes a piece for every token and gives all back together: most of its time, otherwise. */
#ifndef BOARD_PARSER_MEMORY_H
#define BOARD_PARSER_MEMORY_H

#include <stddef.h>

/* xsScript.c is compiled with these in the place of xs_malloc and xs_free. */
void *parser_malloc(size_t bytes);
void parser_free(void *piece);

#endif
