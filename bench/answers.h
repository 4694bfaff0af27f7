/*
 * What the bench's upstream answers, as bytes on the wire: heads, JSON, and the NDJSON lines of a
 * stream, each a chunk of its own. Called by upstream.c only.
 */
#ifndef SO_BENCH_ANSWERS_H
#define SO_BENCH_ANSWERS_H

#include <stddef.h>
#include <stdint.h>

enum {
	/* More than a line with its chunk's size. */
	ANSWERS_CHUNK_BYTES = 512,
};

/* The end of a stream: the line that says done, and the last chunk. */
extern const char answers_last[];

/* A whole answer with this body. Free it. */
char *answers_json(const char *body);
/* One with 291 bytes of numbers. Free it. */
char *answers_small(void);
/* A line with its number and the moment at which it is due; `chunk` has ANSWERS_CHUNK_BYTES. How
 * many of them are used. */
size_t answers_line(char *chunk, int number, int64_t due_ns);
/* The same without a moment: all such lines are the same bytes. */
size_t answers_plain_line(char *chunk);

#endif
