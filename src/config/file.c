#include "config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libconfig.h>

#include "base/memory.h"
#include "config/groups.h"
#include "config/keys.h"
#include "config/settings.h"
#include "config/suggest.h"
#include "config/value.h"

/* "name:line: subject: reason"; `reason` is freed. Returns false. */
static bool fail_at(
	const char *name, unsigned line, const char *subject, char *reason, char **ret_error)
{
	*ret_error = mem_printf("%s:%u: %s%s%s", name, line, subject, *subject ? ": " : "", reason);
	free(reason);
	return false;
}

/* The list of groups whose name is nearest, if it is nearer than `key` (NULL: none is near). */
static const char *near_list(const char *word, const struct key *key)
{
	unsigned best = key ? suggest_distance(word, key->name) : suggest_allowed(strlen(word)) + 1;
	const char *nearest = NULL;

	for (size_t i = 0; i < GROUP_LISTS; i++) {
		unsigned distance = suggest_distance(word, group_lists[i]->name);

		if (distance < best) {
			best = distance;
			nearest = group_lists[i]->name;
		}
	}
	return nearest;
}

static bool fail_unknown(const char *name, const config_setting_t *setting, char **ret_error)
{
	const char *word = config_setting_name(setting);
	const struct key *key = suggest_key(word, strlen(word));
	const char *list = near_list(word, key);
	const char *near = list ? list : key ? key->name : NULL;
	char *quoted = value_quote(word);
	char *reason = near ? mem_printf("unknown key %s; did you mean %s?", quoted, near)
			    : mem_printf("unknown key %s", quoted);

	free(quoted);
	return fail_at(name, config_setting_source_line(setting), "", reason, ret_error);
}

/* Joins a list of strings by commas; NULL: something else is in it. */
static char *join_strings(const config_setting_t *list)
{
	char *text = mem_strdup("");

	for (int i = 0; text && i < config_setting_length(list); i++) {
		const char *part = config_setting_get_string_elem(list, i);
		char *longer = part ? mem_printf("%s%s%s", text, *text ? "," : "", part) : NULL;

		free(text);
		text = longer;
	}
	return text;
}

/* The value as a person would write it in a flag: a new text, or NULL and a static `ret_reason`. */
static char *value_text(
	const struct key *key, const config_setting_t *setting, const char **ret_reason)
{
	*ret_reason = "takes one value";
	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_STRING:
		return mem_strdup(config_setting_get_string(setting));
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return mem_printf("%lld", config_setting_get_int64(setting));
	case CONFIG_TYPE_FLOAT:
		return mem_printf("%.15g", config_setting_get_float(setting));
	case CONFIG_TYPE_BOOL:
		return mem_strdup(config_setting_get_bool(setting) ? "true" : "false");
	case CONFIG_TYPE_ARRAY:
	case CONFIG_TYPE_LIST:
		if (!key_is_list(key))
			return NULL;
		*ret_reason = key->type == KEY_ADDRESSES ? "every address must be a text in quotes"
							 : "every element must be a text in quotes";
		return join_strings(setting);
	default: /* a group */
		return NULL;
	}
}

static bool apply_setting(const char *name, const config_setting_t *setting,
	struct settings *settings, char **ret_error)
{
	const char *word = config_setting_name(setting);
	const struct key *key = key_find(word, strlen(word));
	const struct group_list *list = groups_find(word);
	const char *reason;
	unsigned line;
	char *text, *error;
	bool is_fine;

	if (list) {
		error = groups_read(list, setting, settings, &line);
		return !error || fail_at(name, line, list->name, error, ret_error);
	}
	if (!key)
		return fail_unknown(name, setting, ret_error);
	text = value_text(key, setting, &reason);
	if (!text)
		return fail_at(name, config_setting_source_line(setting), key->name,
			mem_strdup(reason), ret_error);
	is_fine = value_parse(key, text, settings, &error);
	free(text);
	return is_fine ||
	       fail_at(name, config_setting_source_line(setting), key->name, error, ret_error);
}

/* libconfig would open what a line with @include names: a file that the program reads as one user
 * must not name others. */
static bool has_include(const char *text)
{
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += strspn(line, " \t\r\n");
		if (strncmp(line, "@include", strlen("@include")) == 0)
			return true;
	}
	return false;
}

bool file_parse(const char *name, const char *text, size_t length, struct settings *settings,
	char **ret_error)
{
	config_t config;
	const config_setting_t *top;
	bool is_fine = true;

	if (memchr(text, '\0', length)) {
		*ret_error = mem_printf("%s: is not a text", name);
		return false;
	}
	if (has_include(text)) {
		*ret_error = mem_printf("%s: @include is not allowed", name);
		return false;
	}
	config_init(&config);
	config_set_auto_convert(&config, CONFIG_FALSE);
	if (config_read_string(&config, text) != CONFIG_TRUE) {
		fail_at(name, (unsigned)config_error_line(&config), "",
			mem_strdup(config_error_text(&config)), ret_error);
		config_destroy(&config);
		return false;
	}
	top = config_root_setting(&config);
	for (int i = 0; is_fine && i < config_setting_length(top); i++)
		is_fine = apply_setting(
			name, config_setting_get_elem(top, (unsigned)i), settings, ret_error);
	config_destroy(&config);
	return is_fine;
}
/* Reads at most `room` bytes; -1 and errno on failure. */
static ssize_t read_all(int file, char *text, size_t room)
{
	size_t length = 0;

	while (length < room) {
		ssize_t got = read(file, text + length, room - length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		length += (size_t)got;
	}
	return (ssize_t)length;
}

bool file_apply(const char *path, struct settings *settings, char **ret_error)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	char *text;
	ssize_t length;
	bool is_fine = false;

	if (file < 0) {
		*ret_error = mem_printf("%s: cannot be opened: %s", path, strerror(errno));
		return false;
	}
	text = mem_zalloc(
		FILE_MAX_BYTES + 2); /* one byte more than allowed, to notice it, and a NUL */
	length = read_all(file, text, FILE_MAX_BYTES + 1);
	if (length < 0)
		*ret_error = mem_printf("%s: cannot be read: %s", path, strerror(errno));
	else if (length > FILE_MAX_BYTES)
		*ret_error = mem_printf("%s: is over %d bytes", path, FILE_MAX_BYTES);
	else
		is_fine = file_parse(path, text, (size_t)length, settings, ret_error);
	free(text);
	close(file);
	return is_fine;
}
