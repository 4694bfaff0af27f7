#include "config/groups.h"

#include <stdlib.h>
#include <string.h>

#include <libconfig.h>

#include "base/memory.h"
#include "config/api_keys.h"
#include "config/keep_alive.h"
#include "config/rules.h"
#include "config/settings.h"
#include "config/suggest.h"
#include "config/value.h"

enum {
	/* It becomes a project's name and a field of log lines. */
	TEXT_MAX_BYTES = 128,
	FIRST_PRINTABLE = 0x20,
	DELETE_BYTE = 0x7f,
};

/* A project of more or less than this beside others is better served by a class. */
#define WEIGHT_LEAST 0.01
#define WEIGHT_MOST 100.0

const struct group_list *const group_lists[GROUP_LISTS] = {
	&api_keys_list, &rules_projects, &rules_models, &rules_agents, &rules_listeners};

const struct group_list *groups_find(const char *name)
{
	for (size_t i = 0; i < GROUP_LISTS; i++) {
		if (strcmp(group_lists[i]->name, name) == 0)
			return group_lists[i];
	}
	return NULL;
}

/* Where a row, or the settings, have something. */
static void *at(const void *object, size_t offset)
{
	return (char *)object + offset;
}

static bool is_text(const char *text)
{
	size_t length = strlen(text);

	if (length == 0 || length > TEXT_MAX_BYTES)
		return false;
	for (size_t i = 0; i < length; i++) {
		if ((unsigned char)text[i] < FIRST_PRINTABLE || text[i] == DELETE_BYTE)
			return false;
	}
	return true;
}

static char *read_text(const config_setting_t *setting, char **field)
{
	const char *text = config_setting_get_string(setting);

	if (!text || !is_text(text))
		return mem_printf("%s must be a text of 1 to %d printable characters in quotes",
			config_setting_name(setting), (int)TEXT_MAX_BYTES);
	*field = mem_strdup(text);
	return NULL;
}

/* A text, or a number of seconds. */
static char *read_keep_alive(const config_setting_t *setting, char **field)
{
	int type = config_setting_type(setting);
	const char *text = config_setting_get_string(setting);
	char *made = NULL;
	char *read;

	if (type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64)
		text = made = mem_printf("%lld", config_setting_get_int64(setting));
	read = text ? keep_alive_read(text) : NULL;
	free(made);
	if (!read)
		return mem_printf("%s must be %s", config_setting_name(setting), KEEP_ALIVE_FORM);
	*field = read;
	return NULL;
}

