#include "config/suggest.h"

#include <ctype.h>
#include <string.h>

#include "config/keys.h"

/* A name is near if not more than a third of it is wrong, and two letters in short ones. */
enum { WRONG_PART = 3, WRONG_AT_LEAST = 2 };
/* A shorter word is part of a name by chance. */
enum { PART_BYTES = 4 };

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned low = a < b ? a : b;

	return low < c ? low : c;
}

/* Levenshtein's distance, one row at a time. */
unsigned suggest_distance(const char *left, const char *right)
{
	unsigned row[SUGGEST_BYTES + 1];
	size_t left_length = strnlen(left, SUGGEST_BYTES);
	size_t right_length = strnlen(right, SUGGEST_BYTES);

	for (size_t j = 0; j <= right_length; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= left_length; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= right_length; j++) {
			unsigned above = row[j];
			unsigned wrong = left[i - 1] != right[j - 1];

			row[j] = least(above + 1, row[j - 1] + 1, diagonal + wrong);
			diagonal = above;
		}
	}
	return row[right_length];
}

unsigned suggest_allowed(size_t length)
{
	unsigned allowed = (unsigned)length / WRONG_PART;

	return allowed < WRONG_AT_LEAST ? WRONG_AT_LEAST : allowed;
}

/* The shortest name that has `word` in it: "max_queue" for "max_queue_size". */
static const struct key *longer_key(const char *word)
{
	const struct key *shortest = NULL;

	if (strlen(word) < PART_BYTES)
		return NULL;
	for (size_t i = 0; i < keys_count; i++) {
		if (strstr(keys[i].name, word) &&
			(!shortest || strlen(keys[i].name) < strlen(shortest->name)))
			shortest = &keys[i];
	}
	return shortest;
}

const struct key *suggest_key(const char *name, size_t length)
{
	char word[SUGGEST_BYTES + 1] = "";
	const struct key *nearest = NULL;
	unsigned best;

	if (length > SUGGEST_BYTES)
		length = SUGGEST_BYTES;
	for (size_t i = 0; i < length; i++)
		word[i] = (char)(name[i] == '-' ? '_' : tolower((unsigned char)name[i]));
	best = suggest_allowed(length) + 1;
	for (size_t i = 0; i < keys_count; i++) {
		unsigned distance = suggest_distance(word, keys[i].name);

		if (distance < best) {
			best = distance;
			nearest = &keys[i];
		}
	}
	return nearest ? nearest : longer_key(word);
}
