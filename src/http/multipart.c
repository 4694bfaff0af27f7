#include "http/multipart.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"

enum {
	/* RFC 2046 allows 70 bytes; clients keep to it. */
	BOUNDARY_BYTES = 128,
	/* A part's head line that is longer is none of ours: form-data; name="model" is short. */
	LINE_BYTES = 256,
	DELIMITER_BYTES = BOUNDARY_BYTES + sizeof("\r\n--"),
	/* At the beginning of a body and of a part a delimiter has no CRLF of its own. */
	CRLF_BYTES = 2,
};

enum state {
	CONTENT, /* of the preamble or of a part, up to a delimiter */
	BEHIND,	 /* a delimiter: the rest of its line */
	DASH,	 /* a hyphen there: another one is the end */
	LINE_FEED,
	HEAD, /* of a part: in a line */
	OVER,
};

struct multipart {
	enum state state;
	const char *field;
	char delimiter[DELIMITER_BYTES]; /* CRLF, two hyphens, boundary */
	size_t delimiter_length;
	size_t matched; /* of it, in CONTENT */
	size_t unreal;	/* of these: CRLF that belonged to the head, or never came */
	char line[LINE_BYTES];
	size_t line_length; /* LINE_BYTES: it is longer */
	bool is_field;	    /* this part is ours */
	bool is_wrong;	    /* its value cannot be used */
	bool is_done;	    /* a part of ours ended */
	uint64_t offset;    /* of the piece at hand */
	uint64_t value_at;
	char value[MULTIPART_VALUE_BYTES + 1];
	size_t value_length;
};

/* Of a list of parameters. */
struct parameter {
	const char *name;
	size_t name_length;
	char value[BOUNDARY_BYTES];
	size_t length;
	bool is_long;
};

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static void put(struct parameter *parameter, char byte)
{
	if (parameter->length < sizeof(parameter->value))
		parameter->value[parameter->length++] = byte;
	else
		parameter->is_long = true;
}

static const char *read_quoted(const char *at, const char *end, struct parameter *parameter)
{
	for (at++; at < end && *at != '"'; at++) {
		if (*at == '\\' && at + 1 < end)
			at++;
		put(parameter, *at);
	}
	return at < end ? at + 1 : end;
}

/* Reads "; name=value" from `at` on. NULL: there is no more. */
static const char *next_parameter(const char *at, const char *end, struct parameter *parameter)
{
	*parameter = (struct parameter){.name = NULL};
	while (at < end && (is_blank(*at) || *at == ';'))
		at++;
	if (at == end)
		return NULL;
	parameter->name = at;
	while (at < end && *at != '=' && *at != ';' && !is_blank(*at))
		at++;
	parameter->name_length = (size_t)(at - parameter->name);
	if (at == end || *at != '=')
		return at;
	if (++at < end && *at == '"')
		return read_quoted(at, end, parameter);
	for (; at < end && *at != ';' && !is_blank(*at); at++)
		put(parameter, *at);
	return at;
}

static bool is_named(const struct parameter *parameter, const char *name)
{
	return parameter->name_length == strlen(name) &&
	       strncasecmp(parameter->name, name, parameter->name_length) == 0;
}

static bool has_value(const struct parameter *parameter, const char *value)
{
	return !parameter->is_long && parameter->length == strlen(value) &&
	       memcmp(parameter->value, value, parameter->length) == 0;
}

/* `text` begins with this word and a value's end follows; returns what is behind it, else NULL. */
static const char *skip_word(const char *text, const char *end, const char *word)
{
	size_t length = strlen(word);

	while (text < end && is_blank(*text))
		text++;
	if ((size_t)(end - text) < length || strncasecmp(text, word, length) != 0)
		return NULL;
	text += length;
	return text == end || *text == ';' || is_blank(*text) ? text : NULL;
}

static void begin_content(struct multipart *multipart)
{
	multipart->state = CONTENT;
	multipart->matched = CRLF_BYTES;
	multipart->unreal = CRLF_BYTES;
}

struct multipart *multipart_create(const char *type, size_t length, const char *field)
{
	const char *end = type + length;
	const char *at = skip_word(type, end, "multipart/form-data");
	struct parameter parameter;

	while (at && (at = next_parameter(at, end, &parameter))) {
		struct multipart *multipart;

		if (!is_named(&parameter, "boundary"))
			continue;
		if (parameter.length == 0 || parameter.is_long ||
			memchr(parameter.value, '\r', parameter.length))
			return NULL;
		multipart = mem_zalloc(sizeof(*multipart));
		multipart->field = field;
		begin_content(multipart);
		memcpy(multipart->delimiter, "\r\n--", strlen("\r\n--"));
		memcpy(multipart->delimiter + strlen("\r\n--"), parameter.value, parameter.length);
		multipart->delimiter_length = strlen("\r\n--") + parameter.length;
		return multipart;
	}
	return NULL;
}

void multipart_destroy(struct multipart *multipart)
{
	free(multipart);
}

