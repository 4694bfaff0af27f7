#include "json/edit.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "json/peek_rules.h"
#include "json/scan.h"
#include "json/utf8.h"
#include "json/writer.h"

enum {
	/* Clients send each of the eight once; a body with more is made to vex. */
	PLACES_MOST = 64,
	/* The longest key of ours, each letter written as \u0061. */
	KEY_BYTES = 64,
	/* What `places` holds at first. */
	PLACES_FIRST = 8,
	DEPTH_ROOT = 1,
	DEPTH_OPTIONS = 2,
	/* In struct place.object: the outermost. Others are the place of their "options". */
	OBJECT_ROOT = -1,
	/* Kinds of places: enum edit_member, then these. */
	KIND_OPTIONS = EDIT_MEMBER_COUNT,
	KIND_OPTION, /* + enum peek_option */
	KINDS = KIND_OPTION + PEEK_OPTION_COUNT,
	/* Replacements, insertions into each object, and cut-out runs. */
	SPLICES_MOST = 2 * PLACES_MOST + 2,
};

enum action { KEEP, SET, REMOVE };

struct wish {
	enum action action;
	char *json; /* of SET */
};

/* A member of ours, by its offsets in the body. */
struct place {
	int kind;
	int object;	/* OBJECT_ROOT or the index of the "options" that holds it */
	size_t ordinal; /* among the members of its object */
	uint64_t comma; /* before it, where ordinal > 0 */
	uint64_t start; /* of its key */
	uint64_t value;
	uint64_t end;
	uint64_t next;	/* behind the comma that follows; 0: none follows */
	char first;	/* byte of the value */
	size_t members; /* of the value, an "options" object */
};

/* Where an object whose members are looked at stands. */
struct level {
	size_t ordinal;
	uint64_t comma;
	uint64_t key_start;
	bool is_value_due; /* after the colon */
	bool has_value;	   /* it began */
	bool has_key;
	int place; /* of the member at hand; -1: none of ours */
};

enum state { STRUCTURE, STRING, ESCAPE };

struct edit {
	enum state state;
	bool is_key; /* the running string is one that may be ours */
	bool is_key_long;
	size_t key_length;
	char key[KEY_BYTES]; /* as written */
	uint64_t offset;     /* of the piece at hand */
	uint64_t depth;
	struct level levels[DEPTH_OPTIONS + 1]; /* by depth; the first is not used */
	int options;				/* the "options" object that is open; -1: none */
	bool is_object;				/* the body begins with { */
	uint64_t root;				/* behind its { */
	size_t root_members;
	struct place *places; /* in order of start */
	size_t places_count;
	size_t places_capacity;
	bool is_overfull;
	struct wish wishes[KINDS];
};

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

struct edit *edit_create(void)
{
	struct edit *edit = mem_zalloc(sizeof(*edit));

	edit->options = -1;
	return edit;
}

void edit_destroy(struct edit *edit)
{
	if (!edit)
		return;
	for (size_t i = 0; i < KINDS; i++)
		free(edit->wishes[i].json);
	free(edit->places);
	free(edit);
}

/* The object whose members are looked at and that bytes belong to now; NULL: none. */
static struct level *watched(struct edit *edit)
{
	if (edit->depth == DEPTH_ROOT && edit->is_object)
		return &edit->levels[DEPTH_ROOT];
	if (edit->depth == DEPTH_OPTIONS && edit->options >= 0)
		return &edit->levels[DEPTH_OPTIONS];
	return NULL;
}

static void begin_level(struct edit *edit, size_t depth)
{
	edit->levels[depth] = (struct level){.place = -1};
}

/* -1: none of ours. */
static int kind_of(const struct edit *edit, const char *key, size_t length)
{
	const struct peek_rule *rule;
	int option;

	if (edit->depth == DEPTH_OPTIONS) {
		option = peek_rule_find_option(key, length);
		return option < 0 ? -1 : KIND_OPTION + option;
	}
	rule = peek_rule_find(PLACE_ROOT, key, length);
	if (!rule)
		return -1;
	if (rule->key == KEY_MODEL)
		return EDIT_MODEL;
	if (rule->key == KEY_KEEP_ALIVE)
		return EDIT_KEEP_ALIVE;
	return rule->key == KEY_OPTIONS ? KIND_OPTIONS : -1;
}

static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	digit |= 0x20;
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : 0;
}

/* The key without its escapes, into `ret_key` of KEY_BYTES; no key of ours has other escapes than
 * \uXXXX, which never grow. */
