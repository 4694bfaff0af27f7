/*
 * Cuts a fuzz input into pieces: its first PIECES_SIZES bytes are piece lengths, used in turn; the
 * rest is the text. Each piece is handed over in memory of its own size, so that a sanitizer sees a
 * read past its end. Used by targets whose result must not depend on the pieces.
 */
#ifndef SO_TESTS_FUZZ_PIECES_H
#define SO_TESTS_FUZZ_PIECES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PIECES_SIZES 8

struct pieces {
	const uint8_t *sizes;
	size_t turn;
	const char *text;
	size_t left;
	char *piece;
};

static inline void pieces_init(struct pieces *pieces, const uint8_t *data, size_t size)
{
	static const uint8_t whole[PIECES_SIZES];

	memset(pieces, 0, sizeof(*pieces));
	pieces->sizes = size < PIECES_SIZES ? whole : data;
	pieces->text = (const char *)data + (size < PIECES_SIZES ? size : PIECES_SIZES);
	pieces->left = size < PIECES_SIZES ? 0 : size - PIECES_SIZES;
}

/* The next piece; NULL: the text is over. A length of 0 gives an empty piece every other time. */
static inline const char *pieces_next(struct pieces *pieces, size_t *ret_length)
{
	size_t length = pieces->sizes[pieces->turn % PIECES_SIZES];

	free(pieces->piece);
	pieces->piece = NULL;
	if (pieces->left == 0)
		return NULL;
	if (length == 0)
		length = pieces->turn / PIECES_SIZES % 2;
	/* the upper half stands for pieces of kilobytes */
	if (length > INT8_MAX)
		length = (length - INT8_MAX) * 32;
	if (length > pieces->left)
		length = pieces->left;
	pieces->turn++;
	pieces->piece = malloc(length ? length : 1);
	if (!pieces->piece)
		abort();
	memcpy(pieces->piece, pieces->text, length);
	pieces->text += length;
	pieces->left -= length;
	*ret_length = length;
	return pieces->piece;
}

/* The property of the target; a build without assertions checks it too. */
#define REQUIRE(condition)        \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

#endif
