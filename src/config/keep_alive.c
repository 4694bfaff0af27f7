#include "config/keep_alive.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "json/duration.h"

/* Longer than any duration that somebody would write, and short enough for every reader. */
enum { TEXT_MAX_BYTES = 60 };

/* Digits, perhaps after a minus. */
static bool is_bare_number(const char *text)
{
	const char *digits = text + (*text == '-');

	return *digits && strspn(digits, "0123456789") == strlen(digits);
}

char *keep_alive_read(const char *text)
{
	char *made;

	if (strlen(text) > TEXT_MAX_BYTES)
		return NULL;
	made = strcmp(text, "0") != 0 && is_bare_number(text) ? mem_printf("%ss", text)
							      : mem_strdup(text);
	if (duration_text_is_valid(made))
		return made;
	free(made);
	return NULL;
}
