#include "json/edit.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "json/edit_parts.h"
#include "json/peek_rules.h"
#include "json/writer.h"

/* Replacements, insertions into each object, and cut-out runs. */
#define SPLICES_MOST (2 * EDIT_PLACES_MOST + 2)

/* One step of the result. */
struct splice {
	uint64_t at;
	uint64_t removed;
	char *text;
};

struct splices {
	struct splice items[SPLICES_MOST];
	size_t count;
};

static void wish(struct edit *edit, int kind, enum edit_action action, const char *json)
{
	free(edit->wishes[kind].json);
	edit->wishes[kind] = (struct edit_wish){action, mem_strdup(json)};
}

void edit_set(struct edit *edit, enum edit_member member, const char *json)
{
	wish(edit, member, EDIT_SET, json);
}

void edit_set_option(struct edit *edit, enum peek_option option, const char *json)
{
	wish(edit, EDIT_KIND_OPTION + (int)option, EDIT_SET, json);
}

void edit_remove_option(struct edit *edit, enum peek_option option)
{
	wish(edit, EDIT_KIND_OPTION + (int)option, EDIT_REMOVE, NULL);
}

static const char *name_of(int kind)
{
	if (kind >= EDIT_KIND_OPTION)
		return peek_option_name((enum peek_option)(kind - EDIT_KIND_OPTION));
	return kind == EDIT_MODEL ? "model" : "keep_alive";
}

/* The last place of this kind; -1: none. */
static int last_of(const struct edit *edit, int kind)
{
	int last = -1;

	for (size_t i = 0; i < edit->places_count; i++) {
		if (edit->places[i].kind == kind)
			last = (int)i;
	}
	return last;
}

/* The place whose value is replaced; -1: none, it is to be added. What is in an "options" is taken
 * back by a later one that is null, as in Go. */
static int kept_place(const struct edit *edit, int kind)
{
	int last = last_of(edit, kind);

	for (size_t i = 0; last >= 0 && kind >= EDIT_KIND_OPTION && i < edit->places_count; i++) {
		const struct edit_place *place = &edit->places[i];

		if (place->kind == EDIT_KIND_OPTIONS && place->first != '{' &&
			place->start > edit->places[last].start)
			return -1;
	}
	return last;
}

static bool is_removed(const struct edit *edit, size_t at)
{
	int kind = edit->places[at].kind;

	switch (edit->wishes[kind].action) {
	case EDIT_KEEP:
		return false;
	case EDIT_REMOVE:
		return true;
	case EDIT_SET:
		break;
	}
	return kept_place(edit, kind) != (int)at;
}

/* `text` is taken over. */
static void add_splice(struct splices *splices, uint64_t at, uint64_t removed, char *text)
{
	assert(splices->count < SPLICES_MOST);
	splices->items[splices->count++] = (struct splice){at, removed, text};
}

/* One run of members that go and follow each other: with the comma before them, or, if they are
 * the first, with the one behind. */
static void cut_run(
	struct splices *splices, const struct edit_place *first, const struct edit_place *last)
{
	if (first->ordinal > 0)
		add_splice(splices, first->comma, last->end - first->comma, NULL);
	else if (last->next > 0)
		add_splice(splices, first->start, last->next - first->start, NULL);
	else
		add_splice(splices, first->start, last->end - first->start, NULL);
}

/* Cuts out what goes from one object; returns how many members went. */
static size_t cut_members(const struct edit *edit, struct splices *splices, int object)
{
	const struct edit_place *first = NULL;
	const struct edit_place *last = NULL;
	size_t cut = 0;

	for (size_t i = 0; i < edit->places_count; i++) {
		const struct edit_place *place = &edit->places[i];

		if (place->object != object || !is_removed(edit, i))
			continue;
		cut++;
		if (last && place->ordinal != last->ordinal + 1) {
			cut_run(splices, first, last);
			first = NULL;
		}
		if (!first)
			first = place;
		last = place;
	}
	if (last)
		cut_run(splices, first, last);
	return cut;
}

