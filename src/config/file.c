#include "config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ucl.h>

#include "base/memory.h"
#include "config/keys.h"
#include "config/settings.h"
#include "config/suggest.h"
#include "config/value.h"

/*
 * ZEROCOPY: keys point into our text, which gives their lines and the values as written. NO_TIME
 * and our own reading of numbers: in UCL 5m is five million and 1k is 1,000; here it means what it
 * means in a flag.
 */
static const int PARSER_FLAGS = UCL_PARSER_ZEROCOPY | UCL_PARSER_NO_TIME |
				UCL_PARSER_NO_IMPLICIT_ARRAYS | UCL_PARSER_DISABLE_MACRO |
				UCL_PARSER_NO_FILEVARS;

/* libucl puts this between the position, which we say ourselves, and its message. */
static const char UCL_MESSAGE_MARK[] = " - ";

struct source {
	const char *name;
	const char *text;
	size_t length;
};

/* Whether `at` points into the text; it does unless libucl had to unescape a key. */
static bool is_inside(const struct source *source, const char *at)
{
	return (uintptr_t)at >= (uintptr_t)source->text &&
	       (uintptr_t)at < (uintptr_t)source->text + source->length;
}

/* "name:line: " or, where the line cannot be told, "name: ". */
static char *position(const struct source *source, const char *at)
{
	unsigned line = 1;

	if (!is_inside(source, at))
		return mem_printf("%s: ", source->name);
	for (const char *byte = source->text; byte < at; byte++)
		line += *byte == '\n';
	return mem_printf("%s:%u: ", source->name, line);
}

/* `reason` is freed. Returns false. */
static bool fail_at(const struct source *source, const char *at, const char *subject, char *reason,
	char **ret_error)
{
	char *where = position(source, at);

	*ret_error = mem_printf("%s%s%s%s", where, subject, *subject ? ": " : "", reason);
	free(where);
	free(reason);
	return false;
}

static bool fail_unknown(
	const struct source *source, const char *name, size_t length, char **ret_error)
{
	char *copy = mem_strndup(name, length);
	char *quoted = value_quote(copy);
	const struct key *near = suggest_key(name, length);
	char *reason = near ? mem_printf("unknown key %s; did you mean %s?", quoted, near->name)
			    : mem_printf("unknown key %s", quoted);

	free(copy);
	free(quoted);
	return fail_at(source, name, "", reason, ret_error);
}

/* A number or a bare word as it stands in the text after its key; NULL: there is a comment or the
 * like between. */
static char *raw_value(const struct source *source, const char *key, size_t key_length)
{
	static const char blanks[] = " \t";
	const char *at = key + key_length;
	size_t length;

	if (!is_inside(source, key))
		return NULL;
	at += *at == '"' || *at == '\'';
	at += strspn(at, blanks);
	at += *at == '=' || *at == ':';
	at += strspn(at, blanks);
	length = strcspn(at, " \t\r\n;,}]#/");
	if (!length || at[length] == '/' || strchr("\"'<[{", *at))
		return NULL;
	return mem_strndup(at, length);
}

/* A new text or NULL: `object` is a string that no C string can hold. */
static char *copy_string(const ucl_object_t *object)
{
	size_t length = 0;
	const char *text = ucl_object_tolstring(object, &length);

	if (!text || memchr(text, '\0', length))
		return NULL;
	return mem_strndup(text, length);
}

/* Joins an array of strings by commas; NULL: something else is in it. */
static char *join_strings(const ucl_object_t *array)
{
	ucl_object_iter_t iterator = ucl_object_iterate_new(array);
	const ucl_object_t *element;
	char *text = mem_strdup("");

	while (text && (element = ucl_object_iterate_safe(iterator, true))) {
		char *part = ucl_object_type(element) == UCL_STRING ? copy_string(element) : NULL;
		char *longer = part ? mem_printf("%s%s%s", text, *text ? "," : "", part) : NULL;

		free(part);
		free(text);
		text = longer;
	}
	ucl_object_iterate_free(iterator);
	return text;
}

