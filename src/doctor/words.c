#include "doctor/words.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

bool words_have(const struct words *words, const char *text)
{
	for (size_t i = 0; i < words->count; i++) {
		if (strcmp(words->items[i], text) == 0)
			return true;
	}
	return false;
}

void words_add(struct words *words, const char *text)
{
	if (words->count == WORDS_MOST || words_have(words, text))
		return;
	words->items = mem_grow_array(words->items, words->count + 1, sizeof(*words->items));
	words->items[words->count++] = mem_strdup(text);
}

char *words_join(const struct words *words)
{
	char *all = mem_strdup("");

	for (size_t i = 0; i < words->count; i++) {
		char *more = mem_printf("%s%s%s", all, i ? ", " : "", words->items[i]);

		free(all);
		all = more;
	}
	return all;
}

void words_finish(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->items[i]);
	free(words->items);
	*words = (struct words){0};
}
