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
	while (i < names->count && strcmp(names->items[i].name, name) != 0)
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

/* It was proven least; of several the one that was not asked for longest. */
static bool is_weaker(const struct name_entry *a, const struct name_entry *b)
{
	if (a->proofs != b->proofs)
		return a->proofs < b->proofs;
	return a->used < b->used;
}

/* NAME_TABLE_OTHER: none gives way. */
static size_t weakest(const struct name_table *names)
{
	size_t found = NAME_TABLE_OTHER;

	for (size_t i = 0; i < names->count; i++) {
		if (names->items[i].is_kept)
			continue;
		if (found == NAME_TABLE_OTHER || is_weaker(&names->items[i], &names->items[found]))
			found = i;
	}
	return found;
}

static size_t make_room(struct name_table *names, enum name_rank rank, bool *ret_is_replaced)
{
	size_t index;

	if (names->count < NAME_TABLE_MOST)
		return names->count++;
	index = rank == NAME_SEEN ? NAME_TABLE_OTHER : weakest(names);
	*ret_is_replaced = index != NAME_TABLE_OTHER;
	return index;
}

static void keep(struct name_table *names, struct name_entry *entry)
{
	if (entry->is_kept || names->kept == NAME_TABLE_KEPT_MOST)
		return;
	entry->is_kept = true;
	names->kept++;
}

size_t name_table_index(
	struct name_table *names, const char *name, enum name_rank rank, bool *ret_is_replaced)
{
	char text[NAME_TABLE_BYTES];
	struct name_entry *entry;
	size_t index;

	*ret_is_replaced = false;
	clean(name ? name : none, text);
	index = find(names, text);
	if (index == NAME_TABLE_OTHER && strcmp(text, other) == 0)
		return index;
	if (index == names->count) {
		index = make_room(names, rank, ret_is_replaced);
		if (index == NAME_TABLE_OTHER)
			return index;
		names->items[index] = (struct name_entry){0};
		memcpy(names->items[index].name, text, sizeof(text));
	}
	entry = &names->items[index];
	entry->used = ++names->uses;
	entry->proofs += rank == NAME_PROVEN;
	if (rank == NAME_KEPT)
		keep(names, entry);
	return index;
}

void name_table_release(struct name_table *names)
{
	for (size_t i = 0; i < names->count; i++)
		names->items[i].is_kept = false;
	names->kept = 0;
}

const char *name_table_get(const struct name_table *names, size_t index)
{
	return index < names->count ? names->items[index].name : other;
}
