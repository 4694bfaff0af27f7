#include "json/ps.h"

#include <string.h>

#include <yajl/yajl_parse.h>

#include "json/yajl_memory.h"

enum {
	TEXT_BYTES = 256, /* as long as residency keeps names */
	/* Ollama's answers are four deep. */
	DEPTH_MOST = 32,
	DEPTH_TOP = 1,	 /* {"models": */
	DEPTH_LIST = 2,	 /* [ */
	DEPTH_MODEL = 3, /* {"name": */
};

enum key {
	KEY_OTHER,
	KEY_MODELS,
	KEY_NAME,
	KEY_MODEL,
	KEY_DIGEST,
	KEY_EXPIRES,
	KEY_SIZE,
	KEY_VRAM,
	KEY_CONTEXT,
	KEY_VERSION
};

static const struct {
	int depth;
	const char *name;
	enum key key;
} keys[] = {
	{DEPTH_TOP, "models", KEY_MODELS},
	{DEPTH_TOP, "version", KEY_VERSION},
	{DEPTH_MODEL, "name", KEY_NAME},
	{DEPTH_MODEL, "model", KEY_MODEL},
	{DEPTH_MODEL, "digest", KEY_DIGEST},
	{DEPTH_MODEL, "expires_at", KEY_EXPIRES},
	{DEPTH_MODEL, "size", KEY_SIZE},
	{DEPTH_MODEL, "size_vram", KEY_VRAM},
	{DEPTH_MODEL, "context_length", KEY_CONTEXT},
};

struct reading {
	void (*on_model)(void *arg, const struct ps_model *model); /* NULL: the version is read */
	void *arg;
	int depth;
	enum key key;	 /* the last one at this depth that counts */
	bool is_in_list; /* inside "models" */
	bool has_list;
	bool has_version;
	struct ps_model model;
	char name[TEXT_BYTES];
	char other_name[TEXT_BYTES]; /* "model", where "name" is absent */
	char digest[TEXT_BYTES];
	char expires_at[TEXT_BYTES];
	char version[PS_VERSION_BYTES];
};

static enum key take_key(struct reading *reading)
{
	enum key key = reading->key;

	reading->key = KEY_OTHER;
	return key;
}

/* A value that is none of those looked for. */
static int on_value(struct reading *reading)
{
	take_key(reading);
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

static int on_integer(void *context, long long value)
{
	struct reading *reading = context;

	switch (reading->key) {
	case KEY_SIZE:
		reading->model.size = value;
		break;
	case KEY_VRAM:
		reading->model.size_vram = value;
		break;
	case KEY_CONTEXT:
		reading->model.context_length = value;
		break;
	case KEY_OTHER:
	case KEY_MODELS:
	case KEY_NAME:
	case KEY_MODEL:
	case KEY_DIGEST:
	case KEY_EXPIRES:
	case KEY_VERSION:
		break;
	}
	return on_value(reading);
}

static int on_double(void *context, double value)
{
	return on_value(context);
}

static void copy_text(char *to, size_t bytes, const unsigned char *text, size_t length)
{
	/* A NUL inside ends the text: nothing that Ollama names has one. */
	length = strnlen((const char *)text, length < bytes ? length : bytes - 1);
	memcpy(to, text, length);
	to[length] = '\0';
}

static int on_string(void *context, const unsigned char *text, size_t length)
{
	struct reading *reading = context;

	switch (reading->key) {
	case KEY_NAME:
		copy_text(reading->name, sizeof(reading->name), text, length);
		break;
	case KEY_MODEL:
		copy_text(reading->other_name, sizeof(reading->other_name), text, length);
		break;
	case KEY_DIGEST:
		copy_text(reading->digest, sizeof(reading->digest), text, length);
		break;
	case KEY_EXPIRES:
		copy_text(reading->expires_at, sizeof(reading->expires_at), text, length);
		break;
	case KEY_VERSION:
		copy_text(reading->version, sizeof(reading->version), text, length);
		reading->has_version = true;
		break;
	case KEY_OTHER:
	case KEY_MODELS:
	case KEY_SIZE:
	case KEY_VRAM:
	case KEY_CONTEXT:
		break;
	}
	return on_value(reading);
}

static int on_key(void *context, const unsigned char *text, size_t length)
{
	struct reading *reading = context;

	reading->key = KEY_OTHER;
	if (reading->depth == DEPTH_MODEL && !reading->is_in_list)
		return 1;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (keys[i].depth == reading->depth && strlen(keys[i].name) == length &&
			memcmp(keys[i].name, text, length) == 0)
			reading->key = keys[i].key;
	}
	return 1;
}

static int on_map_start(void *context)
{
	struct reading *reading = context;

	take_key(reading);
	if (++reading->depth > DEPTH_MOST)
		return 0;
	if (reading->depth == DEPTH_MODEL) {
		reading->model =
			(struct ps_model){.size = -1, .size_vram = -1, .context_length = -1};
		reading->name[0] = reading->other_name[0] = reading->digest[0] =
			reading->expires_at[0] = '\0';
	}
	return 1;
}

static int on_map_end(void *context)
{
	struct reading *reading = context;
	const char *name = reading->name[0] ? reading->name : reading->other_name;

	if (reading->depth-- == DEPTH_MODEL && reading->is_in_list && reading->on_model && *name) {
		reading->model.name = name;
		reading->model.digest = reading->digest;
		reading->model.expires_at = reading->expires_at;
		reading->on_model(reading->arg, &reading->model);
	}
	take_key(reading);
	return 1;
}

static int on_list_start(void *context)
{
	struct reading *reading = context;

	if (take_key(reading) == KEY_MODELS)
		reading->is_in_list = reading->has_list = true;
	/* Neither answer is a list itself. */
	return ++reading->depth <= DEPTH_MOST && reading->depth > DEPTH_TOP;
}

static int on_list_end(void *context)
{
	struct reading *reading = context;

	if (reading->depth-- == DEPTH_LIST)
		reading->is_in_list = false;
	take_key(reading);
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_integer = on_integer,
	.yajl_double = on_double,
	.yajl_string = on_string,
	.yajl_start_map = on_map_start,
	.yajl_map_key = on_key,
	.yajl_end_map = on_map_end,
	.yajl_start_array = on_list_start,
	.yajl_end_array = on_list_end,
};

static bool read_all(struct reading *reading, const char *text, size_t length)
{
	yajl_handle yajl;
	bool is_good;

	if (length > PS_BYTES_MOST)
		return false;
	yajl = yajl_alloc(&callbacks, &yajl_memory, reading);
	is_good = yajl_parse(yajl, (const unsigned char *)text, length) == yajl_status_ok &&
		  yajl_complete_parse(yajl) == yajl_status_ok;
	yajl_free(yajl);
	return is_good;
}

bool ps_read(const char *text, size_t length,
	void (*on_model)(void *arg, const struct ps_model *model), void *arg)
{
	struct reading reading = {.on_model = on_model, .arg = arg};

	return read_all(&reading, text, length) && reading.has_list;
}

bool ps_read_version(const char *text, size_t length, char ret_version[PS_VERSION_BYTES])
{
	struct reading reading = {0};

	if (!read_all(&reading, text, length) || !reading.has_version)
		return false;
	memcpy(ret_version, reading.version, PS_VERSION_BYTES);
	return true;
}
