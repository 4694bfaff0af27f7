#include "report/line.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "report/moment.h"
#include "json/scan.h"
#include "json/utf8.h"
#include "json/walk.h"

enum {
	/* Numbers of more digits than this are none of ours: the slow way has a look at them. */
	NUMBER_BYTES_MOST = 40,
	/* Digits that a 64-bit integer surely holds and a double tells exactly. */
	EXACT_DIGITS_MOST = 15,
};

struct line_reader {
	size_t used;
	char arena[LINE_BYTES_MOST]; /* the strings of the slow way */
};

enum field_kind { FIELD_SKIPPED, FIELD_TEXT, FIELD_NUMBER, FIELD_TRUTH, FIELD_MOMENT };

struct field {
	const char *key;
	size_t key_length;
	enum field_kind kind;
	size_t offset;
};

#define SKIPPED(key)                                   \
	{                                              \
		key, sizeof(key) - 1, FIELD_SKIPPED, 0 \
	}

/* In the order in which our writer has them (observe/request_line), so that the next key is nearly
 * always the next row. */
#define X_ROW(kind, field, key)                                          \
	{                                                                \
		key, sizeof(key) - 1, kind, offsetof(struct line, field) \
	}
static const struct field fields[] = {
	SKIPPED("event"),
	SKIPPED("client_type"),
	X_ROW(FIELD_TEXT, operation, "operation"),
	X_ROW(FIELD_TEXT, status, "status"),
	X_ROW(FIELD_TEXT, model, "model"),
	SKIPPED("request_id"),
	X_ROW(FIELD_TEXT, client_ip, "client_ip"),
	X_ROW(FIELD_TEXT, project, "project_name"),
	X_ROW(FIELD_NUMBER, latency_ms, "latency_ms"),
	X_ROW(FIELD_NUMBER, load_ms, "model_load_ms"),
	X_ROW(FIELD_TRUTH, is_warm, "model_warm_start"),
	X_ROW(FIELD_TEXT, error_type, "error_type"),
	SKIPPED("error_message"),
	X_ROW(FIELD_NUMBER, http_status, "http_status"),
	SKIPPED("method"),
	X_ROW(FIELD_TEXT, path, "path"),
	X_ROW(FIELD_TRUTH, is_stream, "stream"),
	X_ROW(FIELD_NUMBER, queue_wait_ms, "queue_wait_ms"),
	X_ROW(FIELD_NUMBER, load_wait_ms, "load_wait_ms"),
	X_ROW(FIELD_NUMBER, ttft_ms, "ttft_ms"),
	SKIPPED("total_duration_ms"),
	X_ROW(FIELD_NUMBER, prompt_tokens, "prompt_eval_count"),
	X_ROW(FIELD_NUMBER, prompt_ms, "prompt_eval_ms"),
	X_ROW(FIELD_NUMBER, generation_tokens, "generation_eval_count"),
	X_ROW(FIELD_NUMBER, generation_ms, "generation_eval_ms"),
	X_ROW(FIELD_NUMBER, upstream_wait_ms, "upstream_wait_ms"),
	X_ROW(FIELD_NUMBER, context_length, "context_length"),
	X_ROW(FIELD_TRUTH, is_truncated, "prompt_truncated"),
	SKIPPED("priority"),
	X_ROW(FIELD_TEXT, runner, "runner"),
	X_ROW(FIELD_NUMBER, images_count, "images_count"),
	X_ROW(FIELD_NUMBER, images_bytes, "images_bytes"),
	X_ROW(FIELD_NUMBER, images_pixels, "images_pixels"),
	X_ROW(FIELD_TEXT, images_max, "images_max"),
	X_ROW(FIELD_NUMBER, request_bytes, "request_bytes"),
	SKIPPED("response_bytes"),
	X_ROW(FIELD_TEXT, user_agent, "user_agent"),
	SKIPPED("traceparent"),
	X_ROW(FIELD_NUMBER, attempts, "attempts"),
	X_ROW(FIELD_MOMENT, ended_us, "timestamp"),
};
#undef X_ROW

