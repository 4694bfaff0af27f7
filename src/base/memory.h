/*
 * Allocation of our own small objects: it never returns NULL, the program ends with a message when
 * memory is out (STYLE B6.9). Sizes that come from outside use mem_try_alloc() and handle NULL.
 * Called by every folder.
 */
#ifndef SO_BASE_MEMORY_H
#define SO_BASE_MEMORY_H

#include <stddef.h>

#include "base/compiler.h"

void *mem_alloc(size_t bytes) __attribute__((malloc, returns_nonnull));
/* Zeroed. */
void *mem_zalloc(size_t bytes) __attribute__((malloc, returns_nonnull));
/* Array of count zeroed elements; the product is checked. */
void *mem_zalloc_array(size_t count, size_t bytes_each) __attribute__((returns_nonnull));
/* realloc to count elements; the product is checked. */
void *mem_grow_array(void *old, size_t count, size_t bytes_each) __attribute__((returns_nonnull));
/* NULL gives NULL. */
char *mem_strdup(const char *text);
/* A NUL-terminated copy of length bytes. */
char *mem_strndup(const char *text, size_t length) __attribute__((returns_nonnull));
/* printf into a new string. */
char *mem_printf(const char *format, ...) PRINTF_LIKE(1, 2) __attribute__((returns_nonnull));

/* For sizes from outside: NULL when there is no memory, the caller fails cleanly. */
MUST_CHECK void *mem_try_alloc(size_t bytes);

/* Ends the program with a line on stderr. */
NORETURN void mem_out(size_t bytes);

#endif