static size_t decode_key(const struct edit *edit, char *ret_key)
{
	size_t length = 0;
	size_t at = 0;

	while (at < edit->key_length) {
		uint16_t code_point = 0;

		if (edit->key[at] != '\\' || edit->key_length - at < sizeof("\\u0000") - 1) {
			ret_key[length++] = edit->key[at++];
			continue;
		}
		if (edit->key[at + 1] != 'u') {
			ret_key[length++] = edit->key[at++];
			ret_key[length++] = edit->key[at++];
			continue;
		}
		for (size_t i = 2; i < sizeof("\\u0000") - 1; i++)
			code_point = (uint16_t)(code_point << 4 | hex_value(edit->key[at + i]));
		length += utf8_encode_bmp(code_point, ret_key + length);
		at += sizeof("\\u0000") - 1;
	}
	return length;
}

static void add_place(struct edit *edit, struct level *level, int kind)
{
	if (edit->places_count == PLACES_MOST) {
		edit->is_overfull = true;
		return;
	}
	if (edit->places_count == edit->places_capacity) {
		edit->places_capacity =
			edit->places_capacity ? edit->places_capacity * 2 : PLACES_FIRST;
		edit->places =
			mem_grow_array(edit->places, edit->places_capacity, sizeof(*edit->places));
	}
	level->place = (int)edit->places_count;
	edit->places[edit->places_count++] = (struct place){
		.kind = kind,
		.object = edit->depth == DEPTH_OPTIONS ? edit->options : OBJECT_ROOT,
		.ordinal = level->ordinal,
		.comma = level->comma,
		.start = level->key_start,
	};
}

static void end_key(struct edit *edit, struct level *level)
{
	char key[KEY_BYTES];
	int kind;

	level->has_key = true;
	if (edit->is_key_long)
		return;
	kind = kind_of(edit, key, decode_key(edit, key));
	if (kind >= 0)
		add_place(edit, level, kind);
}

/* A byte of the value of the member at hand; the last one is its end. */
static void note_value(struct edit *edit, struct level *level, char byte, uint64_t at)
{
	struct place *place;

	if (!level || !level->is_value_due)
		return;
	if (level->place >= 0) {
		place = &edit->places[level->place];
		if (!level->has_value) {
			place->value = at;
			place->first = byte;
		}
		place->end = at + 1;
	}
	level->has_value = true;
}

static void end_member(struct edit *edit, struct level *level, bool has_next, uint64_t at)
{
	if (has_next && level->place >= 0)
		edit->places[level->place].next = at + 1;
	if (level->has_key)
		level->ordinal++;
	level->comma = at;
	level->is_value_due = false;
	level->has_value = false;
	level->has_key = false;
	level->place = -1;
}

static void open_container(struct edit *edit, char bracket, uint64_t at)
{
	struct level *level = watched(edit);

	note_value(edit, level, bracket, at);
	if (edit->depth == 0) {
		edit->is_object = bracket == '{' && !edit->root;
		edit->root = at + 1;
		begin_level(edit, DEPTH_ROOT);
	} else if (edit->depth == DEPTH_ROOT && level && bracket == '{' && level->place >= 0 &&
		   edit->places[level->place].kind == KIND_OPTIONS) {
		edit->options = level->place;
		begin_level(edit, DEPTH_OPTIONS);
	}
	edit->depth++;
}

static void close_container(struct edit *edit, char bracket, uint64_t at)
{
	struct level *level = watched(edit);

	if (edit->depth == 0)
		return;
	if (level) {
		end_member(edit, level, false, at);
		if (edit->depth == DEPTH_OPTIONS) {
			edit->places[edit->options].members = level->ordinal;
			edit->options = -1;
		} else {
			edit->root_members = level->ordinal;
		}
	}
	edit->depth--;
	note_value(edit, watched(edit), bracket, at);
}

static const char *begin_string(struct edit *edit, const char *at, uint64_t offset)
{
	struct level *level = watched(edit);

	edit->state = STRING;
	edit->is_key = level && !level->is_value_due;
	if (edit->is_key) {
		edit->key_length = 0;
		edit->is_key_long = false;
		level->key_start = offset;
	} else {
		note_value(edit, level, '"', offset);
	}
	return at + 1;
}

static void keep_key(struct edit *edit, const char *from, const char *to)
{
	size_t length = (size_t)(to - from);

	if (!edit->is_key || edit->is_key_long)
		return;
	if (length > KEY_BYTES - edit->key_length) {
		edit->is_key_long = true;
		return;
	}
	memcpy(edit->key + edit->key_length, from, length);
	edit->key_length += length;
}

