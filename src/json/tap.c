#include "json/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "json/answer.h"

/*
 * A line that does not come in one piece is collected up to this length and then read as one that
 * does. A longer one (the final line of a generate, with its context) goes to the parser as it
 * arrives. So what a line says does not depend on how it was cut into pieces, and nobody keeps a
 * megabyte.
 */
#define LINE_MAX_BYTES 4096
/* Data of SSE events up to this length is parsed without a look at what it holds:
 * {"type":"message_stop"} */
#define SHORT_DATA 64

/* How Ollama ends a line that is not the final one; an unescaped quote cannot stand in a string. */
#define TOKEN_LINE_END "\"done\":false}"
#define DATA_FIELD "data:"
#define EVENT_FIELD "event:"
#define DONE_DATA "[DONE]"

#define LITERAL_LENGTH(literal) (sizeof(literal) - 1)

enum event_type { EVENT_OTHER, EVENT_FINAL, EVENT_ERROR };

struct tap {
	enum tap_format format;
	struct tap_result result;
	struct answer *answer; /* NULL: nothing had to be parsed yet; it holds kilobytes */
	bool is_merged;	       /* the answer that is being read is in the result */
	/* the running line */
	char *line; /* allocated when a line does not come whole */
	size_t line_length;
	bool is_long; /* it goes to the answer, if that was begun */
	/* where the stream stands */
	bool is_in_line;
	bool is_after_blank; /* SSE: the last line was empty */
	/* SSE: the running event */
	enum event_type event;
	bool has_data;
};

const char *tap_format_name(enum tap_format format)
{
	static const char *const names[] = {
#define X(symbol, name) name,
		TAP_FORMATS(X)
#undef X
	};

	return names[format];
}

enum tap_format tap_format_of(const char *content_type, size_t length)
{
	static const struct {
		const char *name;
		enum tap_format format;
	} types[] = {
		{"application/x-ndjson", TAP_NDJSON},
		{"application/json", TAP_JSON},
		{"text/event-stream", TAP_SSE},
	};

	if (!content_type)
		return TAP_NONE;
	while (length > 0 && (*content_type == ' ' || *content_type == '\t')) {
		content_type++;
		length--;
	}
	for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
		size_t name_length = strlen(types[i].name);

		if (length >= name_length &&
			strncasecmp(content_type, types[i].name, name_length) == 0 &&
			(length == name_length || strchr("; \t", content_type[name_length])))
			return types[i].format;
	}
	return TAP_NONE;
}

static void begin_answer(struct tap *tap)
{
	/* Not zeroed: answer_begin() sees to what counts. */
	if (!tap->answer) {
		tap->answer = mem_alloc(sizeof(*tap->answer));
		tap->answer->yajl = NULL;
	}
	answer_begin(tap->answer);
	tap->is_merged = false;
}

struct tap *tap_create(enum tap_format format)
{
	struct tap *tap = mem_zalloc(sizeof(*tap));

	tap->format = format;
	tap->is_after_blank = true;
	tap->result.total_duration = -1;
	tap->result.load_duration = -1;
	tap->result.prompt_eval_count = -1;
	tap->result.prompt_eval_duration = -1;
	tap->result.eval_count = -1;
	tap->result.eval_duration = -1;
	if (format == TAP_JSON)
		begin_answer(tap);
	return tap;
}

void tap_destroy(struct tap *tap)
{
	if (!tap)
		return;
	if (tap->answer)
		answer_end(tap->answer);
	free(tap->answer);
	free(tap->line);
	free(tap);
}

static void set_error(struct tap *tap, const char *text)
{
	if (tap->result.error)
		return;
	tap->result.error = true;
	snprintf(tap->result.error_text, sizeof(tap->result.error_text), "%s", text);
}

static void set_if_seen(int64_t *result, int64_t value)
{
	if (value >= 0)
		*result = value;
}

static void merge_usage(struct tap_result *result, const struct answer *answer)
{
	/* /v1/completions sends zeros with every token; no prompt has none */
	if (answer->usage_prompt > 0 || answer->usage_completion > 0) {
		set_if_seen(&result->prompt_eval_count, answer->usage_prompt);
		set_if_seen(&result->eval_count, answer->usage_completion);
	}
	set_if_seen(&result->prompt_eval_count, answer->message_prompt);
}

