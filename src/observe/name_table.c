#include "observe/name_table.h"

#include <string.h>

#include "json/utf8.h"

static const char other[] = "other";
static const char none[] = "none";

/* What is not UTF-8 becomes U+FFFD; a character that has no room ends the name. */
static void clean(const char *name, char ret_name[NAME_TABLE_BYTES])
{
	size_t left = strlen(name);
	size_t used = 0;

	while (left > 0) {
		size_t length = utf8_character(name, left);
		size_t written = length ? length : UTF8_REPLACEMENT_LENGTH;

		if (used + written >= NAME_TABLE_BYTES)
			break;
		if (length)
			memcpy(ret_name + used, name, length);
		else
			utf8_encode_bmp(UTF8_REPLACEMENT, ret_name + used);
		used += written;
		name += length ? length : 1;
		left -= length ? length : 1;
	}
	ret_name[used] = '\0';
}

static size_t find(const struct name_table *names, const char *name)
{
	size_t i = 0;

	/* One that is called so itself is not shown twice. */
	if (strcmp(name, other) == 0)
		return NAME_TABLE_OTHER;
	while (i < names->count && strcmp(names->items[i], name) != 0)
		i++;
	return i;
}

size_t name_table_find(const struct name_table *names, const char *name)
{
	char text[NAME_TABLE_BYTES];
	size_t index;

	clean(name ? name : none, text);
	index = find(names, text);
	return index < names->count ? index : NAME_TABLE_OTHER;
}

size_t name_table_index(struct name_table *names, const char *name)
{
	char text[NAME_TABLE_BYTES];
	size_t index;

	clean(name ? name : none, text);
	index = find(names, text);
	if (index == names->count && index < NAME_TABLE_MOST)
		memcpy(names->items[names->count++], text, sizeof(text));
	return index;
}

const char *name_table_get(const struct name_table *names, size_t index)
{
	return index < names->count ? names->items[index] : other;
}
