/*
 * Looks scalars up by their place in a whole, small JSON object, such as an answer of our own
 * endpoints. Called by the tools that read them (health).
 */
#ifndef SO_JSON_LOOKUP_H
#define SO_JSON_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

enum { LOOKUP_BYTES_MOST = 1024 * 1024, LOOKUP_TEXT_BYTES = 256 };

struct lookup {
	const char *path; /* "upstream/version"; nothing inside arrays can be named */
	bool is_found;
	/* A string's content, else the scalar as written: "12", "true", "null". Cut where it is
	 * longer; strings from outside may hold any character but NUL. */
	char text[LOOKUP_TEXT_BYTES];
};

/* Fills all items; of a key that comes twice the last one counts. false: not one JSON object, or
 * more than LOOKUP_BYTES_MOST. */
MUST_CHECK bool lookup_read(const char *json, size_t length, struct lookup *items, size_t count);

#endif