struct line_reader *line_reader_create(void)
{
	return mem_zalloc(sizeof(struct line_reader));
}

void line_reader_destroy(struct line_reader *reader)
{
	free(reader);
}

static void clear(struct line *line)
{
	memset(line, 0, sizeof(*line));
#define X(field, key) line->field = NAN;
	LINE_NUMBERS(X)
#undef X
	line->ended_us = -1;
}

/* The row of a key, looked for from *next on; NULL: none of ours. */
static const struct field *find(const char *key, size_t length, size_t *next)
{
	for (size_t i = 0; i < ARRAY_LENGTH(fields); i++) {
		size_t at = *next + i;
		const struct field *field;

		if (at >= ARRAY_LENGTH(fields))
			at -= ARRAY_LENGTH(fields);
		field = &fields[at];
		if (field->key_length != length || memcmp(field->key, key, length) != 0)
			continue;
		*next = at + 1 < ARRAY_LENGTH(fields) ? at + 1 : 0;
		return field;
	}
	return NULL;
}

/* What a JSON number says; NAN where it makes no sense in a log: negative or without end. */
static double number_of(const char *text, size_t length)
{
	static const double powers[] = {
		1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
	char copy[NUMBER_BYTES_MOST + 1];
	int64_t digits = 0;
	size_t decimals = 0, at = 0;
	double value;

	/* Both parts of the division are exact, so the quotient is what strtod() says. */
	for (; at < length && at < EXACT_DIGITS_MOST; at++) {
		if (text[at] >= '0' && text[at] <= '9')
			digits = digits * 10 + (text[at] - '0');
		else if (text[at] == '.' && decimals == 0)
			decimals = length - at - 1;
		else
			break;
	}
	if (at == length)
		return (double)digits / powers[decimals];
	if (length > NUMBER_BYTES_MOST)
		return NAN;
	memcpy(copy, text, length);
	copy[length] = '\0';
	value = strtod(copy, NULL);
	return isfinite(value) && value >= 0 ? value : NAN;
}

/* Both ways come here with the same scalars; a key that comes twice counts as its last. */
static void set(struct line *line, const struct field *field, enum walk_kind kind, const char *text,
	size_t length)
{
	char *place = (char *)line + field->offset;

	switch (field->kind) {
	case FIELD_SKIPPED:
		break;
	case FIELD_TEXT:
		*(struct text *)(void *)place =
			kind == WALK_STRING ? (struct text){text, length} : (struct text){NULL, 0};
		break;
	case FIELD_NUMBER:
		*(double *)(void *)place = kind == WALK_NUMBER ? number_of(text, length) : NAN;
		break;
	case FIELD_TRUTH:
		*(enum truth *)(void *)place = kind != WALK_BOOL ? TRUTH_UNKNOWN
					       : *text == 't'	 ? TRUTH_YES
								 : TRUTH_NO;
		break;
	case FIELD_MOMENT:
		if (kind != WALK_STRING || !moment_read(text, length, (int64_t *)(void *)place))
			*(int64_t *)(void *)place = -1;
		break;
	}
}

/* What only a log line has. `status` is null where a request never became one. */
static bool is_log_line(const struct line *line)
{
	return line->operation.at != NULL;
}

struct slow {
	struct line_reader *reader;
	struct line *line;
	size_t next;
};

static void on_scalar(
	void *arg, const char *path, enum walk_kind kind, const char *text, size_t length)
{
	struct slow *slow = arg;
	const struct field *field = find(path, strlen(path), &slow->next);

	if (!field)
		return;
	if (kind == WALK_STRING && field->kind == FIELD_TEXT) {
		struct line_reader *reader = slow->reader;

		/* Decoded strings are never longer than their text, nor all of them than the line,
		 * but a line that is too long was refused: so it fits. */
		if (length > sizeof(reader->arena) - reader->used)
			return;
		memcpy(reader->arena + reader->used, text, length);
		text = reader->arena + reader->used;
		reader->used += length;
	}
	set(slow->line, field, kind, text, length);
}

bool line_read_slow(
	struct line_reader *reader, const char *json, size_t length, struct line *ret_line)
{
	struct slow slow = {.reader = reader, .line = ret_line};

	clear(ret_line);
	reader->used = 0;
	return length <= LINE_BYTES_MOST && walk_object(json, length, on_scalar, &slow) &&
	       is_log_line(ret_line);
}

/* The end of a string's content that needs no decoding; NULL: it does, or it is broken. */
static const char *plain_string(const char *at, const char *end)
{
	const char *quote = scan_string(at, end);
	size_t length = (size_t)(quote - at);

	if (quote == end || *quote != '"')
		return NULL;
	return utf8_valid_length(at, length) == length ? quote : NULL;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The end of a number of the simple form (no sign, no exponent); NULL: not of it. */
static const char *plain_number(const char *at, const char *end)
{
	const char *begin = at;

	while (at < end && is_digit(*at))
		at++;
	if (at == begin || (*begin == '0' && at - begin > 1))
		return NULL;
	if (at < end && *at == '.') {
		begin = ++at;
		while (at < end && is_digit(*at))
			at++;
		if (at == begin)
			return NULL;
	}
	return at;
}

static const char *word(const char *at, const char *end, const char *expected, size_t length)
{
	return (size_t)(end - at) >= length && memcmp(at, expected, length) == 0 ? at + length
										 : NULL;
}

/* The end of a value at `at`, and what it is; NULL: not of the simple form. */
static const char *plain_value(const char *at, const char *end, enum walk_kind *ret_kind)
{
	if (at == end)
		return NULL;
	switch (*at) {
	case '"':
		*ret_kind = WALK_STRING;
		return plain_string(at + 1, end);
	case 'n':
		*ret_kind = WALK_NULL;
		return word(at, end, "null", strlen("null"));
	case 't':
		*ret_kind = WALK_BOOL;
		return word(at, end, "true", strlen("true"));
	case 'f':
		*ret_kind = WALK_BOOL;
		return word(at, end, "false", strlen("false"));
	default:
		*ret_kind = WALK_NUMBER;
		return plain_number(at, end);
	}
}

/* "key":value at `at`; returns what follows. */
static const char *read_member(const char *at, const char *end, struct line *line, size_t *next)
{
	const char *key, *key_end, *value_end;
	const struct field *field;
	enum walk_kind kind = WALK_NULL;

	if (at == end || *at != '"')
		return NULL;
	key = at + 1;
	/* Keys of ours have no byte that needs more than this. */
	for (key_end = key;
		key_end < end && (*key_end == '_' || (*key_end >= 'a' && *key_end <= 'z'));)
		key_end++;
	if (end - key_end < 2 || key_end[0] != '"' || key_end[1] != ':')
		return NULL;
	at = key_end + 2;
	value_end = plain_value(at, end, &kind);
	if (!value_end)
		return NULL;
	field = find(key, (size_t)(key_end - key), next);
	if (kind == WALK_STRING)
		at++;
	if (field)
		set(line, field, kind, at, (size_t)(value_end - at));
	return value_end + (kind == WALK_STRING);
}

bool line_read_fast(
	struct line_reader *reader, const char *json, size_t length, struct line *ret_line)
{
	const char *at = json, *end = json + length;
	size_t next = 0;

	(void)reader;
	clear(ret_line);
	if (length == 0 || length > LINE_BYTES_MOST || *at != '{')
		return false;
	do {
		at = read_member(at + 1, end, ret_line, &next);
	} while (at && at < end && *at == ',');
	return at && at + 1 == end && *at == '}' && is_log_line(ret_line);
}

bool line_read(struct line_reader *reader, const char *json, size_t length, struct line *ret_line)
{
	return line_read_fast(reader, json, length, ret_line) ||
	       line_read_slow(reader, json, length, ret_line);
}