/* One text of words, or a list of texts. */
static char *read_words(const config_setting_t *setting, char ***field)
{
	const char *text = config_setting_get_string(setting);
	char **words = text ? value_split(text) : mem_zalloc(sizeof(*words));
	size_t count = 0;
	bool is_fine = true;

	if (!text && config_setting_is_aggregate(setting) && !config_setting_is_group(setting)) {
		for (int i = 0; i < config_setting_length(setting); i++) {
			const char *word = config_setting_get_string_elem(setting, i);

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
					   config_setting_name(setting));
}

static char *read_paths(const config_setting_t *setting, char ***field)
{
	char *error = read_words(setting, field);

	if (!error && settings_wrong_path(*field))
		error = mem_printf("%s: each begins with / or is %s", config_setting_name(setting),
			SETTINGS_READ_ONLY);
	return error;
}

static bool read_integer(const config_setting_t *setting, int64_t *ret_number)
{
	int type = config_setting_type(setting);

	if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
		return false;
	*ret_number = config_setting_get_int64(setting);
	return true;
}

static char *read_count(
	const struct member *member, const config_setting_t *setting, int64_t *field)
{
	int64_t number;

	if (!read_integer(setting, &number) || number < 0 || number > member->maximum)
		return mem_printf("%s must be 0 (%s) to %lld%s%s", member->name,
			member->zero ? member->zero : "no limit", (long long)member->maximum,
			member->unit ? " " : "", member->unit ? member->unit : "");
	*field = number;
	return NULL;
}

/* As in a flag: a number is seconds, a text may have a unit. */
static bool read_duration_value(const config_setting_t *setting, int64_t *ret_ms)
{
	int type = config_setting_type(setting);
	char *made = NULL;
	const char *text = config_setting_get_string(setting);
	bool is_fine;

	if (type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64)
		text = made = mem_printf("%lld", config_setting_get_int64(setting));
	else if (type == CONFIG_TYPE_FLOAT)
		text = made = mem_printf("%.15g", config_setting_get_float(setting));
	is_fine = text && value_read_duration(text, ret_ms);
	free(made);
	return is_fine;
}

static char *read_duration(
	const struct member *member, const config_setting_t *setting, int64_t *field)
{
	int64_t ms;

	if (!read_duration_value(setting, &ms) || ms < 0 || ms > member->maximum)
		return mem_printf("%s must be a duration: seconds, fractions allowed, or in quotes "
				  "with ms, s, m or h; 0 is %s, 30 days are the most",
			member->name, member->zero ? member->zero : "no limit");
	*field = ms;
	return NULL;
}

static char *read_option(const struct member *member, const config_setting_t *setting, void *row)
{
	int64_t number;

	if (!read_integer(setting, &number) || number < member->minimum || number > member->maximum)
		return mem_printf("%s must be a whole number, %lld to %lld", member->name,
			(long long)member->minimum, (long long)member->maximum);
	*(int64_t *)at(row, member->offset) = number;
	*(bool *)at(row, member->has_offset) = true;
	return NULL;
}

static char *read_bool(const config_setting_t *setting, bool *field)
{
	if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
		return mem_printf("%s must be true or false", config_setting_name(setting));
	*field = config_setting_get_bool(setting);
	return NULL;
}

static char *read_switch(const struct member *member, const config_setting_t *setting, void *row)
{
	bool is_on = false;
	char *error = read_bool(setting, &is_on);

	if (error)
		return error;
	*(int64_t *)at(row, member->offset) = is_on;
	*(bool *)at(row, member->has_offset) = true;
	return NULL;
}

static char *read_weight(const config_setting_t *setting, double *field)
{
	int64_t whole;
	double weight = 0;

	if (config_setting_type(setting) == CONFIG_TYPE_FLOAT)
		weight = config_setting_get_float(setting);
	else if (read_integer(setting, &whole))
		weight = (double)whole;
	if (!(weight >= WEIGHT_LEAST && weight <= WEIGHT_MOST))
		return mem_printf("%s must be a number, %g to %g: 2 gets twice the share of 1",
			config_setting_name(setting), WEIGHT_LEAST, WEIGHT_MOST);
	*field = weight;
	return NULL;
}

static char *read_choice(const struct member *member, const config_setting_t *setting, int *field)
{
	const char *text = config_setting_get_string(setting);
	char *permitted, *error;

	for (int i = 0; text && member->choices[i]; i++) {
		if (strcmp(text, member->choices[i]) == 0) {
			*field = i + 1;
			return NULL;
		}
	}
	permitted = mem_printf("\"%s\"", member->choices[0]);
	for (int i = 1; member->choices[i]; i++) {
		char *longer = mem_printf("%s, \"%s\"", permitted, member->choices[i]);

		free(permitted);
		permitted = longer;
	}
	error = mem_printf("%s must be one of: %s", member->name, permitted);
	free(permitted);
	return error;
}

/* NULL or what is wrong. */
static char *read_member(const struct member *member, const config_setting_t *setting, void *row)
{
	void *field = at(row, member->offset);

	switch (member->type) {
	case MEMBER_TEXT:
		return read_text(setting, field);
	case MEMBER_KEEP_ALIVE:
		return read_keep_alive(setting, field);
	case MEMBER_WORDS:
		return read_words(setting, field);
	case MEMBER_PATHS:
		return read_paths(setting, field);
	case MEMBER_COUNT:
		return read_count(member, setting, field);
	case MEMBER_DURATION:
		return read_duration(member, setting, field);
	case MEMBER_OPTION:
		return read_option(member, setting, row);
	case MEMBER_SWITCH:
		return read_switch(member, setting, row);
	case MEMBER_WEIGHT:
		return read_weight(setting, field);
	case MEMBER_CHOICE:
		return read_choice(member, setting, field);
	case MEMBER_BOOL:
		return read_bool(setting, field);
	case MEMBER_OWN:
		break;
	}
	return member->read(setting, row);
}

bool member_is_set(const struct member *member, const void *row)
{
	const void *field = at(row, member->offset);

	switch (member->type) {
	case MEMBER_TEXT:
	case MEMBER_KEEP_ALIVE:
		return *(char *const *)field != NULL;
	case MEMBER_WORDS:
	case MEMBER_PATHS:
		return *(char **const *)field != NULL;
	case MEMBER_COUNT:
	case MEMBER_DURATION:
		return *(const int64_t *)field != member->absent;
	case MEMBER_OPTION:
	case MEMBER_SWITCH:
		return *(const bool *)at(row, member->has_offset);
	case MEMBER_WEIGHT:
		return *(const double *)field > 0;
	case MEMBER_CHOICE:
		return *(const int *)field != 0;
	case MEMBER_BOOL:
	case MEMBER_OWN:
		break;
	}
	return true;
}

static void finish_row(const struct group_list *list, void *row)
{
	for (size_t i = 0; i < list->members_count; i++) {
		const struct member *member = &list->members[i];
		void *field = at(row, member->offset);

		if (member->type == MEMBER_TEXT || member->type == MEMBER_KEEP_ALIVE)
			free(*(char **)field);
		else if (member->type == MEMBER_WORDS || member->type == MEMBER_PATHS)
			value_free_list(*(char ***)field);
	}
}

static void begin_row(const struct group_list *list, void *row)
{
	memset(row, 0, list->row_bytes);
	for (size_t i = 0; i < list->members_count; i++) {
		const struct member *member = &list->members[i];

		if (member->type == MEMBER_COUNT || member->type == MEMBER_DURATION)
			*(int64_t *)at(row, member->offset) = member->absent;
	}
}

static const struct member *find_member(const struct group_list *list, const char *word)
{
	for (size_t i = 0; i < list->members_count; i++) {
		if (strcmp(list->members[i].name, word) == 0)
			return &list->members[i];
	}
	return NULL;
}

/* The nearest member, or NULL: none is near. */
static const char *near_member(const struct group_list *list, const char *word)
{
	unsigned best = suggest_allowed(strlen(word)) + 1;
	const char *nearest = NULL;

	for (size_t i = 0; i < list->members_count; i++) {
		unsigned distance = suggest_distance(word, list->members[i].name);

		if (distance < best) {
			best = distance;
			nearest = list->members[i].name;
		}
	}
	return nearest;
}

static char *list_members(const struct group_list *list)
{
	char *text = mem_strdup(list->members[0].name);

	for (size_t i = 1; i < list->members_count; i++) {
		char *longer = mem_printf("%s, %s", text, list->members[i].name);

		free(text);
		text = longer;
	}
	return text;
}

static char *explain_unknown(const struct group_list *list, const char *word)
{
	char *error = list->explain ? list->explain(word) : NULL;
	const char *near = near_member(list, word);
	char *quoted, *members;

	if (error)
		return error;
	quoted = value_quote(word);
	members = list_members(list);
	if (near)
		error = mem_printf("%s is not known; did you mean %s?", quoted, near);
	else
		error = mem_printf("%s is none of: %s", quoted, members);
	free(quoted);
	free(members);
	return error;
}

static bool has_all_needed(const struct group_list *list, const config_setting_t *group)
{
	for (size_t i = 0; i < list->members_count; i++) {
		if (list->members[i].is_needed &&
			!config_setting_get_member(group, list->members[i].name))
			return false;
	}
	return true;
}

/* Fills a row that was begun. NULL or what is wrong in `ret_line`. */
static char *read_row(
	const struct group_list *list, const config_setting_t *group, void *row, unsigned *ret_line)
{
	*ret_line = config_setting_source_line(group);
	if (!config_setting_is_group(group))
		return mem_printf("each %s is a group: %s", list->noun, list->example);
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
		const char *word = config_setting_name(setting);
		const struct member *member = find_member(list, word);
		char *error =
			member ? read_member(member, setting, row) : explain_unknown(list, word);

		if (error) {
			*ret_line = config_setting_source_line(setting);
			return error;
		}
	}
	return has_all_needed(list, group) ? NULL
					   : mem_printf("a %s needs %s", list->noun, list->needs);
}

