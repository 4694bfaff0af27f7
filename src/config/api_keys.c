#include "config/api_keys.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <libconfig.h>

#include "base/memory.h"
#include "config/settings.h"
#include "config/value.h"

enum {
	/* A key without a limit of its own needs no number, and this many a minute is one a
	   millisecond. */
	RATE_MAX = 60000,
	/* It becomes a project's name and a field of log lines. */
	NAME_MAX_BYTES = 128,
	FIRST_PRINTABLE = 0x20,
	DELETE_BYTE = 0x7f,
};

static const char HASH_PREFIX[] = "sha256:";
static const char MEMBERS[] = "name, hash, project, rate, allow_paths, allow_models, admin";

static int hex_digit(char byte)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = byte ? strchr(digits, tolower((unsigned char)byte)) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* "sha256:" and 64 hexadecimal digits. */
static bool read_hash(const char *text, unsigned char hash[API_KEY_HASH_BYTES])
{
	if (strncmp(text, HASH_PREFIX, strlen(HASH_PREFIX)) != 0)
		return false;
	text += strlen(HASH_PREFIX);
	if (strlen(text) != 2 * (size_t)API_KEY_HASH_BYTES)
		return false;
	for (size_t i = 0; i < API_KEY_HASH_BYTES; i++) {
		int high = hex_digit(text[2 * i]);
		int low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		hash[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

static bool is_name(const char *text)
{
	size_t length = strlen(text);

	if (length == 0 || length > NAME_MAX_BYTES)
		return false;
	for (size_t i = 0; i < length; i++) {
		if ((unsigned char)text[i] < FIRST_PRINTABLE || text[i] == DELETE_BYTE)
			return false;
	}
	return true;
}

static char *read_text(const config_setting_t *member, char **field)
{
	const char *text = config_setting_get_string(member);

	if (!text || !is_name(text))
		return mem_printf("%s must be a text of 1 to %d printable characters in quotes",
			config_setting_name(member), (int)NAME_MAX_BYTES);
	*field = mem_strdup(text);
	return NULL;
}

/* One text of words, or a list of texts. */
static char *read_words(const config_setting_t *member, char ***field)
{
	const char *text = config_setting_get_string(member);
	char **words = text ? value_split(text) : mem_zalloc(sizeof(*words));
	size_t count = 0;
	bool is_fine = true;

	if (!text && config_setting_is_aggregate(member) && !config_setting_is_group(member)) {
		for (int i = 0; i < config_setting_length(member); i++) {
			const char *word = config_setting_get_string_elem(member, i);

			if (!word) {
				is_fine = false;
				break;
			}
			words = mem_grow_array(words, count + 2, sizeof(*words));
			words[count++] = mem_strdup(word);
			words[count] = NULL;
		}
	}
	*field = words;
	return is_fine && *words ? NULL
				 : mem_printf("%s must be a list of texts in quotes, and not empty",
					   config_setting_name(member));
}

static char *read_paths(const config_setting_t *member, char ***field)
{
	char *error = read_words(member, field);

	if (!error && settings_wrong_path(*field))
		error = mem_printf("%s: each begins with / or is %s", config_setting_name(member),
			SETTINGS_READ_ONLY);
	return error;
}

static char *read_rate(const config_setting_t *member, int64_t *field)
{
	int type = config_setting_type(member);
	long long rate = config_setting_get_int64(member);

	if ((type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64) || rate < 0 || rate > RATE_MAX)
		return mem_printf(
			"rate must be 0 (no limit) to %d requests a minute", (int)RATE_MAX);
	*field = rate;
	return NULL;
}

static char *read_admin(const config_setting_t *member, bool *field)
{
	if (config_setting_type(member) != CONFIG_TYPE_BOOL)
		return mem_strdup("admin must be true or false");
	*field = config_setting_get_bool(member);
	return NULL;
}

static char *read_hash_member(const config_setting_t *member, struct api_key *key, bool *has_hash)
{
	const char *text = config_setting_get_string(member);

	if (!text || !read_hash(text, key->hash))
		return mem_strdup("hash must be \"sha256:\" and 64 hexadecimal digits "
				  "(printf %s \"$KEY\" | sha256sum)");
	*has_hash = true;
	return NULL;
}

/* NULL or what is wrong. */
static char *read_member(const config_setting_t *member, struct api_key *key, bool *has_hash)
{
	const char *word = config_setting_name(member);
	char *quoted, *error;

	if (strcmp(word, "name") == 0)
		return read_text(member, &key->name);
	if (strcmp(word, "project") == 0)
		return read_text(member, &key->project);
	if (strcmp(word, "hash") == 0)
		return read_hash_member(member, key, has_hash);
	if (strcmp(word, "rate") == 0)
		return read_rate(member, &key->rate);
	if (strcmp(word, "allow_paths") == 0)
		return read_paths(member, &key->allow_paths);
	if (strcmp(word, "allow_models") == 0)
		return read_words(member, &key->allow_models);
	if (strcmp(word, "admin") == 0)
		return read_admin(member, &key->is_admin);
	if (strcmp(word, "key") == 0)
		return mem_strdup("a key stands here only as its hash: "
				  "hash = \"sha256:...\" (printf %s \"$KEY\" | sha256sum)");
	quoted = value_quote(word);
	error = mem_printf("%s is none of: %s", quoted, MEMBERS);
	free(quoted);
	return error;
}

/* What is the same in two keys, or NULL. */
static const char *find_double(const struct settings *settings, const struct api_key *key)
{
	for (size_t i = 0; i < settings->api_keys_count; i++) {
		const struct api_key *other = &settings->api_keys[i];

		assert(other->name && key->name);
		if (strcmp(other->name, key->name) == 0)
			return "name";
		if (memcmp(other->hash, key->hash, sizeof(key->hash)) == 0)
			return "hash";
	}
	return NULL;
}

/* Reads one group behind those in `read`. NULL or what is wrong. */
static char *read_key(const config_setting_t *group, struct settings *read, unsigned *ret_line)
{
	struct api_key key = {0};
	bool has_hash = false;
	const char *twice;
	char *error = NULL;

	*ret_line = config_setting_source_line(group);
	if (!config_setting_is_group(group))
		return mem_strdup("each key is a group: { name = \"...\"; hash = \"sha256:...\" }");
	for (int i = 0; !error && i < config_setting_length(group); i++) {
		const config_setting_t *member = config_setting_get_elem(group, (unsigned)i);

		*ret_line = config_setting_source_line(member);
		error = read_member(member, &key, &has_hash);
	}
	if (!error && !(key.name && has_hash)) {
		*ret_line = config_setting_source_line(group);
		error = mem_strdup("a key needs a name and a hash");
	}
	twice = error ? NULL : find_double(read, &key);
	if (twice)
		error = mem_printf("two keys have the same %s", twice);
	if (error) {
		api_key_finish(&key);
		return error;
	}
	read->api_keys =
		mem_grow_array(read->api_keys, read->api_keys_count + 1, sizeof(*read->api_keys));
	read->api_keys[read->api_keys_count++] = key;
	return NULL;
}

char *api_keys_read(
	const struct config_setting_t *list, struct settings *settings, unsigned *ret_line)
{
	struct settings *read = settings_create();
	char *error = NULL;

	*ret_line = config_setting_source_line(list);
	if (!config_setting_is_list(list))
		error = mem_strdup("is a list of groups: keys = ( { name = ...; }, { ... } );");
	for (int i = 0; !error && i < config_setting_length(list); i++)
		error = read_key(config_setting_get_elem(list, (unsigned)i), read, ret_line);
	if (!error) {
		/* what was there goes with `read` */
		struct api_key *old = settings->api_keys;
		size_t old_count = settings->api_keys_count;

		settings->api_keys = read->api_keys;
		settings->api_keys_count = read->api_keys_count;
		read->api_keys = old;
		read->api_keys_count = old_count;
	}
	settings_return(read);
	return error;
}