/* The value as a person would write it in a flag: a new text, or NULL and a static `ret_reason`. */
static char *value_text(const struct source *source, const struct key *key,
	const ucl_object_t *object, const char **ret_reason)
{
	size_t name_length = 0;
	const char *name = ucl_object_keyl(object, &name_length);

	*ret_reason = "put the value in quotes";
	switch (ucl_object_type(object)) {
	case UCL_STRING:
		*ret_reason = "has a NUL in its value";
		return copy_string(object);
	case UCL_ARRAY:
		*ret_reason = key->type == KEY_ADDRESSES ? "every address must be a text in quotes"
							 : "takes one value";
		return key->type == KEY_ADDRESSES ? join_strings(object) : NULL;
	case UCL_OBJECT:
		*ret_reason = "takes one value";
		return NULL;
	case UCL_INT:
	case UCL_FLOAT:
	case UCL_TIME:
	case UCL_BOOLEAN:
	case UCL_NULL:
		return raw_value(source, name, name_length);
	case UCL_USERDATA:
		break;
	}
	return NULL;
}

/*
 * libucl makes an array of a key that stands twice (its strategy that refuses it leaks). The second
 * one's place in the text or NULL.
 */
static const char *second_place(const ucl_object_t *object)
{
	const ucl_object_t *second;
	size_t length;

	if (ucl_object_type(object) != UCL_ARRAY || !(object->flags & UCL_OBJECT_MULTIVALUE))
		return NULL;
	second = ucl_array_find_index(object, 1);
	return second ? ucl_object_keyl(second, &length) : NULL;
}

static bool apply_object(const struct source *source, const ucl_object_t *object,
	struct settings *settings, char **ret_error)
{
	size_t length = 0;
	const char *name = ucl_object_keyl(object, &length);
	const struct key *key = key_find(name, length);
	const char *second = second_place(object);
	const char *reason;
	char *text, *error;
	bool is_fine;

	if (!key)
		return fail_unknown(source, name, length, ret_error);
	if (second)
		return fail_at(source, second, key->name, mem_strdup("is set twice"), ret_error);
	text = value_text(source, key, object, &reason);
	if (!text)
		return fail_at(source, name, key->name, mem_strdup(reason), ret_error);
	is_fine = value_parse(key, text, settings, &error);
	free(text);
	return is_fine || fail_at(source, name, key->name, error, ret_error);
}

static bool apply_all(const struct source *source, const ucl_object_t *top,
	struct settings *settings, char **ret_error)
{
	ucl_object_iter_t iterator;
	const ucl_object_t *object;
	bool is_fine = true;

	if (ucl_object_type(top) != UCL_OBJECT) {
		*ret_error = mem_printf("%s: must be a list of keys and values", source->name);
		return false;
	}
	iterator = ucl_object_iterate_new(top);
	while (is_fine && (object = ucl_object_iterate_safe(iterator, true)))
		is_fine = apply_object(source, object, settings, ret_error);
	ucl_object_iterate_free(iterator);
	return is_fine;
}

/* What libucl says, with our position instead of its own. */
static char *parser_error(const struct source *source, struct ucl_parser *parser)
{
	const char *text = ucl_parser_get_error(parser);
	const char *mark = text ? strstr(text, UCL_MESSAGE_MARK) : NULL;
	char *message = mem_strdup(mark	  ? mark + strlen(UCL_MESSAGE_MARK)
				   : text ? text
					  : "cannot be read");
	char *error =
		mem_printf("%s:%u: %s", source->name, ucl_parser_get_linenum(parser), message);

	free(message);
	return error;
}

bool file_parse(const char *name, const char *text, size_t length, struct settings *settings,
	char **ret_error)
{
	const struct source source = {name, text, length};
	struct ucl_parser *parser;
	ucl_object_t *top = NULL;
	bool is_fine = false;

	if (memchr(text, '\0', length)) {
		*ret_error = mem_printf("%s: is not a text", name);
		return false;
	}
	parser = ucl_parser_new(PARSER_FLAGS);
	if (!parser)
		mem_out(0);
	if (ucl_parser_add_chunk_full(parser, (const unsigned char *)text, length, 0,
		    UCL_DUPLICATE_APPEND, UCL_PARSE_UCL))
		top = ucl_parser_get_object(parser);
	if (top)
		is_fine = apply_all(&source, top, settings, ret_error);
	else
		*ret_error = parser_error(&source, parser);
	if (top)
		ucl_object_unref(top);
	ucl_parser_free(parser);
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
