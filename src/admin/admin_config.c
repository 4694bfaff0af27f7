/* GET /api/v1/config: the settings in force as text, by the key table, and the lists of groups by
 * theirs; secrets hidden. */
#include <stdlib.h>
#include <string.h>

#include "admin/admin.h"
#include "config/groups.h"
#include "config/keys.h"
#include "config/value.h"
#include "json/writer.h"

enum { MS_PER_S = 1000, DECIMALS = 3 };

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

static void put_number(
	struct json_writer *writer, const struct member *member, const void *field, bool is_absent)
{
	int64_t number = *(const int64_t *)field;

	if (is_absent && number < 0)
		json_put_null(writer, member->name);
	else if (member->type == MEMBER_DURATION)
		json_put_fixed(writer, member->name, (double)number / MS_PER_S, DECIMALS);
	else
		json_put_int(writer, member->name, number);
}

static void put_member(struct json_writer *writer, const struct member *member, const void *row)
{
	const void *field = (const char *)row + member->offset;
	bool is_set = member_is_set(member, row);
	const char *text = NULL;

	switch (member->type) {
	case MEMBER_TEXT:
	case MEMBER_KEEP_ALIVE:
		json_put_string(writer, member->name, *(char *const *)field);
		return;
	case MEMBER_WORDS:
	case MEMBER_PATHS:
		put_words(writer, member->name, *(char *const *const *)field);
		return;
	case MEMBER_COUNT:
	case MEMBER_DURATION:
		put_number(writer, member, field, !is_set);
		return;
	case MEMBER_BOOL:
		json_put_bool(writer, member->name, *(const bool *)field);
		return;
	case MEMBER_OWN:
		json_put_string(writer, member->name, hidden);
		return;
	case MEMBER_CHOICE:
		text = is_set ? member->choices[*(const int *)field - 1] : NULL;
		json_put_string(writer, member->name, text);
		return;
	case MEMBER_OPTION:
	case MEMBER_SWITCH:
	case MEMBER_WEIGHT:
		break;
	}
	if (!is_set)
		json_put_null(writer, member->name);
	else if (member->type == MEMBER_WEIGHT)
		json_put_fixed(writer, member->name, *(const double *)field, DECIMALS);
	else if (member->type == MEMBER_SWITCH)
		json_put_bool(writer, member->name, *(const int64_t *)field != 0);
	else
		json_put_int(writer, member->name, *(const int64_t *)field);
}

static void put_list(
	struct json_writer *writer, const struct group_list *list, const struct settings *settings)
{
	size_t count;
	const char *row = groups_rows(list, settings, &count);

	json_begin_array(writer, list->name);
	for (; count > 0; count--, row += list->row_bytes) {
		json_begin_object(writer, NULL);
		for (size_t i = 0; i < list->members_count; i++)
			put_member(writer, &list->members[i], row);
		json_end_object(writer);
	}
	json_end_array(writer);
}

void admin_write_config(struct json_writer *writer, const struct admin_view *view)
{
	const struct settings *settings = view->settings;

	json_begin_object(writer, NULL);
	json_begin_array(writer, "settings");
	for (size_t i = 0; i < keys_count; i++)
		put_setting(writer, &keys[i], settings);
	json_end_array(writer);
	for (size_t i = 0; i < GROUP_LISTS; i++)
		put_list(writer, group_lists[i], settings);
	json_end_object(writer);
}
