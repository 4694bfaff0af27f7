#include "json/filter.h"

#include <string.h>

#include "json/scan.h"
#include "json/utf8.h"

/* The longest escape, \u0000. */
#define ESCAPE_MAX 6
#define HEX_DIGITS 4

enum byte_class { SCALAR, SEPARATOR, QUOTE, OPEN, CLOSE };

/* Bytes that stand between tokens; all others belong to a number or a literal, or are yajl's to
 * refuse. */
static const uint8_t byte_class[256] = {
	[' '] = SEPARATOR,
	['\t'] = SEPARATOR,
	['\n'] = SEPARATOR,
	['\r'] = SEPARATOR,
	[','] = SEPARATOR,
	[':'] = SEPARATOR,
	['"'] = QUOTE,
	['['] = OPEN,
	['{'] = OPEN,
	[']'] = CLOSE,
	['}'] = CLOSE,
};

void filter_init(struct filter *filter, const struct filter_events *events, void *arg)
{
	/* not the head: it is read only as far as it was written */
	memset(filter, 0, offsetof(struct filter, head));
	filter->events = events;
	filter->arg = arg;
}

void filter_skim(struct filter *filter, unsigned object_depth)
{
	filter->skim = true;
	filter->object_depth = object_depth;
}

static bool is_dropping(const struct filter *filter)
{
	return filter->is_cut || filter->is_skimming;
}

/* Gives on_json what it has not had yet, up to `end`. */
static void emit(struct filter *filter, const char *end)
{
	size_t length = (size_t)(end - filter->span);

	filter->span = end;
	if (length > 0 && !filter->events->on_json(filter->arg, end - length, length))
		filter->failed = true;
}

/* What stood before the bad byte is given out first, so that the result does not depend on the
 * pieces. */
static void fail(struct filter *filter, const char *at)
{
	if (!is_dropping(filter))
		emit(filter, at);
	filter->failed = true;
}

static void give_code_point(struct filter *filter, uint16_t code_point)
{
	char bytes[UTF8_BMP_MAX];

	filter->events->on_content(filter->arg, bytes, utf8_encode_bmp(code_point, bytes));
}

/* The byte that an escape other than \u stands for; 0: there is no such escape. */
static char unescape(char letter)
{
	switch (letter) {
	case '"':
	case '\\':
	case '/':
		return letter;
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default:
		return 0;
	}
}

/* -1: not a hex digit. */
static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	digit |= 0x20;
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Gives the head of a long string to on_content; its escapes were checked on the way in. */
static void give_head(struct filter *filter)
{
	const char *at = filter->head;
	const char *end = at + filter->head_length;

	while (at < end) {
		const char *escape = memchr(at, '\\', (size_t)(end - at));
		const char *run_end = escape ? escape : end;
		uint16_t code_point = 0;

		if (run_end > at)
			filter->events->on_content(filter->arg, at, (size_t)(run_end - at));
		if (!escape)
			return;
		at = escape + 2;
		if (escape[1] != 'u') {
			give_code_point(filter, (uint16_t)unescape(escape[1]));
			continue;
		}
		for (int i = 0; i < HEX_DIGITS; i++)
			code_point = (uint16_t)(code_point << 4 | hex_value(*at++));
		give_code_point(filter, code_point);
	}
}

static void keep_head(struct filter *filter, const char *end)
{
	size_t length = (size_t)(end - filter->content);

	memcpy(filter->head + filter->head_length, filter->content, length);
	filter->head_length += length;
	filter->content = end;
}

/* From `at` on the running string is dropped. */
static void cut_string(struct filter *filter, const char *at)
{
	emit(filter, at);
	filter->is_cut = true;
	filter->is_wanted = false;
	if (filter->failed || !filter->events->on_long_string)
		return;
	keep_head(filter, at);
	filter->is_wanted = filter->events->on_long_string(filter->arg);
	if (filter->is_wanted)
		give_head(filter);
}

static const char *begin_string(struct filter *filter, const char *quote)
{
	filter->state = FILTER_STRING;
	filter->content = quote + 1;
	filter->head_length = 0;
	return quote + 1;
}

static const char *end_string(struct filter *filter, const char *quote)
{
	filter->state = filter->is_skimming ? FILTER_SKIMMED : FILTER_STRUCTURE;
	if (filter->is_cut) {
		/* at once, because yajl reports the string now and filter_is_cut() has to say so */
		filter->span = quote;
		emit(filter, quote + 1);
		filter->is_cut = false;
		filter->is_wanted = false;
	}
	return quote + 1;
}

