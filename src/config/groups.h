/*
 * The file's lists of groups (keys, projects, models, agents, listeners): one table of members each
 * gives reading, checking, freeing and what /api/v1/config shows. They have no flag and no
 * variable. Called by file, settings and admin. Messages never repeat a value: it may be an API key
 * that was pasted by mistake.
 */
#ifndef SO_CONFIG_GROUPS_H
#define SO_CONFIG_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct config_setting_t;
struct settings;

enum member_type {
	MEMBER_TEXT,	   /* char *, NULL: absent; printable, at most 128 bytes */
	MEMBER_KEEP_ALIVE, /* char *, NULL: absent; fit for a JSON string that Ollama takes */
	MEMBER_WORDS,	   /* char **, NULL: absent; else not empty */
	MEMBER_PATHS,	   /* the same, each a path or SETTINGS_READ_ONLY */
	MEMBER_COUNT,	   /* int64_t; `absent` where it is not there; 0 is no limit */
	MEMBER_DURATION,   /* the same, milliseconds, written in seconds */
	MEMBER_OPTION,	   /* int64_t, and a bool at `has_offset`; `minimum` to `maximum` */
	MEMBER_SWITCH,	   /* the same of true and false */
	MEMBER_WEIGHT,	   /* double, 0: absent */
	MEMBER_CHOICE,	   /* an enum whose 0 is absent, else the place in `choices` and 1 */
	MEMBER_BOOL,
	MEMBER_OWN, /* `read`; the field is a part of the struct; never shown */
};

struct member {
	const char *name;
	enum member_type type;
	size_t offset; /* in the row's struct */
	size_t has_offset;
	int64_t minimum, maximum;
	int64_t absent;
	const char *zero; /* what 0 means; NULL: "no limit" */
	const char *unit; /* in messages; NULL: none */
	const char *const *choices;
	bool is_needed;
	/* OWN: NULL or a new text that says what is wrong. */
	char *(*read)(const struct config_setting_t *setting, void *row);
	size_t own_bytes; /* OWN: of the field */
};

struct group_list {
	const char *name; /* "projects" */
	const char *noun; /* "project" */
	const char *needs;
	const char *example; /* of a group */
	const struct member *members;
	size_t members_count;
	size_t row_bytes;
	size_t rows_offset; /* in struct settings: the array's pointer and its size_t count */
	size_t count_offset;
	/* NULL or what is wrong with a new row beside those before it, a new text. */
	char *(*check)(void *row, const void *others, size_t count);
	/* What somebody writes who does not know that it is not there; NULL: nothing. */
	char *(*explain)(const char *member);
};

enum { GROUP_LISTS = 5 };
extern const struct group_list *const group_lists[GROUP_LISTS];

/* The list of this name or NULL. */
const struct group_list *groups_find(const char *name);
/* Replaces the rows in `settings`. NULL, or a new text that says what is wrong in `ret_line`; then
 * nothing changed. */
MUST_CHECK char *groups_read(const struct group_list *list, const struct config_setting_t *setting,
	struct settings *settings, unsigned *ret_line);
/* Frees the rows of all lists. */
void groups_finish(struct settings *settings);
/* The array of rows, `row_bytes` each. */
const void *groups_rows(
	const struct group_list *list, const struct settings *settings, size_t *ret_count);
/* Is there a member in this row? */
bool member_is_set(const struct member *member, const void *row);

#endif
