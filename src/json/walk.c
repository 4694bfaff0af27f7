#include "json/walk.h"

#include <string.h>

#include <yajl/yajl_parse.h>

#include "json/yajl_memory.h"

/* No key that is looked for. */
#define NAMELESS "\1"

struct walk {
	const struct walk_events *events;
	void *arg;
	int depth;
	bool is_array[WALK_DEPTH_MOST + 1];
	size_t lengths[WALK_DEPTH_MOST + 1]; /* of the path that leads into each open container */
	size_t length;
	char path[WALK_PATH_BYTES];
};

static void append(struct walk *walk, const char *text, size_t length)
{
	size_t room = sizeof(walk->path) - 1 - walk->length;

	if (length > room)
		length = room;
	memcpy(walk->path + walk->length, text, length);
	walk->length += length;
	walk->path[walk->length] = '\0';
}

/* The path of what comes next in the innermost container. */
static void set_last(struct walk *walk, const char *text, size_t length)
{
	walk->length = walk->lengths[walk->depth];
	if (walk->length > 0)
		append(walk, "/", 1);
	append(walk, text, length);
}

/* false: the whole text has to be an object. */
static bool enter(struct walk *walk)
{
	if (walk->depth == 0)
		return false;
	if (walk->is_array[walk->depth])
		set_last(walk, "*", 1);
	return true;
}

static int on_scalar(void *context, enum walk_kind kind, const char *text, size_t length)
{
	struct walk *walk = context;

	if (!enter(walk))
		return 0;
	walk->events->on_scalar(walk->arg, walk->path, kind, text, length);
	return 1;
}

static int on_null(void *context)
{
	return on_scalar(context, WALK_NULL, "null", strlen("null"));
}

static int on_boolean(void *context, int value)
{
	const char *text = value ? "true" : "false";

	return on_scalar(context, WALK_BOOL, text, strlen(text));
}

static int on_number(void *context, const char *text, size_t length)
{
	return on_scalar(context, WALK_NUMBER, text, length);
}

static int on_string(void *context, const unsigned char *text, size_t length)
{
	return on_scalar(context, WALK_STRING, (const char *)text, length);
}

static int on_key(void *context, const unsigned char *text, size_t length)
{
	/* A NUL would end the path early, at the name of another key; without a name its members
	 * would seem to be those of the object around it. */
	if (length == 0 || memchr(text, '\0', length))
		set_last(context, NAMELESS, strlen(NAMELESS));
	else
		set_last(context, (const char *)text, length);
	return 1;
}

static int open_container(struct walk *walk, bool is_array)
{
	if (walk->depth == 0 ? is_array : !enter(walk))
		return 0;
	if (walk->depth == WALK_DEPTH_MOST)
		return 0;
	if (walk->depth > 0 && walk->events->on_open)
		walk->events->on_open(walk->arg, walk->path, is_array);
	walk->depth++;
	walk->is_array[walk->depth] = is_array;
	walk->lengths[walk->depth] = walk->length;
	return 1;
}

static int on_object(void *context)
{
	return open_container(context, false);
}

static int on_array(void *context)
{
	return open_container(context, true);
}

static int on_end(void *context)
{
	struct walk *walk = context;
	bool is_array = walk->is_array[walk->depth];

	walk->length = walk->lengths[walk->depth];
	walk->path[walk->length] = '\0';
	if (--walk->depth > 0 && walk->events->on_close)
		walk->events->on_close(walk->arg, walk->path, is_array);
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_object,
	.yajl_map_key = on_key,
	.yajl_end_map = on_end,
	.yajl_start_array = on_array,
	.yajl_end_array = on_end,
};

bool walk_with_containers(
	const char *json, size_t length, const struct walk_events *events, void *arg)
{
	struct walk walk = {.events = events, .arg = arg};
	yajl_handle yajl = yajl_alloc(&callbacks, &yajl_memory, &walk);
	bool is_good;

	is_good = yajl_parse(yajl, (const unsigned char *)json, length) == yajl_status_ok &&
		  yajl_complete_parse(yajl) == yajl_status_ok;
	yajl_free(yajl);
	return is_good;
}

bool walk_object(const char *json, size_t length, walk_scalar *tell, void *arg)
{
	struct walk_events events = {.on_scalar = tell};

	return walk_with_containers(json, length, &events, arg);
}

bool walk_is(const char *text, size_t length, const char *wanted)
{
	return strlen(wanted) == length && memcmp(wanted, text, length) == 0;
}

void walk_copy(char *to, size_t bytes, const char *text, size_t length)
{
	length = strnlen(text, length < bytes ? length : bytes - 1);
	memcpy(to, text, length);
	to[length] = '\0';
}
