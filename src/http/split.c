#include "http/split.h"

#include <malloc.h>
#include <string.h>

#include <evhtp/parser.h>

#include "base/memory.h"

enum {
	/* htparser fails at names and values of 8,192 bytes and more, trailing blanks included;
	   ours may be as long as the whole head. A line's length bounds both. */
	HTPARSER_LINE_MOST = 8191,
	/* Wiped at once: below the size from which memset takes the slow start of `rep stosb`. */
	WIPE_BYTES = 1024,
};

bool split_is_token(const char *text, size_t length)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < length; i++) {
		char byte = text[i];
		bool is_word = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
			       (byte >= '0' && byte <= '9');

		if (!is_word && !memchr(marks, byte, sizeof(marks) - 1))
			return false;
	}
	return length > 0;
}

bool split_is_value(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)text[i];

		if ((byte < ' ' && byte != '\t') || byte == 0x7f)
			return false;
	}
	return true;
}

/*
 * "Name: value", without CRLF. A line that begins with a blank is obs-fold: no token, refused.
 * Blanks before the value become spaces: htparser takes a tab for a part of it and then fails at
 * "Content-Length:<tab>5".
 */
static bool add_line(struct fields *fields, char *line, size_t length)
{
	char *colon = memchr(line, ':', length);
	char *value;
	char *end = line + length;

	if (!colon || !split_is_token(line, (size_t)(colon - line)))
		return false;
	value = colon + 1;
	while (value < end && (*value == ' ' || *value == '\t'))
		*value++ = ' ';
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (!split_is_value(value, (size_t)(end - value)))
		return false;
	fields_add(fields, line, (size_t)(colon - line), value, (size_t)(end - value));
	return true;
}

/* What htparser has read so far, held against our own list. */
struct second_reader {
	const struct fields *fields;
	size_t names;
	size_t values;
	bool agrees;
	bool is_complete;
};

static int on_name(htparser *parser, const char *text, size_t length)
{
	struct second_reader *reader = htparser_get_userdata(parser);
	const struct field *field;

	if (reader->names >= reader->fields->count) {
		reader->agrees = false;
		return 0;
	}
	field = &reader->fields->items[reader->names++];
	if (field->name_length != length || memcmp(field->name, text, length) != 0)
		reader->agrees = false;
	return 0;
}

static int on_value(htparser *parser, const char *text, size_t length)
{
	struct second_reader *reader = htparser_get_userdata(parser);
	const struct field *field;

	if (reader->values >= reader->fields->count) {
		reader->agrees = false;
		return 0;
	}
	field = &reader->fields->items[reader->values++];
	/* It keeps a leading tab and trailing blanks and gives " " for an empty value. */
	while (length > 0 && (text[0] == ' ' || text[0] == '\t')) {
		text++;
		length--;
	}
	while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
		length--;
	if (field->value_length != length || memcmp(field->value, text, length) != 0)
		reader->agrees = false;
	return 0;
}

static int on_complete(htparser *parser)
{
	struct second_reader *reader = htparser_get_userdata(parser);

	reader->is_complete = true;
	return 1; /* no further: bodies are not its business */
}

static void wipe(void *memory, size_t length)
{
	char *at = memory;

	for (size_t step; length > 0; at += step, length -= step) {
		step = length < WIPE_BYTES ? length : WIPE_BYTES;
		explicit_bzero(at, step);
	}
}

/*
 * One parser for the process: heads come whole, so nothing is kept between calls. Its request line
 * is a fixed one: head.c has settled the real one, and methods that htparser does not know, "*" and
 * absolute-form would stop it.
 */
static bool second_reader_agrees(const struct fields *fields, const char *lines, size_t length)
{
	static const char request_line[] = "GET / HTTP/1.1\r\n";
	static htparse_hooks hooks = {
		.hdr_key = on_name, .hdr_val = on_value, .on_hdrs_complete = on_complete};
	static htparser *parser;
	struct second_reader reader = {.fields = fields, .agrees = true};

	if (!parser)
		parser = htparser_new();
	if (!parser)
		mem_out(0);
	htparser_init(parser, htp_type_request);
	htparser_set_userdata(parser, &reader);
	if (htparser_run(parser, &hooks, request_line, sizeof(request_line) - 1) !=
		sizeof(request_line) - 1)
		return false;
	htparser_run(parser, &hooks, lines, length);
	/* it has copied the last values into itself, and one of them may be a key */
	wipe(parser, malloc_usable_size(parser));
	return reader.agrees && reader.is_complete && reader.names == fields->count &&
	       reader.values == fields->count;
}

static enum http_error scan(
	struct fields *ret_fields, char *lines, size_t length, size_t most, size_t *ret_longest)
{
	char *at = lines;
	char *end = lines + length;

	*ret_longest = 0;
	for (;;) {
		char *line_end = memchr(at, '\n', (size_t)(end - at));
		size_t line_length;

		if (!line_end || line_end == at || line_end[-1] != '\r')
			return HTTP_ERROR_BAD_REQUEST;
		line_length = (size_t)(line_end - at - 1);
		if (line_length == 0)
			return HTTP_ERROR_NONE;
		if (most > 0 && ret_fields->count == most)
			return HTTP_ERROR_HEAD_TOO_LARGE;
		if (!add_line(ret_fields, at, line_length))
			return HTTP_ERROR_BAD_REQUEST;
		if (line_length > *ret_longest)
			*ret_longest = line_length;
		at = line_end + 1;
	}
}

enum http_error split_fields(struct fields *ret_fields, char *lines, size_t length, size_t most)
{
	size_t longest;
	enum http_error error = scan(ret_fields, lines, length, most, &longest);

	if (error != HTTP_ERROR_NONE)
		return error;
	if (longest <= HTPARSER_LINE_MOST && !second_reader_agrees(ret_fields, lines, length))
		return HTTP_ERROR_BAD_REQUEST;
	return HTTP_ERROR_NONE;
}

enum http_error split_fields_alone(
	struct fields *ret_fields, char *lines, size_t length, size_t most)
{
	size_t longest;

	return scan(ret_fields, lines, length, most, &longest);
}
