/* GET /api/v1/config: the settings in force as text, by the key table; secrets hidden. */
#include <stdlib.h>
#include <string.h>

#include "admin/admin.h"
#include "config/keys.h"
#include "config/value.h"
#include "json/writer.h"

static const char hidden[] = "hidden";

static void put_setting(
	struct json_writer *writer, const struct key *key, const struct settings *settings)
{
	char *value = value_print(key, settings);

	json_begin_object(writer, NULL);
	json_put_string(writer, "name", key->name);
	json_put_string(writer, "value", key->is_secret && *value ? hidden : value);
	json_put_string(writer, "unit", *key_unit(key) ? key_unit(key) : NULL);
	json_put_string(writer, "default", key->fallback);
	json_end_object(writer);
	free(value);
}

static void put_words(struct json_writer *writer, const char *name, char *const *words)
{
	json_begin_array(writer, name);
	for (; words && *words; words++)
		json_put_string(writer, NULL, *words);
	json_end_array(writer);
}

static void put_key(struct json_writer *writer, const struct api_key *key)
{
	json_begin_object(writer, NULL);
	json_put_string(writer, "name", key->name);
	json_put_string(writer, "hash", hidden);
	json_put_string(writer, "project", key->project);
	json_put_int(writer, "rate", key->rate);
	put_words(writer, "allow_paths", key->allow_paths);
	put_words(writer, "allow_models", key->allow_models);
	json_put_bool(writer, "admin", key->is_admin);
	json_end_object(writer);
}

void admin_write_config(struct json_writer *writer, const struct admin_view *view)
{
	const struct settings *settings = view->settings;

	json_begin_object(writer, NULL);
	json_begin_array(writer, "settings");
	for (size_t i = 0; i < keys_count; i++)
		put_setting(writer, &keys[i], settings);
	json_end_array(writer);
	json_begin_array(writer, "keys");
	for (size_t i = 0; i < settings->api_keys_count; i++)
		put_key(writer, &settings->api_keys[i]);
	json_end_array(writer);
	json_end_object(writer);
}
