/* A growing list of texts, each once. Used by the doctor's facts. */
#ifndef SO_DOCTOR_WORDS_H
#define SO_DOCTOR_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* What comes from outside has a bound: more say nothing new. */
enum { WORDS_MOST = 256 };

struct words {
	char **items;
	size_t count;
};

/* Copied, unless it is there already. */
void words_add(struct words *words, const char *text);
bool words_have(const struct words *words, const char *text);
/* "a, b, c", a new string. */
char *words_join(const struct words *words);
/* A zeroed list is empty. */
void words_finish(struct words *words);

#endif
