/*
 * What a model says: a sequence of pieces, one a token. A fixed text (with a thinking part before
 * it), or without end or up to a number of tokens "w0 w1 w2 …", or noise. Made once a model; pieces
 * come JSON-escaped, so that a stream costs a copy.
 */
#ifndef SIM_SCRIPT_H
#define SIM_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#include "mem.h"

enum piece_kind { PIECE_CONTENT, PIECE_THINKING, PIECE_TAG_OPEN, PIECE_TAG_CLOSE };

struct piece {
	const char *text; /* as it is */
	size_t length;
	const char *json; /* the inside of its JSON string */
	size_t json_length;
	enum piece_kind kind;
};

enum script_kind { SCRIPT_TEXT, SCRIPT_WORDS, SCRIPT_NOISE };

struct script;

/* answer NULL: words (or noise) up to tokens of them, 0 = without end. thinking may be NULL. */
struct script *script_create(
	enum script_kind kind, const char *answer, const char *thinking, size_t tokens);
void script_destroy(struct script *script);

/* The piece at this place; false at the end. Valid until the next call. */
MUST_CHECK bool script_get(struct script *script, size_t index, struct piece *ret_piece);

#endif