/* Takes over what the answer says, once, as soon as its closing brace came. */
static void merge(struct tap *tap)
{
	struct tap_result *result = &tap->result;
	const struct answer *answer = tap->answer;

	if (!answer->is_complete || tap->is_merged)
		return;
	tap->is_merged = true;
	set_if_seen(&result->total_duration, answer->total_duration);
	set_if_seen(&result->load_duration, answer->load_duration);
	set_if_seen(&result->prompt_eval_count, answer->prompt_eval_count);
	set_if_seen(&result->prompt_eval_duration, answer->prompt_eval_duration);
	set_if_seen(&result->eval_count, answer->eval_count);
	set_if_seen(&result->eval_duration, answer->eval_duration);
	merge_usage(result, answer);
	if (answer->is_error)
		set_error(tap, answer->error_text);
	else if (answer->is_error_type || tap->event == EVENT_ERROR)
		set_error(tap, answer->message_text);
	if (answer->done == ANSWER_DONE_TRUE || (tap->format == TAP_SSE && answer->is_final_type))
		result->done = true;
	else if (tap->format == TAP_JSON && answer->done == ANSWER_DONE_ABSENT)
		result->done = !result->error;
}

static void feed_answer(struct tap *tap, const char *bytes, size_t length)
{
	answer_feed(tap->answer, bytes, length);
	merge(tap);
}

static void read_object(struct tap *tap, const char *bytes, size_t length)
{
	begin_answer(tap);
	feed_answer(tap, bytes, length);
	answer_end(tap->answer);
}

static bool contains(const char *bytes, size_t length, const char *part, size_t part_length)
{
	return memmem(bytes, length, part, part_length) != NULL;
}

static bool is_token_line(const char *line, size_t length)
{
	size_t end_length = LITERAL_LENGTH(TOKEN_LINE_END);

	return length >= end_length &&
	       memcmp(line + length - end_length, TOKEN_LINE_END, end_length) == 0 &&
	       !contains(line, length, "\"error\"", LITERAL_LENGTH("\"error\""));
}

/* The value of an SSE field; NULL: the line is not that field's. */
static const char *field_value(
	const char *line, size_t length, const char *field, size_t field_length)
{
	if (length < field_length || memcmp(line, field, field_length) != 0)
		return NULL;
	return length > field_length && line[field_length] == ' ' ? line + field_length + 1
								  : line + field_length;
}

static const char *data_of(const char *line, size_t length)
{
	return field_value(line, length, DATA_FIELD, LITERAL_LENGTH(DATA_FIELD));
}

static void read_data(struct tap *tap, const char *data, size_t length)
{
	if (length == LITERAL_LENGTH(DONE_DATA) && memcmp(data, DONE_DATA, length) == 0)
		tap->result.done = true;
	else if (length <= SHORT_DATA || tap->event == EVENT_ERROR ||
		 contains(data, length, "\"usage\"", LITERAL_LENGTH("\"usage\"")) ||
		 contains(data, length, "\"error\"", LITERAL_LENGTH("\"error\"")))
		read_object(tap, data, length);
}

/* What a line of at most LINE_MAX_BYTES says; neither counts it nor changes where the stream
 * stands. */
static void read_line(struct tap *tap, const char *line, size_t length)
{
	const char *data;

	if (tap->format == TAP_NDJSON) {
		if (!is_token_line(line, length))
			read_object(tap, line, length);
		return;
	}
	data = data_of(line, length);
	if (data)
		read_data(tap, data, length - (size_t)(data - line));
}

static void end_event(struct tap *tap)
{
	if (tap->has_data) {
		tap->result.lines++;
		if (tap->event == EVENT_FINAL)
			tap->result.done = true;
		else if (tap->event == EVENT_ERROR)
			set_error(tap, "");
	}
	tap->has_data = false;
	tap->event = EVENT_OTHER;
}

