#include "json/tags.h"

#include <string.h>

#include <yajl/yajl_parse.h>

#include "json/yajl_memory.h"

enum {
	NAME_BYTES = 256, /* as long as residency keeps names */
	DEPTH_MOST = 32,  /* Ollama's answers are five deep */
	DEPTH_TOP = 1,	  /* {"models": */
	DEPTH_LIST = 2,	  /* [ */
	DEPTH_MODEL = 3,  /* {"name": */
	DEPTH_WORDS = 4,  /* "capabilities":[ */
};

enum key { KEY_OTHER, KEY_MODELS, KEY_NAME, KEY_DIGEST, KEY_REMOTE, KEY_CAPABILITIES };

struct reading {
	void (*on_model)(void *arg, const struct tags_model *model);
	void *arg;
	int depth;
	enum key key;
	bool has_list;
	bool is_in_list;  /* inside "models" */
	bool is_in_words; /* inside "capabilities" */
	struct tags_model model;
	char name[NAME_BYTES];
	char digest[NAME_BYTES];
};

static bool is_text(const unsigned char *text, size_t length, const char *wanted)
{
	return strlen(wanted) == length && memcmp(wanted, text, length) == 0;
}

static int on_value(struct reading *reading)
{
	reading->key = KEY_OTHER;
	/* The answer itself has to be an object. */
	return reading->depth >= DEPTH_TOP;
}

static int on_null(void *context)
{
	struct reading *reading = context;

	/* Go writes an empty list that was never made as null. */
	if (reading->key == KEY_MODELS)
		reading->has_list = true;
	return on_value(reading);
}

static int on_boolean(void *context, int value)
{
	return on_value(context);
}

static int on_number(void *context, const char *text, size_t length)
{
	return on_value(context);
}

static void copy_text(char to[NAME_BYTES], const unsigned char *text, size_t length)
{
	size_t kept = length < NAME_BYTES ? length : NAME_BYTES - 1;

	memcpy(to, text, kept);
	to[kept] = '\0';
}

static int on_string(void *context, const unsigned char *text, size_t length)
{
	struct reading *reading = context;

	if (reading->key == KEY_NAME)
		copy_text(reading->name, text, length);
	if (reading->key == KEY_DIGEST)
		copy_text(reading->digest, text, length);
	if (reading->key == KEY_REMOTE && length > 0)
		reading->model.is_remote = true;
	if (reading->is_in_words && reading->depth == DEPTH_WORDS) {
		reading->model.can_complete |= is_text(text, length, "completion");
		reading->model.can_embed |= is_text(text, length, "embedding");
	}
	return on_value(reading);
}

static int on_key(void *context, const unsigned char *text, size_t length)
{
	struct reading *reading = context;

	reading->key = KEY_OTHER;
	if (reading->depth == DEPTH_TOP && is_text(text, length, "models"))
		reading->key = KEY_MODELS;
	if (reading->depth != DEPTH_MODEL || !reading->is_in_list)
		return 1;
	if (is_text(text, length, "name"))
		reading->key = KEY_NAME;
	else if (is_text(text, length, "digest"))
		reading->key = KEY_DIGEST;
	else if (is_text(text, length, "remote_host") || is_text(text, length, "remote_model"))
		reading->key = KEY_REMOTE;
	else if (is_text(text, length, "capabilities"))
		reading->key = KEY_CAPABILITIES;
	return 1;
}

static int on_map_start(void *context)
{
	struct reading *reading = context;

	reading->key = KEY_OTHER;
	if (++reading->depth == DEPTH_MODEL) {
		reading->model =
			(struct tags_model){.name = reading->name, .digest = reading->digest};
		reading->name[0] = reading->digest[0] = '\0';
	}
	return reading->depth <= DEPTH_MOST;
}

static int on_map_end(void *context)
{
	struct reading *reading = context;

	if (reading->depth-- == DEPTH_MODEL && reading->is_in_list && reading->name[0])
		reading->on_model(reading->arg, &reading->model);
	return 1;
}

static int on_list_start(void *context)
{
	struct reading *reading = context;

	if (reading->key == KEY_MODELS)
		reading->is_in_list = reading->has_list = true;
	if (reading->key == KEY_CAPABILITIES)
		reading->is_in_words = reading->model.has_capabilities = true;
	reading->key = KEY_OTHER;
	return ++reading->depth <= DEPTH_MOST && reading->depth > DEPTH_TOP;
}

static int on_list_end(void *context)
{
	struct reading *reading = context;

	if (reading->depth == DEPTH_WORDS)
		reading->is_in_words = false;
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
	.yajl_end_map = on_map_end,
	.yajl_start_array = on_list_start,
	.yajl_end_array = on_list_end,
};

bool tags_read(const char *text, size_t length,
	void (*on_model)(void *arg, const struct tags_model *model), void *arg)
{
	struct reading reading = {.on_model = on_model, .arg = arg};
	yajl_handle yajl;
	bool is_good;

	if (length > TAGS_BYTES_MOST)
		return false;
	yajl = yajl_alloc(&callbacks, &yajl_memory, &reading);
	is_good = yajl_parse(yajl, (const unsigned char *)text, length) == yajl_status_ok &&
		  yajl_complete_parse(yajl) == yajl_status_ok;
	yajl_free(yajl);
	return is_good && reading.has_list;
}