static void free_rows(const struct group_list *list, void *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		finish_row(list, at(rows, i * list->row_bytes));
	free(rows);
}

char *groups_read(const struct group_list *list, const struct config_setting_t *setting,
	struct settings *settings, unsigned *ret_line)
{
	int length = config_setting_length(setting);
	char *rows, *error = NULL;
	size_t count = 0;
	void *old;

	*ret_line = config_setting_source_line(setting);
	if (!config_setting_is_list(setting))
		return mem_printf(
			"is a list of groups: %s = ( %s, { ... } );", list->name, list->example);
	rows = mem_zalloc_array((size_t)length + 1, list->row_bytes);
	while (!error && count < (size_t)length) {
		void *row = rows + count * list->row_bytes;

		begin_row(list, row);
		error = read_row(
			list, config_setting_get_elem(setting, (unsigned)count), row, ret_line);
		if (!error && list->check)
			error = list->check(row, rows, count);
		count++;
	}
	if (error) {
		free_rows(list, rows, count);
		return error;
	}
	memcpy(&old, at(settings, list->rows_offset), sizeof(old));
	free_rows(list, old, *(size_t *)at(settings, list->count_offset));
	memcpy(at(settings, list->rows_offset), &rows, sizeof(rows));
	*(size_t *)at(settings, list->count_offset) = count;
	return NULL;
}

const void *groups_rows(
	const struct group_list *list, const struct settings *settings, size_t *ret_count)
{
	const void *rows;

	memcpy(&rows, at(settings, list->rows_offset), sizeof(rows));
	*ret_count = *(const size_t *)at(settings, list->count_offset);
	return rows;
}

void groups_finish(struct settings *settings)
{
	for (size_t i = 0; i < GROUP_LISTS; i++) {
		size_t count;
		void *rows = (void *)groups_rows(group_lists[i], settings, &count);

		free_rows(group_lists[i], rows, count);
	}
}
