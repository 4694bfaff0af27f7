/*
 * Allocation that never returns NULL: the program ends with a message when memory is out. This is a
 * test tool; sizes that come from outside are limited where they are read (body.h). Called by every
 * module.
 */
#ifndef SIM_MEM_H
#define SIM_MEM_H

#include <stddef.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

void *mem_zalloc(size_t bytes) __attribute__((malloc, returns_nonnull));
/* realloc to count elements; the product is checked. */
void *mem_grow_array(void *old, size_t count, size_t bytes_each) __attribute__((returns_nonnull));
/* NULL gives NULL. */
char *mem_strdup(const char *text);
char *mem_strndup(const char *text, size_t length) __attribute__((returns_nonnull));
char *mem_printf(const char *format, ...) PRINTF_LIKE(1, 2) __attribute__((returns_nonnull));

#endif
