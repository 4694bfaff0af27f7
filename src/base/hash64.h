/*
 * A fast 64-bit hash of bytes that come in pieces: the same for the same bytes, however they are
 * cut. It tells requests apart and keeps nobody from making two with the same hash: nothing that
 * matters to anybody else may hang on it. Called by relay for bodies, by core for the places that
 * it keeps.
 */
#ifndef SO_BASE_HASH64_H
#define SO_BASE_HASH64_H

#include <stddef.h>
#include <stdint.h>

/* Words that are hashed side by side: one alone would wait for each multiplication. */
enum { HASH64_LANES = 4, HASH64_BLOCK_BYTES = 8 * HASH64_LANES };

struct hash64 {
	uint64_t state[HASH64_LANES];
	uint64_t length;
	unsigned char rest[HASH64_BLOCK_BYTES]; /* bytes that do not fill a block yet */
};

/* A zeroed struct is the hash of nothing. */
void hash64_feed(struct hash64 *hash, const void *bytes, size_t length);
/* Of what was fed so far; more may follow. */
uint64_t hash64_value(const struct hash64 *hash);
/* Of a text; NULL is not the same as "". */
uint64_t hash64_text(const char *text);

#endif