static void note_event_field(struct tap *tap, const char *line, size_t length)
{
	const char *type = field_value(line, length, EVENT_FIELD, LITERAL_LENGTH(EVENT_FIELD));
	size_t type_length;

	if (!type)
		return;
	type_length = length - (size_t)(type - line);
	tap->event = EVENT_OTHER;
	if (answer_is_final_type(type, type_length))
		tap->event = EVENT_FINAL;
	else if (answer_is_error_type(type, type_length))
		tap->event = EVENT_ERROR;
}

/* A line of at most LINE_MAX_BYTES ended. */
static void on_line(struct tap *tap, const char *line, size_t length)
{
	if (length > 0 && line[length - 1] == '\r')
		length--;
	tap->is_after_blank = length == 0;
	if (tap->format == TAP_NDJSON) {
		if (length == 0)
			return;
		tap->result.lines++;
	} else if (length == 0) {
		end_event(tap);
		return;
	} else if (data_of(line, length)) {
		tap->has_data = true;
	} else {
		note_event_field(tap, line, length);
	}
	read_line(tap, line, length);
}

/* `bytes` are more than LINE_MAX_BYTES of a line, or just so many and more will come. */
static void begin_long_line(struct tap *tap, const char *bytes, size_t length)
{
	const char *data = tap->format == TAP_SSE ? data_of(bytes, length) : bytes;

	tap->is_long = true;
	if (!data)
		return;
	tap->has_data = true;
	begin_answer(tap);
	feed_answer(tap, data, length - (size_t)(data - bytes));
}

static void feed_long_line(struct tap *tap, const char *bytes, size_t length)
{
	if (tap->answer && tap->answer->yajl)
		feed_answer(tap, bytes, length);
}

static void end_long_line(struct tap *tap)
{
	if (tap->answer)
		answer_end(tap->answer);
	tap->is_long = false;
	tap->is_after_blank = false;
	if (tap->format == TAP_NDJSON)
		tap->result.lines++;
}

/* A part of a line whose rest came before or is still to come. */
static void add_to_line(struct tap *tap, const char *bytes, size_t length)
{
	size_t fits;

	if (tap->is_long) {
		feed_long_line(tap, bytes, length);
		return;
	}
	if (!tap->line)
		tap->line = mem_alloc(LINE_MAX_BYTES);
	fits = LINE_MAX_BYTES - tap->line_length;
	if (fits > length)
		fits = length;
	memcpy(tap->line + tap->line_length, bytes, fits);
	tap->line_length += fits;
	if (fits == length)
		return;
	begin_long_line(tap, tap->line, tap->line_length);
	tap->line_length = 0;
	feed_long_line(tap, bytes + fits, length - fits);
}

static void end_line(struct tap *tap, const char *bytes, size_t length)
{
	if (tap->is_long || tap->line_length > 0 || length > LINE_MAX_BYTES) {
		add_to_line(tap, bytes, length);
		if (tap->is_long) {
			end_long_line(tap);
			return;
		}
		bytes = tap->line;
		length = tap->line_length;
		tap->line_length = 0;
	}
	on_line(tap, bytes, length);
}

static void feed_lines(struct tap *tap, const char *at, const char *end)
{
	const char *newline;

	while (at < end && (newline = memchr(at, '\n', (size_t)(end - at)))) {
		end_line(tap, at, (size_t)(newline - at));
		at = newline + 1;
	}
	if (at < end)
		add_to_line(tap, at, (size_t)(end - at));
}

void tap_feed(struct tap *tap, const void *bytes, size_t length)
{
	const char *at = bytes;

	if (length == 0)
		return;
	switch (tap->format) {
	case TAP_NONE:
		break;
	case TAP_JSON:
		feed_answer(tap, at, length);
		break;
	case TAP_NDJSON:
	case TAP_SSE:
		feed_lines(tap, at, at + length);
		break;
	}
	tap->is_in_line = at[length - 1] != '\n';
}

bool tap_is_at_line_end(const struct tap *tap)
{
	return !tap->is_in_line && (tap->format != TAP_SSE || tap->is_after_blank);
}

const struct tap_result *tap_finish(struct tap *tap)
{
	/* A last line without its end counts for what it says; should it go on, it will say so
	 * again. */
	if (!tap->is_long && tap->line_length > 0)
		read_line(tap, tap->line, tap->line_length);
	return &tap->result;
}