static void keep(struct multipart *multipart, const char *bytes, size_t length)
{
	if (!multipart->is_field || multipart->is_done || length == 0)
		return;
	if (length > MULTIPART_VALUE_BYTES - multipart->value_length ||
		memchr(bytes, '\0', length)) {
		multipart->is_wrong = true;
		return;
	}
	memcpy(multipart->value + multipart->value_length, bytes, length);
	multipart->value_length += length;
}

/* What looked like a delimiter was content. */
static void give_back(struct multipart *multipart)
{
	keep(multipart, multipart->delimiter + multipart->unreal,
		multipart->matched - multipart->unreal);
	multipart->matched = 0;
	multipart->unreal = 0;
}

static const char *pass_content(struct multipart *multipart, const char *at, const char *end)
{
	if (multipart->matched == 0) {
		const char *stop = memchr(at, '\r', (size_t)(end - at));

		stop = stop ? stop : end;
		keep(multipart, at, (size_t)(stop - at));
		if (stop == end)
			return end;
		at = stop;
	}
	if (*at != multipart->delimiter[multipart->matched]) {
		/* CR stands only at its beginning, so this byte alone may begin another one. */
		give_back(multipart);
		if (*at == '\r')
			return at;
		keep(multipart, at, 1);
		return at + 1;
	}
	if (++multipart->matched == multipart->delimiter_length)
		multipart->state = BEHIND;
	return at + 1;
}

/* The delimiter's line is whole: the part before it has ended. */
static void end_part(struct multipart *multipart)
{
	if (multipart->is_field)
		multipart->is_done = true;
	multipart->is_field = false;
	multipart->line_length = 0;
}

/* It goes on with something else: content, which no name of a model holds. */
static void reject_delimiter(struct multipart *multipart)
{
	if (multipart->is_field)
		multipart->is_wrong = true;
	multipart->matched = 0;
	multipart->unreal = 0;
	multipart->state = CONTENT;
}

static void pass_behind(struct multipart *multipart, char byte)
{
	if (byte == '-') {
		multipart->state = DASH;
	} else if (byte == '\r') {
		multipart->state = LINE_FEED;
	} else if (!is_blank(byte)) {
		reject_delimiter(multipart);
	}
}

/* A line of a part's head, without its end. */
static void read_line(struct multipart *multipart)
{
	const char *end = multipart->line + multipart->line_length;
	const char *colon = memchr(multipart->line, ':', multipart->line_length);
	struct parameter parameter;
	bool is_ours = false;
	const char *at;

	if (multipart->line_length == LINE_BYTES || !colon ||
		(size_t)(colon - multipart->line) != strlen("Content-Disposition") ||
		strncasecmp(
			multipart->line, "Content-Disposition", strlen("Content-Disposition")) != 0)
		return;
	at = skip_word(colon + 1, end, "form-data");
	while (at && (at = next_parameter(at, end, &parameter))) {
		if (is_named(&parameter, "name"))
			is_ours = has_value(&parameter, multipart->field);
		if (is_named(&parameter, "filename") || is_named(&parameter, "filename*"))
			return;
	}
	multipart->is_field = is_ours && !multipart->is_done;
}

static void pass_head(struct multipart *multipart, char byte, uint64_t at)
{
	if (byte != '\n') {
		if (multipart->line_length < LINE_BYTES)
			multipart->line[multipart->line_length++] = byte;
		return;
	}
	if (multipart->line_length > 0 && multipart->line_length < LINE_BYTES &&
		multipart->line[multipart->line_length - 1] == '\r')
		multipart->line_length--;
	if (multipart->line_length > 0) {
		read_line(multipart);
		multipart->line_length = 0;
		return;
	}
	begin_content(multipart);
	if (multipart->is_field)
		multipart->value_at = at + 1;
}

void multipart_feed(struct multipart *multipart, const void *bytes, size_t length)
{
	const char *begin = bytes;
	const char *at = begin;
	const char *end = begin + length;

	while (at < end) {
		switch (multipart->state) {
		case CONTENT:
			at = pass_content(multipart, at, end);
			break;
		case BEHIND:
			pass_behind(multipart, *at++);
			break;
		case DASH:
			if (*at == '-') {
				end_part(multipart);
				multipart->state = OVER;
			} else {
				reject_delimiter(multipart);
			}
			at++;
			break;
		case LINE_FEED:
			if (*at == '\n') {
				end_part(multipart);
				multipart->state = HEAD;
			} else {
				reject_delimiter(multipart);
			}
			at++;
			break;
		case HEAD:
			pass_head(multipart, *at, multipart->offset + (uint64_t)(at - begin));
			at++;
			break;
		case OVER:
			at = end;
			break;
		}
	}
	multipart->offset += length;
}

const char *multipart_value(const struct multipart *multipart)
{
	if (!multipart->is_done || multipart->is_wrong || multipart->value_length == 0)
		return NULL;
	return multipart->value;
}

uint64_t multipart_value_at(const struct multipart *multipart)
{
	return multipart->value_at;
}
