/*
 * Tells each scalar of a whole JSON text with its place, in order: log lines, answers of our own
 * endpoints and of Ollama. Called by ps, tags, show and lookup, by report/, top/ and doctor/. Bytes
 * of the text may be any; NUL inside strings is handed over as it is.
 */
#ifndef SO_JSON_WALK_H
#define SO_JSON_WALK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/* Deeper texts are refused; longer paths are cut, so that they are none that is looked for. */
enum { WALK_DEPTH_MOST = 32, WALK_PATH_BYTES = 256 };

enum walk_kind { WALK_NULL, WALK_BOOL, WALK_NUMBER, WALK_STRING };

/* `path` is "runners/ * /name" without the blanks: keys by '/', an element of an array is '*'.
 * `text` is a string's decoded content, else the scalar as written; it lives until the call
 * returns. */
typedef void walk_scalar(
	void *arg, const char *path, enum walk_kind kind, const char *text, size_t length);

/* A container within the outermost object, told when it begins and when it ends. */
typedef void walk_container(void *arg, const char *path, bool is_array);

struct walk_events {
	walk_scalar *on_scalar;
	walk_container *on_open;  /* NULL: not told */
	walk_container *on_close; /* NULL: not told */
};

/* false: not exactly one JSON object (or too deep); scalars may have been told before. */
MUST_CHECK bool walk_object(const char *json, size_t length, walk_scalar *on_scalar, void *arg);
/* The same, with containers. */
MUST_CHECK bool walk_with_containers(
	const char *json, size_t length, const struct walk_events *events, void *arg);
/* For those who are told: the text is exactly `wanted`. */
bool walk_is(const char *text, size_t length, const char *wanted);
/* As much of it as `bytes` hold, NUL-terminated; a NUL inside ends it. */
void walk_copy(char *to, size_t bytes, const char *text, size_t length);

#endif
