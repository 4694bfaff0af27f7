/*
 * A growable run of bytes: appended at its end, consumed from its start. Used for what a connection
 * has read and has still to write, and to build JSON. A zeroed struct is an empty one. Not
 * NUL-terminated unless bytes_text() is called.
 */
#ifndef SIM_BYTES_H
#define SIM_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mem.h"

struct bytes {
	char *data;
	size_t start;
	size_t end;
	size_t capacity;
};

void bytes_finish(struct bytes *bytes);
/* Forgets the content, keeps the memory. */
static inline void bytes_clear(struct bytes *bytes)
{
	bytes->start = bytes->end = 0;
}
static inline size_t bytes_length(const struct bytes *bytes)
{
	return bytes->end - bytes->start;
}
static inline char *bytes_at(const struct bytes *bytes)
{
	return bytes->data + bytes->start;
}
void bytes_consume(struct bytes *bytes, size_t length);
/* Gives the memory back when it is empty and bigger than keep_bytes. */
void bytes_shrink(struct bytes *bytes, size_t keep_bytes);
/* Room for length more bytes; write there and add to end. */
char *bytes_reserve(struct bytes *bytes, size_t length);

void bytes_add(struct bytes *bytes, const void *data, size_t length);
void bytes_adds(struct bytes *bytes, const char *text);
void bytes_addf(struct bytes *bytes, const char *format, ...) PRINTF_LIKE(2, 3);
void bytes_add_int(struct bytes *bytes, int64_t number);
void bytes_add_hex(struct bytes *bytes, uint64_t number);
/* The inside of a JSON string as Go's encoder writes it: also < > & U+2028 U+2029 are escaped. */
void bytes_add_escaped(struct bytes *bytes, const char *text, size_t length);
/* A whole JSON string with its quotes; NULL gives null. */
void bytes_add_string(struct bytes *bytes, const char *text);
/* The content as a C string (a NUL is kept behind the end). */
const char *bytes_text(struct bytes *bytes);

#endif
