#include "config/changes.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/groups.h"
#include "config/keys.h"
#include "config/settings.h"
#include "config/value.h"

static void add_name(char **names, const char *name)
{
	char *longer = *names ? mem_printf("%s, %s", *names, name) : mem_strdup(name);

	free(*names);
	*names = longer;
}

static bool is_same_value(
	const struct key *key, const struct settings *left, const struct settings *right)
{
	char *left_text = value_print(key, left);
	char *right_text = value_print(key, right);
	bool is_same = strcmp(left_text, right_text) == 0;

	free(left_text);
	free(right_text);
	return is_same;
}

static void copy_value(const struct key *key, struct settings *to, const struct settings *from)
{
	char *text = value_print(key, from);
	char *error = NULL;
	bool is_read = value_parse(key, text, to, &error);

	/* What was in force is a value. */
	assert(is_read);
	(void)is_read;
	free(text);
}

char *changes_keep(struct settings *fresh, const struct settings *old)
{
	char *names = NULL;

	for (size_t i = 0; i < keys_count; i++) {
		if (keys[i].is_reloadable || is_same_value(&keys[i], fresh, old))
			continue;
		copy_value(&keys[i], fresh, old);
		add_name(&names, keys[i].name);
	}
	return names;
}

static bool is_same_text(const char *left, const char *right)
{
	return left && right ? strcmp(left, right) == 0 : left == right;
}

static bool is_same_list(char *const *left, char *const *right)
{
	if (!left || !right)
		return left == right;
	for (; *left && *right; left++, right++) {
		if (strcmp(*left, *right) != 0)
			return false;
	}
	return *left == *right;
}

static bool is_same_member(const struct member *member, const void *left_row, const void *right_row)
{
	const void *left = (const char *)left_row + member->offset;
	const void *right = (const char *)right_row + member->offset;

	switch (member->type) {
	case MEMBER_TEXT:
	case MEMBER_KEEP_ALIVE:
		return is_same_text(*(char *const *)left, *(char *const *)right);
	case MEMBER_WORDS:
	case MEMBER_PATHS:
		return is_same_list(*(char *const *const *)left, *(char *const *const *)right);
	case MEMBER_OPTION:
	case MEMBER_SWITCH:
		if (member_is_set(member, left_row) != member_is_set(member, right_row))
			return false;
		return *(const int64_t *)left == *(const int64_t *)right;
	case MEMBER_COUNT:
	case MEMBER_DURATION:
		return *(const int64_t *)left == *(const int64_t *)right;
	case MEMBER_WEIGHT:
		return memcmp(left, right, sizeof(double)) == 0;
	case MEMBER_CHOICE:
		return *(const int *)left == *(const int *)right;
	case MEMBER_BOOL:
		return *(const bool *)left == *(const bool *)right;
	case MEMBER_OWN:
		return memcmp(left, right, member->own_bytes) == 0;
	}
	return false;
}

static bool is_same_row(const struct group_list *list, const void *left, const void *right)
{
	for (size_t i = 0; i < list->members_count; i++) {
		if (!is_same_member(&list->members[i], left, right))
			return false;
	}
	return true;
}

static bool has_same_rows(
	const struct group_list *list, const struct settings *left, const struct settings *right)
{
	size_t left_count, right_count;
	const char *left_row = groups_rows(list, left, &left_count);
	const char *right_row = groups_rows(list, right, &right_count);

	if (left_count != right_count)
		return false;
	for (size_t i = 0; i < left_count; i++) {
		if (!is_same_row(
			    list, left_row + i * list->row_bytes, right_row + i * list->row_bytes))
			return false;
	}
	return true;
}

char *changes_list(const struct settings *fresh, const struct settings *old)
{
	char *names = NULL;

	for (size_t i = 0; i < keys_count; i++) {
		if (!is_same_value(&keys[i], fresh, old))
			add_name(&names, keys[i].name);
	}
	for (size_t i = 0; i < GROUP_LISTS; i++) {
		if (!has_same_rows(group_lists[i], fresh, old))
			add_name(&names, group_lists[i]->name);
	}
	return names;
}
