/*
 * "did you mean": the key whose name is nearest to a mistyped one. Called by load and file.
 */
#ifndef SO_CONFIG_SUGGEST_H
#define SO_CONFIG_SUGGEST_H

#include <stddef.h>

struct key;

/* Insertions, deletions and substitutions between two words of at most SUGGEST_BYTES; longer ones
 * are cut. */
enum { SUGGEST_BYTES = 64 };
unsigned suggest_distance(const char *left, const char *right);
/* What may be wrong in a word of so many bytes that is near to what was meant. */
unsigned suggest_allowed(size_t length);
/* The nearest key or NULL when none is near. Case and the difference of - and _ do not count. */
const struct key *suggest_key(const char *name, size_t length);

#endif
