#include "report/names.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const char OTHERS[] = "(others)";
static const char NONE[] = "(none)";

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

struct names {
	size_t most;
	size_t row_bytes;
	size_t count; /* without the others */
	bool has_others;
	size_t mask;
	uint32_t *slots; /* index + 1; 0: free. Twice as many as names, so that a search ends. */
	char *rows;	 /* most + 1: the last is the others' */
	char (*texts)[NAME_BYTES_MOST + 1];
};

struct names *names_create(size_t most, size_t row_bytes)
{
	struct names *names = mem_zalloc(sizeof(*names));
	size_t slots = 2;

	while (slots < 2 * most)
		slots *= 2;
	names->most = most;
	names->row_bytes = row_bytes;
	names->mask = slots - 1;
	names->slots = mem_zalloc_array(slots, sizeof(*names->slots));
	names->rows = mem_zalloc_array(most + 1, row_bytes);
	names->texts = mem_zalloc_array(most + 1, sizeof(*names->texts));
	memcpy(names->texts[most], OTHERS, sizeof(OTHERS));
	return names;
}

void names_destroy(struct names *names)
{
	if (!names)
		return;
	free(names->slots);
	free(names->rows);
	free(names->texts);
	free(names);
}

static uint64_t hash(struct text name)
{
	uint64_t value = FNV_BASIS;

	for (size_t i = 0; i < name.length; i++)
		value = (value ^ (unsigned char)name.at[i]) * FNV_PRIME;
	return value ^ (value >> 32);
}

static bool is_name(const char *text, struct text name)
{
	return strncmp(text, name.at, name.length) == 0 && text[name.length] == '\0';
}

void *names_row(struct names *names, struct text name)
{
	size_t at;

	if (!name.at)
		name = (struct text){NONE, strlen(NONE)};
	if (name.length > NAME_BYTES_MOST)
		name.length = NAME_BYTES_MOST;
	/* What is compared is a C string. */
	name.length = strnlen(name.at, name.length);
	at = hash(name) & names->mask;
	for (; names->slots[at]; at = (at + 1) & names->mask) {
		size_t index = names->slots[at] - 1;

		if (is_name(names->texts[index], name))
			return names->rows + index * names->row_bytes;
	}
	if (names->count == names->most) {
		names->has_others = true;
		return names->rows + names->most * names->row_bytes;
	}
	memcpy(names->texts[names->count], name.at, name.length);
	names->slots[at] = (uint32_t)++names->count;
	return names->rows + (names->count - 1) * names->row_bytes;
}

size_t names_count(const struct names *names)
{
	return names->count + names->has_others;
}

void *names_at(const struct names *names, size_t index)
{
	/* The others' row stands behind all names only when the table is full. */
	return names->rows + index * names->row_bytes;
}

const char *names_name(const struct names *names, size_t index)
{
	return names->texts[index];
}
