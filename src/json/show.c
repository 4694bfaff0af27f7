#include "json/show.h"

#include <string.h>

#include <yajl/yajl_parse.h>

#include "json/yajl_memory.h"

enum { DEPTH_MOST = 64, DEPTH_TOP = 1, DEPTH_LIST = 2 };

enum key { KEY_OTHER, KEY_REMOTE, KEY_CAPABILITIES };

struct reading {
	int depth;
	enum key key;
	bool is_in_list; /* inside "capabilities" */
	struct show_result result;
};

static bool is_text(const unsigned char *text, size_t length, const char *wanted)
{
	return strlen(wanted) == length && memcmp(wanted, text, length) == 0;
}

static int on_scalar(struct reading *reading)
{
	reading->key = KEY_OTHER;
	/* The answer itself has to be an object. */
	return reading->depth >= DEPTH_TOP;
}

static int on_null(void *context)
{
	return on_scalar(context);
}

static int on_boolean(void *context, int value)
{
	return on_scalar(context);
}

static int on_number(void *context, const char *text, size_t length)
{
	return on_scalar(context);
}

static int on_string(void *context, const unsigned char *text, size_t length)
{
	struct reading *reading = context;

	if (reading->key == KEY_REMOTE && length > 0)
		reading->result.is_remote = true;
	if (reading->is_in_list && reading->depth == DEPTH_LIST) {
		reading->result.can_complete |= is_text(text, length, "completion");
		reading->result.can_embed |= is_text(text, length, "embedding");
	}
	return on_scalar(reading);
}

static int on_key(void *context, const unsigned char *text, size_t length)
{
	struct reading *reading = context;

	reading->key = KEY_OTHER;
	if (reading->depth != DEPTH_TOP)
		return 1;
	if (is_text(text, length, "capabilities"))
		reading->key = KEY_CAPABILITIES;
	else if (is_text(text, length, "remote_host") || is_text(text, length, "remote_model"))
		reading->key = KEY_REMOTE;
	return 1;
}

static int on_open(struct reading *reading)
{
	reading->key = KEY_OTHER;
	return ++reading->depth <= DEPTH_MOST;
}

static int on_map_start(void *context)
{
	return on_open(context);
}

static int on_list_start(void *context)
{
	struct reading *reading = context;

	if (reading->depth < DEPTH_TOP)
		return 0;
	if (reading->key == KEY_CAPABILITIES)
		reading->is_in_list = true;
	return on_open(reading);
}

static int on_close(void *context)
{
	struct reading *reading = context;

	if (reading->depth-- == DEPTH_LIST)
		reading->is_in_list = false;
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_map_start,
	.yajl_map_key = on_key,
	.yajl_end_map = on_close,
	.yajl_start_array = on_list_start,
	.yajl_end_array = on_close,
};

bool show_read(const char *text, size_t length, struct show_result *ret_result)
{
	struct reading reading = {0};
	yajl_handle yajl;
	bool is_good;

	if (length > SHOW_BYTES_MOST)
		return false;
	yajl = yajl_alloc(&callbacks, &yajl_memory, &reading);
	is_good = yajl_parse(yajl, (const unsigned char *)text, length) == yajl_status_ok &&
		  yajl_complete_parse(yajl) == yajl_status_ok;
	yajl_free(yajl);
	if (is_good)
		*ret_result = reading.result;
	return is_good;
}
