#include "json/edit.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "json/edit_parts.h"
#include "json/peek_rules.h"
#include "json/scan.h"
#include "json/utf8.h"

/* What `places` holds at first. */
#define PLACES_FIRST 8

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
	for (size_t i = 0; i < EDIT_KINDS; i++)
		free(edit->wishes[i].json);
	free(edit->places);
	free(edit);
}

/* The object whose members are looked at and that bytes belong to now; NULL: none. */
static struct edit_level *watched(struct edit *edit)
{
	if (edit->depth == EDIT_DEPTH_ROOT && edit->is_object)
		return &edit->levels[EDIT_DEPTH_ROOT];
	if (edit->depth == EDIT_DEPTH_OPTIONS && edit->options >= 0)
		return &edit->levels[EDIT_DEPTH_OPTIONS];
	return NULL;
}

static void begin_level(struct edit *edit, size_t depth)
{
	edit->levels[depth] = (struct edit_level){.place = -1};
}

/* -1: none of ours. */
static int kind_of(const struct edit *edit, const char *key, size_t length)
{
	const struct peek_rule *rule;
	int option;

	if (edit->depth == EDIT_DEPTH_OPTIONS) {
		option = peek_rule_find_option(key, length);
		return option < 0 ? -1 : EDIT_KIND_OPTION + option;
	}
	rule = peek_rule_find(PLACE_ROOT, key, length);
	if (!rule)
		return -1;
	if (rule->key == KEY_MODEL)
		return EDIT_MODEL;
	if (rule->key == KEY_KEEP_ALIVE)
		return EDIT_KEEP_ALIVE;
	return rule->key == KEY_OPTIONS ? EDIT_KIND_OPTIONS : -1;
}

static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	digit |= 0x20;
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : 0;
}

/* The key without its escapes, into `ret_key` of EDIT_KEY_BYTES; no key of ours has other escapes
 * than \uXXXX, which never grow. */
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

static void add_place(struct edit *edit, struct edit_level *level, int kind)
{
	if (edit->places_count == EDIT_PLACES_MOST) {
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
	edit->places[edit->places_count++] = (struct edit_place){
		.kind = kind,
		.object = edit->depth == EDIT_DEPTH_OPTIONS ? edit->options : EDIT_OBJECT_ROOT,
		.ordinal = level->ordinal,
		.comma = level->comma,
		.start = level->key_start,
	};
}

static void end_key(struct edit *edit, struct edit_level *level)
{
	char key[EDIT_KEY_BYTES];
	int kind;

	level->has_key = true;
	if (edit->is_key_long)
		return;
	kind = kind_of(edit, key, decode_key(edit, key));
	if (kind >= 0)
		add_place(edit, level, kind);
}

/* A byte of the value of the member at hand; the last one is its end. */
static void note_value(struct edit *edit, struct edit_level *level, char byte, uint64_t at)
{
	struct edit_place *place;

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

static void end_member(struct edit *edit, struct edit_level *level, bool has_next, uint64_t at)
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
	struct edit_level *level = watched(edit);

	note_value(edit, level, bracket, at);
	if (edit->depth == 0) {
		edit->is_object = bracket == '{' && !edit->root;
		edit->root = at + 1;
		begin_level(edit, EDIT_DEPTH_ROOT);
	} else if (edit->depth == EDIT_DEPTH_ROOT && level && bracket == '{' && level->place >= 0 &&
		   edit->places[level->place].kind == EDIT_KIND_OPTIONS) {
		edit->options = level->place;
		begin_level(edit, EDIT_DEPTH_OPTIONS);
	}
	edit->depth++;
}

static void close_container(struct edit *edit, char bracket, uint64_t at)
{
	struct edit_level *level = watched(edit);

	if (edit->depth == 0)
		return;
	if (level) {
		end_member(edit, level, false, at);
		if (edit->depth == EDIT_DEPTH_OPTIONS) {
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
	struct edit_level *level = watched(edit);

	edit->state = EDIT_STRING;
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
	if (length > EDIT_KEY_BYTES - edit->key_length) {
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
		edit->state = EDIT_ESCAPE;
	/* anything but a quote is a control byte: the body is not valid, whatever comes */
	if (stop < end && *stop != '"')
		stop++;
	keep_key(edit, at, stop);
	return stop;
}

static void end_string(struct edit *edit, uint64_t at)
{
	struct edit_level *level = watched(edit);

	edit->state = EDIT_STRUCTURE;
	if (edit->is_key)
		end_key(edit, level);
	else
		note_value(edit, level, '"', at);
	edit->is_key = false;
}

static void pass_byte(struct edit *edit, char byte, uint64_t at)
{
	struct edit_level *level = watched(edit);

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
		if (edit->state == EDIT_ESCAPE) {
			keep_key(edit, at, at + 1);
			edit->state = EDIT_STRING;
			at++;
			continue;
		}
		if (edit->state == EDIT_STRING) {
			at = pass_string(edit, at, end);
			if (at < end && edit->state == EDIT_STRING && *at == '"')
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