static const char *pass_string(struct edit *edit, const char *at, const char *end)
{
	const char *stop = scan_string(at, end);

	if (stop < end && *stop == '\\')
		edit->state = ESCAPE;
	/* anything but a quote is a control byte: the body is not valid, whatever comes */
	if (stop < end && *stop != '"')
		stop++;
	keep_key(edit, at, stop);
	return stop;
}

static void end_string(struct edit *edit, uint64_t at)
{
	struct level *level = watched(edit);

	edit->state = STRUCTURE;
	if (edit->is_key)
		end_key(edit, level);
	else
		note_value(edit, level, '"', at);
	edit->is_key = false;
}

static void pass_byte(struct edit *edit, char byte, uint64_t at)
{
	struct level *level = watched(edit);

	switch (byte) {
	case '{':
	case '[':
		open_container(edit, byte, at);
		break;
	case '}':
	case ']':
		close_container(edit, byte, at);
		break;
	case ':':
		if (level)
			level->is_value_due = true;
		break;
	case ',':
		if (level)
			end_member(edit, level, true, at);
		break;
	case ' ':
	case '\t':
	case '\n':
	case '\r':
		break;
	default:
		note_value(edit, level, byte, at);
	}
}

void edit_feed(struct edit *edit, const void *bytes, size_t length)
{
	const char *begin = bytes;
	const char *at = begin;
	const char *end = begin + length;

	while (at < end) {
		if (edit->state == ESCAPE) {
			keep_key(edit, at, at + 1);
			edit->state = STRING;
			at++;
			continue;
		}
		if (edit->state == STRING) {
			at = pass_string(edit, at, end);
			if (at < end && edit->state == STRING && *at == '"')
				end_string(edit, edit->offset + (uint64_t)(at++ - begin));
			continue;
		}
		if (!watched(edit)) {
			at = scan_brackets(at, end);
			if (at == end)
				break;
		}
		if (*at == '"') {
			at = begin_string(edit, at, edit->offset + (uint64_t)(at - begin));
			continue;
		}
		pass_byte(edit, *at, edit->offset + (uint64_t)(at - begin));
		at++;
	}
	edit->offset += length;
}

static void wish(struct edit *edit, int kind, enum action action, const char *json)
{
	free(edit->wishes[kind].json);
	edit->wishes[kind] = (struct wish){action, mem_strdup(json)};
}

void edit_set(struct edit *edit, enum edit_member member, const char *json)
{
	wish(edit, member, SET, json);
}

void edit_set_option(struct edit *edit, enum peek_option option, const char *json)
{
	wish(edit, KIND_OPTION + (int)option, SET, json);
}

void edit_remove_option(struct edit *edit, enum peek_option option)
{
	wish(edit, KIND_OPTION + (int)option, REMOVE, NULL);
}

static const char *name_of(int kind)
{
	if (kind >= KIND_OPTION)
		return peek_option_name((enum peek_option)(kind - KIND_OPTION));
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

	for (size_t i = 0; last >= 0 && kind >= KIND_OPTION && i < edit->places_count; i++) {
		const struct place *place = &edit->places[i];

		if (place->kind == KIND_OPTIONS && place->first != '{' &&
			place->start > edit->places[last].start)
			return -1;
	}
	return last;
}

static bool is_removed(const struct edit *edit, size_t at)
{
	int kind = edit->places[at].kind;

	switch (edit->wishes[kind].action) {
	case KEEP:
		return false;
	case REMOVE:
		return true;
	case SET:
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
static void cut_run(struct splices *splices, const struct place *first, const struct place *last)
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
	const struct place *first = NULL;
	const struct place *last = NULL;
	size_t cut = 0;

	for (size_t i = 0; i < edit->places_count; i++) {
		const struct place *place = &edit->places[i];

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
	for (int kind = 0; kind < KINDS; kind++) {
		const struct place *place;
		int kept;

		if (edit->wishes[kind].action != SET)
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

		if (edit->wishes[kind].action != SET || kept_place(edit, kind) >= 0)
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
	char *members = new_members(edit, KIND_OPTION, KINDS);
	int last = last_of(edit, KIND_OPTIONS);
	char *missing = NULL;

	for (size_t i = 0; i < edit->places_count; i++) {
		const struct place *place = &edit->places[i];
		size_t cut;

		if (place->kind != KIND_OPTIONS)
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
	size_t cut = cut_members(edit, splices, OBJECT_ROOT);
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
