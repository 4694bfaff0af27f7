#include "report/line.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/moment.h"
#include "json/walk.h"

enum {
	/* Longer numbers are none of ours. */
	NUMBER_BYTES_MOST = 40,
	/* Digits that a 64-bit integer surely holds and a double tells exactly. */
	EXACT_DIGITS_MOST = 15,
};

struct line_reader {
	size_t used;
	char arena[LINE_BYTES_MOST]; /* the strings of the latest line */
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

/* More makes no sense in a log: 31 years in milliseconds, a terabyte, a million megapixels. */
#define NUMBER_MOST 1e12

/* What a JSON number says; NAN where it makes no sense: negative or too large. */
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
	if (at == length) {
		value = (double)digits / powers[decimals];
	} else if (length <= NUMBER_BYTES_MOST) {
		memcpy(copy, text, length);
		copy[length] = '\0';
		value = strtod(copy, NULL);
	} else {
		return NAN;
	}
	return value >= 0 && value <= NUMBER_MOST ? value : NAN;
}

/* A key that comes twice counts as its last. */
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

/* One line on its way. */
struct reading {
	struct line_reader *reader;
	struct line *line;
	size_t next;
};

static void on_scalar(
	void *arg, const char *path, enum walk_kind kind, const char *text, size_t length)
{
	struct reading *reading = arg;
	const struct field *field = find(path, strlen(path), &reading->next);

	if (!field)
		return;
	if (kind == WALK_STRING && field->kind == FIELD_TEXT) {
		struct line_reader *reader = reading->reader;

		/* Decoded strings are never longer than their text, nor all of them than the line,
		 * but a line that is too long was refused: so it fits. */
		if (length > sizeof(reader->arena) - reader->used)
			return;
		memcpy(reader->arena + reader->used, text, length);
		text = reader->arena + reader->used;
		reader->used += length;
	}
	set(reading->line, field, kind, text, length);
}

bool line_read(struct line_reader *reader, const char *json, size_t length, struct line *ret_line)
{
	struct reading reading = {.reader = reader, .line = ret_line};

	clear(ret_line);
	reader->used = 0;
	return length <= LINE_BYTES_MOST && walk_object(json, length, on_scalar, &reading) &&
	       is_log_line(ret_line);
}
