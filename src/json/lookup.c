#include "json/lookup.h"

#include <string.h>

#include "json/walk.h"

struct reading {
	struct lookup *items;
	size_t count;
};

static void on_scalar(
	void *arg, const char *path, enum walk_kind kind, const char *text, size_t length)
{
	const struct reading *reading = arg;

	for (size_t i = 0; i < reading->count; i++) {
		struct lookup *item = &reading->items[i];

		if (strcmp(item->path, path) != 0)
			continue;
		walk_copy(item->text, LOOKUP_TEXT_BYTES, text, length);
		item->is_found = true;
	}
}

bool lookup_read(const char *json, size_t length, struct lookup *items, size_t count)
{
	struct reading reading = {.items = items, .count = count};

	if (length > LOOKUP_BYTES_MOST)
		return false;
	for (size_t i = 0; i < count; i++) {
		items[i].is_found = false;
		items[i].text[0] = '\0';
	}
	return walk_object(json, length, on_scalar, &reading);
}