static void replace_values(const struct edit *edit, struct splices *splices)
{
	for (int kind = 0; kind < EDIT_KINDS; kind++) {
		const struct edit_place *place;
		int kept;

		if (edit->wishes[kind].action != EDIT_SET)
			continue;
		kept = kept_place(edit, kind);
		if (kept < 0)
			continue;
		place = &edit->places[kept];
		add_splice(splices, place->value, place->end - place->value,
			mem_strdup(edit->wishes[kind].json));
	}
}

/* The new members of kinds [from, to) as text with commas between, "" if none. */
static char *new_members(const struct edit *edit, int from, int to)
{
	char *text = mem_strdup("");

	for (int kind = from; kind < to; kind++) {
		char *longer;

		if (edit->wishes[kind].action != EDIT_SET || kept_place(edit, kind) >= 0)
			continue;
		longer = mem_printf("%s%s\"%s\":%s", text, *text ? "," : "", name_of(kind),
			edit->wishes[kind].json);
		free(text);
		text = longer;
	}
	return text;
}

/* Puts `members` behind the brace at the beginning of an object in which `left` members stay. */
static void add_members(
	struct splices *splices, uint64_t behind_brace, size_t left, const char *members)
{
	if (*members)
		add_splice(splices, behind_brace, 0,
			left > 0 ? mem_printf("%s,", members) : mem_strdup(members));
}

/* Cuts and adds in each "options"; returns the member that is to be added to the body because there
 * is none, else NULL. */
static char *edit_options(const struct edit *edit, struct splices *splices)
{
	char *members = new_members(edit, EDIT_KIND_OPTION, EDIT_KINDS);
	int last = last_of(edit, EDIT_KIND_OPTIONS);
	char *missing = NULL;

	for (size_t i = 0; i < edit->places_count; i++) {
		const struct edit_place *place = &edit->places[i];
		size_t cut;

		if (place->kind != EDIT_KIND_OPTIONS)
			continue;
		cut = cut_members(edit, splices, (int)i);
		if ((int)i != last || !*members)
			continue;
		if (place->first == '{')
			add_members(splices, place->value + 1, place->members - cut, members);
		else if (place->first == 'n')
			add_splice(splices, place->value, place->end - place->value,
				mem_printf("{%s}", members));
	}
	if (last < 0 && *members)
		missing = mem_printf("\"options\":{%s}", members);
	free(members);
	return missing;
}

static void edit_root(const struct edit *edit, struct splices *splices, const char *options)
{
	size_t cut = cut_members(edit, splices, EDIT_OBJECT_ROOT);
	char *own = new_members(edit, 0, EDIT_MEMBER_COUNT);
	char *members =
		mem_printf("%s%s%s", own, *own && options ? "," : "", options ? options : "");

	add_members(splices, edit->root, edit->root_members - cut, members);
	free(own);
	free(members);
}

/* What is added before what is cut at the same place. */
static int compare_splices(const void *left, const void *right)
{
	const struct splice *a = left;
	const struct splice *b = right;

	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	return a->removed < b->removed ? -1 : a->removed > b->removed;
}

bool edit_apply(const struct edit *edit, edit_splice_fn *on_splice, void *arg)
{
	struct splices splices = {.count = 0};
	char *options;

	if (edit->is_overfull)
		return false;
	if (!edit->is_object)
		return true;
	replace_values(edit, &splices);
	options = edit_options(edit, &splices);
	edit_root(edit, &splices, options);
	free(options);
	qsort(splices.items, splices.count, sizeof(*splices.items), compare_splices);
	for (size_t i = 0; i < splices.count; i++) {
		const struct splice *splice = &splices.items[i];
		const char *text = splice->text ? splice->text : "";

		on_splice(arg, splice->at, splice->removed, text, strlen(text));
		free(splice->text);
	}
	return true;
}

char *edit_quote(const char *text)
{
	struct json_writer *writer = json_writer_create();
	size_t length;
	char *quoted;

	json_put_string(writer, NULL, text);
	quoted = mem_strdup(json_writer_get(writer, &length));
	json_writer_destroy(writer);
	return quoted;
}
