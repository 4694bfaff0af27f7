#include "json/ps.h"

#include <string.h>

#include "json/filter.h"
#include "json/number.h"
#include "json/walk.h"

enum { TEXT_BYTES = 256 }; /* as long as residency keeps names */

struct reading {
	void (*on_model)(void *arg, const struct ps_model *model);
	void *arg;
	bool has_list;
	struct ps_model model;
	char name[TEXT_BYTES];
	char other_name[TEXT_BYTES]; /* "model", where "name" is absent */
	char digest[TEXT_BYTES];
	char expires_at[TEXT_BYTES];
};

static void on_string(struct reading *reading, const char *key, const char *text, size_t length)
{
	if (strcmp(key, "name") == 0)
		walk_copy(reading->name, TEXT_BYTES, text, length);
	else if (strcmp(key, "model") == 0)
		walk_copy(reading->other_name, TEXT_BYTES, text, length);
	else if (strcmp(key, "digest") == 0)
		walk_copy(reading->digest, TEXT_BYTES, text, length);
	else if (strcmp(key, "expires_at") == 0)
		walk_copy(reading->expires_at, TEXT_BYTES, text, length);
}

static void on_number(struct ps_model *model, const char *key, const char *text, size_t length)
{
	if (length > FILTER_SCALAR_MAX)
		return;
	if (strcmp(key, "size") == 0)
		model->size = number_parse(text, length);
	else if (strcmp(key, "size_vram") == 0)
		model->size_vram = number_parse(text, length);
	else if (strcmp(key, "context_length") == 0)
		model->context_length = number_parse(text, length);
}

static void on_scalar(
	void *arg, const char *path, enum walk_kind kind, const char *text, size_t length)
{
	static const char member[] = "models/*/";
	struct reading *reading = arg;

	/* Go writes an empty list that was never made as null. */
	if (kind == WALK_NULL && strcmp(path, "models") == 0)
		reading->has_list = true;
	if (!reading->has_list || strncmp(path, member, strlen(member)) != 0)
		return;
	if (kind == WALK_STRING)
		on_string(reading, path + strlen(member), text, length);
	else if (kind == WALK_NUMBER)
		on_number(&reading->model, path + strlen(member), text, length);
}

static void on_open(void *arg, const char *path, bool is_array)
{
	struct reading *reading = arg;

	if (is_array && strcmp(path, "models") == 0)
		reading->has_list = true;
	if (is_array || strcmp(path, "models/*") != 0)
		return;
	reading->model = (struct ps_model){.size = -1, .size_vram = -1, .context_length = -1};
	reading->name[0] = reading->other_name[0] = reading->digest[0] = reading->expires_at[0] =
		'\0';
}

static void on_close(void *arg, const char *path, bool is_array)
{
	struct reading *reading = arg;
	const char *name = reading->name[0] ? reading->name : reading->other_name;

	if (is_array || !reading->has_list || !*name || strcmp(path, "models/*") != 0)
		return;
	reading->model.name = name;
	reading->model.digest = reading->digest;
	reading->model.expires_at = reading->expires_at;
	reading->on_model(reading->arg, &reading->model);
}

bool ps_read(const char *text, size_t length,
	void (*on_model)(void *arg, const struct ps_model *model), void *arg)
{
	static const struct walk_events events = {on_scalar, on_open, on_close};
	struct reading reading = {.on_model = on_model, .arg = arg};

	if (length > PS_BYTES_MOST)
		return false;
	return walk_with_containers(text, length, &events, &reading) && reading.has_list;
}

static void on_version(
	void *arg, const char *path, enum walk_kind kind, const char *text, size_t length)
{
	if (kind == WALK_STRING && strcmp(path, "version") == 0)
		walk_copy(arg, PS_VERSION_BYTES, text, length);
}

bool ps_read_version(const char *text, size_t length, char ret_version[PS_VERSION_BYTES])
{
	char version[PS_VERSION_BYTES] = "";

	if (length > PS_BYTES_MOST || !walk_object(text, length, on_version, version) ||
		!version[0])
		return false;
	memcpy(ret_version, version, PS_VERSION_BYTES);
	return true;
}
