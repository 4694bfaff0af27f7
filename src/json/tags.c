#include "json/tags.h"

#include <string.h>

#include "json/walk.h"

enum { NAME_BYTES = 256 }; /* as long as residency keeps names */

struct reading {
	void (*on_model)(void *arg, const struct tags_model *model);
	void *arg;
	bool has_list;
	struct tags_model model;
	char name[NAME_BYTES];
	char digest[NAME_BYTES];
};

static void on_scalar(
	void *arg, const char *path, enum walk_kind kind, const char *text, size_t length)
{
	struct reading *reading = arg;

	/* Go writes an empty list that was never made as null. */
	if (kind == WALK_NULL && strcmp(path, "models") == 0)
		reading->has_list = true;
	if (kind != WALK_STRING || !reading->has_list)
		return;
	if (strcmp(path, "models/*/name") == 0)
		walk_copy(reading->name, NAME_BYTES, text, length);
	else if (strcmp(path, "models/*/digest") == 0)
		walk_copy(reading->digest, NAME_BYTES, text, length);
	else if (strcmp(path, "models/*/remote_host") == 0 ||
		 strcmp(path, "models/*/remote_model") == 0)
		reading->model.is_remote |= length > 0;
	else if (strcmp(path, "models/*/capabilities/*") == 0) {
		reading->model.can_complete |= walk_is(text, length, "completion");
		reading->model.can_embed |= walk_is(text, length, "embedding");
	}
}

static void on_open(void *arg, const char *path, bool is_array)
{
	struct reading *reading = arg;

	if (is_array && strcmp(path, "models") == 0)
		reading->has_list = true;
	if (is_array && strcmp(path, "models/*/capabilities") == 0)
		reading->model.has_capabilities = true;
	if (is_array || strcmp(path, "models/*") != 0)
		return;
	reading->model = (struct tags_model){.name = reading->name, .digest = reading->digest};
	reading->name[0] = reading->digest[0] = '\0';
}

static void on_close(void *arg, const char *path, bool is_array)
{
	struct reading *reading = arg;

	if (!is_array && reading->has_list && reading->name[0] && strcmp(path, "models/*") == 0)
		reading->on_model(reading->arg, &reading->model);
}

bool tags_read(const char *text, size_t length,
	void (*on_model)(void *arg, const struct tags_model *model), void *arg)
{
	static const struct walk_events events = {on_scalar, on_open, on_close};
	struct reading reading = {.on_model = on_model, .arg = arg};

	if (length > TAGS_BYTES_MOST)
		return false;
	return walk_with_containers(text, length, &events, &reading) && reading.has_list;
}