static const char *pass_string(struct filter *filter, const char *at, const char *end)
{
	const char *stop = scan_string(at, end);

	if (!is_dropping(filter)) {
		size_t length = filter->head_length + (size_t)(stop - filter->content);
		size_t limit = FILTER_STRING_MAX;

		if (stop < end && *stop == '\\')
			limit -= ESCAPE_MAX;
		if (length > FILTER_STRING_MAX) {
			at = stop - (length - FILTER_STRING_MAX);
			cut_string(filter, at);
		} else if (length > limit) {
			at = stop;
			cut_string(filter, at);
		}
		if (filter->failed)
			return end;
	}
	if (filter->is_wanted && stop > at)
		filter->events->on_content(filter->arg, at, (size_t)(stop - at));
	if (stop == end)
		return end;
	if (*stop == '"')
		return end_string(filter, stop);
	if (*stop == '\\')
		filter->state = FILTER_ESCAPE;
	else
		fail(filter, stop);
	return stop + 1;
}

static const char *pass_escape(struct filter *filter, const char *at)
{
	char byte = unescape(*at);

	if (byte) {
		filter->state = FILTER_STRING;
		if (filter->is_wanted)
			filter->events->on_content(filter->arg, &byte, 1);
	} else if (*at == 'u') {
		filter->state = FILTER_HEX;
		filter->hex_digits = 0;
		filter->code_point = 0;
	} else {
		fail(filter, at);
	}
	return at + 1;
}

static const char *pass_hex_digit(struct filter *filter, const char *at)
{
	int value = hex_value(*at);

	if (value < 0) {
		fail(filter, at);
		return at;
	}
	filter->code_point = (uint16_t)(filter->code_point << 4 | value);
	if (++filter->hex_digits == HEX_DIGITS) {
		filter->state = FILTER_STRING;
		if (filter->is_wanted)
			give_code_point(filter, filter->code_point);
	}
	return at + 1;
}

/* Counts a container in; false: too deep. */
static bool open_container(struct filter *filter, const char *at)
{
	if (filter->depth == FILTER_DEPTH_MAX) {
		fail(filter, at);
		return false;
	}
	filter->depth++;
	return true;
}

static bool is_skimmed(const struct filter *filter, char bracket)
{
	return filter->skim && (bracket == '[' || filter->depth > filter->object_depth);
}

static const char *pass_structure(struct filter *filter, const char *at, const char *end)
{
	for (; at < end; at++) {
		switch ((enum byte_class)byte_class[(uint8_t)*at]) {
		case SCALAR:
			if (++filter->scalar_length > FILTER_SCALAR_MAX) {
				fail(filter, at);
				return end;
			}
			continue;
		case QUOTE:
			filter->scalar_length = 0;
			return begin_string(filter, at);
		case OPEN:
			if (!open_container(filter, at))
				return end;
			if (is_skimmed(filter, *at)) {
				emit(filter, at + 1);
				filter->is_skimming = true;
				filter->skim_until = filter->depth - 1;
				filter->state = FILTER_SKIMMED;
				filter->scalar_length = 0;
				return at + 1;
			}
			break;
		case CLOSE:
			/* one too many is yajl's to refuse */
			if (filter->depth > 0)
				filter->depth--;
			break;
		case SEPARATOR:
			break;
		}
		filter->scalar_length = 0;
	}
	return end;
}

static const char *pass_skimmed(struct filter *filter, const char *at, const char *end)
{
	at = scan_brackets(at, end);
	if (at == end)
		return end;
	switch (*at) {
	case '"':
		return begin_string(filter, at);
	case '[':
	case '{':
		if (!open_container(filter, at))
			return end;
		break;
	default:
		if (--filter->depth > filter->skim_until)
			break;
		filter->is_skimming = false;
		filter->state = FILTER_STRUCTURE;
		filter->span = at;
	}
	return at + 1;
}

static bool is_in_string(const struct filter *filter)
{
	return filter->state == FILTER_STRING || filter->state == FILTER_ESCAPE ||
	       filter->state == FILTER_HEX;
}

bool filter_feed(struct filter *filter, const char *bytes, size_t length)
{
	const char *at = bytes;
	const char *end;

	if (length == 0)
		return !filter->failed;
	end = bytes + length;
	filter->span = bytes;
	filter->content = bytes;
	while (at < end && !filter->failed) {
		switch (filter->state) {
		case FILTER_STRUCTURE:
			at = pass_structure(filter, at, end);
			break;
		case FILTER_STRING:
			at = pass_string(filter, at, end);
			break;
		case FILTER_ESCAPE:
			at = pass_escape(filter, at);
			break;
		case FILTER_HEX:
			at = pass_hex_digit(filter, at);
			break;
		case FILTER_SKIMMED:
			at = pass_skimmed(filter, at, end);
			break;
		}
	}
	if (filter->failed || is_dropping(filter))
		return !filter->failed;
	emit(filter, end);
	if (is_in_string(filter))
		keep_head(filter, end);
	return !filter->failed;
}
