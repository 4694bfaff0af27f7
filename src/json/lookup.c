#include "json/lookup.h"

#include <string.h>

#include <yajl/yajl_parse.h>

#include "json/yajl_memory.h"

enum {
	/* Our own answers are three deep. */
	DEPTH_MOST = 32,
	/* Longer than any path that is looked for, so that a cut one is none of them. */
	PATH_BYTES = 512,
};

struct reading {
	struct lookup *items;
	size_t count;
	int depth;			/* open objects and arrays */
	int arrays;			/* open arrays */
	size_t lengths[DEPTH_MOST + 1]; /* of the path that leads into each open object */
	size_t length;
	char path[PATH_BYTES];
};

static void append(struct reading *reading, const char *text, size_t length)
{
	size_t room = sizeof(reading->path) - 1 - reading->length;

	if (length > room)
		length = room;
	memcpy(reading->path + reading->length, text, length);
	reading->length += length;
	reading->path[reading->length] = '\0';
}

static int on_scalar(struct reading *reading, const char *text, size_t length)
{
	if (reading->arrays > 0)
		return 1;
	/* The whole text has to be an object. */
	if (reading->depth == 0)
		return 0;
	length = strnlen(text, length < LOOKUP_TEXT_BYTES ? length : LOOKUP_TEXT_BYTES - 1);
	for (size_t i = 0; i < reading->count; i++) {
		struct lookup *item = &reading->items[i];

		if (strcmp(item->path, reading->path) != 0)
			continue;
		memcpy(item->text, text, length);
		item->text[length] = '\0';
		item->is_found = true;
	}
	return 1;
}

static int on_null(void *context)
{
	return on_scalar(context, "null", strlen("null"));
}

static int on_boolean(void *context, int value)
{
	const char *text = value ? "true" : "false";

	return on_scalar(context, text, strlen(text));
}

static int on_number(void *context, const char *text, size_t length)
{
	return on_scalar(context, text, length);
}

static int on_string(void *context, const unsigned char *text, size_t length)
{
	return on_scalar(context, (const char *)text, length);
}

static int on_key(void *context, const unsigned char *text, size_t length)
{
	struct reading *reading = context;

	reading->length = reading->lengths[reading->depth];
	append(reading, (const char *)text, strnlen((const char *)text, length));
	return 1;
}

static int on_object(void *context)
{
	struct reading *reading = context;

	if (reading->depth == DEPTH_MOST)
		return 0;
	if (reading->depth++ > 0)
		append(reading, "/", 1);
	reading->lengths[reading->depth] = reading->length;
	return 1;
}

static int on_array(void *context)
{
	struct reading *reading = context;

	if (reading->depth == 0 || reading->depth == DEPTH_MOST)
		return 0;
	reading->depth++;
	reading->arrays++;
	reading->lengths[reading->depth] = reading->length;
	return 1;
}

static int on_object_end(void *context)
{
	struct reading *reading = context;

	reading->depth--;
	return 1;
}

static int on_array_end(void *context)
{
	struct reading *reading = context;

	reading->depth--;
	reading->arrays--;
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_object,
	.yajl_map_key = on_key,
	.yajl_end_map = on_object_end,
	.yajl_start_array = on_array,
	.yajl_end_array = on_array_end,
};

bool lookup_read(const char *json, size_t length, struct lookup *items, size_t count)
{
	struct reading reading = {.items = items, .count = count};
	yajl_handle yajl;
	bool is_good;

	if (length > LOOKUP_BYTES_MOST)
		return false;
	for (size_t i = 0; i < count; i++) {
		items[i].is_found = false;
		items[i].text[0] = '\0';
	}
	yajl = yajl_alloc(&callbacks, &yajl_memory, &reading);
	is_good = yajl_parse(yajl, (const unsigned char *)json, length) == yajl_status_ok &&
		  yajl_complete_parse(yajl) == yajl_status_ok;
	yajl_free(yajl);
	return is_good;
}
