#include "http/chunked.h"

#include <string.h>

#include <event2/buffer.h>

#include "http/split.h"

enum {
	/* "size extensions CRLF": sizes have at most 16 digits, extensions nobody sends. */
	LINE_MOST_BYTES = 4096,
	/* all lines together, line ends included */
	TRAILER_MOST_BYTES = 16 * 1024,
	SIZE_MOST_DIGITS = 16,
};

/* What comes next. SIZE is 0, so that a zeroed struct begins there. */
enum chunked_state { STATE_SIZE, STATE_DATA, STATE_DATA_END, STATE_TRAILER, STATE_DONE };

static int hex_value(unsigned char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

/*
 * Takes one line of at most `most` bytes, without its CRLF, into `line` (NUL-terminated). MORE: not
 * there yet; WRONG: a bare LF, a bare CR or too long.
 */
static enum chunked_status take_line(
	struct evbuffer *input, char *line, size_t most, size_t *ret_length)
{
	struct evbuffer_ptr end = evbuffer_search_eol(input, NULL, NULL, EVBUFFER_EOL_LF);
	size_t length;

	if (end.pos < 0)
		return evbuffer_get_length(input) > most ? CHUNKED_WRONG : CHUNKED_MORE;
	length = (size_t)end.pos;
	if (length == 0 || length > most)
		return CHUNKED_WRONG;
	evbuffer_copyout(input, line, length);
	if (line[length - 1] != '\r' || memchr(line, '\r', length - 1) ||
		memchr(line, '\0', length))
		return CHUNKED_WRONG;
	line[length - 1] = '\0';
	evbuffer_drain(input, length + 1);
	*ret_length = length - 1;
	return CHUNKED_DONE;
}

/*
 * No control bytes, and what is quoted ends: else a line end may stand inside the quotes of which
 * another reader knows nothing.
 */
static bool is_extension(const char *text)
{
	bool is_quoted = false;

	if (!split_is_value(text, strlen(text)))
		return false;
	for (; *text; text++) {
		if (*text == '"')
			is_quoted = !is_quoted;
		else if (*text == '\\' && is_quoted && text[1])
			text++;
	}
	return !is_quoted;
}

/* "5", "5;name=value", "5 ; x": the extensions are dropped. */
static bool parse_size(const char *line, uint64_t *ret_size)
{
	uint64_t size = 0;
	int digits = 0;
	size_t blanks;

	while (hex_value((unsigned char)line[digits]) >= 0) {
		if (digits == SIZE_MOST_DIGITS)
			return false;
		size = size * 16 + (uint64_t)hex_value((unsigned char)line[digits]);
		digits++;
	}
	line += digits;
	blanks = strspn(line, " \t");
	/* Blanks are a part of an extension (BWS): alone they are of no grammar. */
	if (digits == 0 || size > INT64_MAX || (line[blanks] != ';' && *line != '\0') ||
		!is_extension(line + blanks))
		return false;
	*ret_size = size;
	return true;
}

static enum chunked_status read_size(struct chunked *chunked, struct evbuffer *input)
{
	char line[LINE_MOST_BYTES + 1];
	size_t length;
	enum chunked_status status = take_line(input, line, LINE_MOST_BYTES, &length);

	if (status != CHUNKED_DONE)
		return status;
	if (!parse_size(line, &chunked->left))
		return CHUNKED_WRONG;
	chunked->state = chunked->left > 0 ? STATE_DATA : STATE_TRAILER;
	return CHUNKED_DONE;
}

static enum chunked_status read_data_end(struct chunked *chunked, struct evbuffer *input)
{
	char end[2];

	if (evbuffer_copyout(input, end, sizeof(end)) < (ssize_t)sizeof(end)) {
		if (evbuffer_get_length(input) == 1 && end[0] != '\r')
			return CHUNKED_WRONG;
		return CHUNKED_MORE;
	}
	if (memcmp(end, "\r\n", sizeof(end)) != 0)
		return CHUNKED_WRONG;
	evbuffer_drain(input, sizeof(end));
	chunked->state = STATE_SIZE;
	return CHUNKED_DONE;
}

/* Fields are dropped; they must look like fields all the same. */
static enum chunked_status read_trailer(struct chunked *chunked, struct evbuffer *input)
{
	char line[LINE_MOST_BYTES + 1];
	size_t length;
	enum chunked_status status = take_line(input, line, LINE_MOST_BYTES, &length);
	const char *colon;

	if (status != CHUNKED_DONE)
		return status;
	if (length == 0) {
		chunked->state = STATE_DONE;
		return CHUNKED_DONE;
	}
	chunked->trailer_bytes += length + 2;
	colon = strchr(line, ':');
	if (chunked->trailer_bytes > TRAILER_MOST_BYTES || !colon ||
		!split_is_token(line, (size_t)(colon - line)) ||
		!split_is_value(colon, strlen(colon)))
		return CHUNKED_WRONG;
	return CHUNKED_DONE;
}

/* Moves what is there of the chunk. false: `most` is used up or the input is. */
static bool move_data(
	struct chunked *chunked, struct evbuffer *input, struct evbuffer *output, size_t *most)
{
	size_t take = evbuffer_get_length(input);

	if (take > chunked->left)
		take = (size_t)chunked->left;
	if (take > *most)
		take = *most;
	if (take == 0)
		return false;
	evbuffer_remove_buffer(input, output, take);
	chunked->left -= take;
	*most -= take;
	if (chunked->left == 0)
		chunked->state = STATE_DATA_END;
	return true;
}

enum chunked_status chunked_decode(struct chunked *chunked, struct evbuffer *input,
	struct evbuffer *output, size_t most, void (*on_chunk_end)(void *arg), void *arg)
{
	for (;;) {
		enum chunked_status status = CHUNKED_DONE;

		switch ((enum chunked_state)chunked->state) {
		case STATE_SIZE:
			status = read_size(chunked, input);
			break;
		case STATE_DATA:
			if (!move_data(chunked, input, output, &most))
				return CHUNKED_MORE;
			break;
		case STATE_DATA_END:
			status = read_data_end(chunked, input);
			if (status == CHUNKED_DONE && on_chunk_end)
				on_chunk_end(arg);
			break;
		case STATE_TRAILER:
			status = read_trailer(chunked, input);
			break;
		case STATE_DONE:
			return CHUNKED_DONE;
		}
		if (status != CHUNKED_DONE)
			return status;
	}
}

enum watch_state {
	WATCH_SIZE, /* 0, so that a zeroed struct begins there */
	/* what is dropped, from here to WATCH_ESCAPED */
	WATCH_BLANKS,
	WATCH_EXTENSION,
	WATCH_QUOTED,
	WATCH_ESCAPED,
	WATCH_SIZE_LF,
	WATCH_DATA,
	WATCH_DATA_CR,
	WATCH_DATA_LF,
	WATCH_TRAILER, /* the first byte of a line */
	WATCH_NAME,
	WATCH_VALUE,
	WATCH_TRAILER_LF,
	WATCH_LAST_LF,
	WATCH_DONE,
	WATCH_WRONG,
};

/* In a size line, behind at least one digit and perhaps blanks. */
static enum watch_state watch_size_end(unsigned char byte)
{
	if (byte == ';')
		return WATCH_EXTENSION;
	return byte == ' ' || byte == '\t' ? WATCH_BLANKS : WATCH_WRONG;
}

/* As is_extension() has it. */
static enum watch_state watch_extension(enum watch_state state, unsigned char byte)
{
	char letter = (char)byte;

	if (state == WATCH_EXTENSION && byte == '\r')
		return WATCH_SIZE_LF;
	if (!split_is_value(&letter, 1))
		return WATCH_WRONG;
	if (state == WATCH_ESCAPED)
		return WATCH_QUOTED;
	if (byte == '"')
		return state == WATCH_QUOTED ? WATCH_EXTENSION : WATCH_QUOTED;
	return state == WATCH_QUOTED && byte == '\\' ? WATCH_ESCAPED : state;
}

static enum watch_state watch_size(struct chunked_watch *watch, unsigned char byte)
{
	int digit = hex_value(byte);

	if (digit < 0 && watch->digits > 0)
		return byte == '\r' ? WATCH_SIZE_LF : watch_size_end(byte);
	if (digit < 0)
		return WATCH_WRONG;
	if (watch->digits++ == SIZE_MOST_DIGITS)
		return WATCH_WRONG;
	watch->left = watch->left * 16 + (uint64_t)digit;
	return WATCH_SIZE;
}

static enum watch_state watch_size_lf(struct chunked_watch *watch, unsigned char byte)
{
	if (byte != '\n' || watch->left > INT64_MAX)
		return WATCH_WRONG;
	watch->digits = 0;
	watch->line_bytes = 0;
	return watch->left > 0 ? WATCH_DATA : WATCH_TRAILER;
}

static enum watch_state watch_trailer(
	struct chunked_watch *watch, enum watch_state state, unsigned char byte)
{
	char letter = (char)byte;

	if (state == WATCH_TRAILER_LF) {
		watch->trailer_bytes += watch->line_bytes + 1;
		watch->line_bytes = 0;
		return byte == '\n' && watch->trailer_bytes <= TRAILER_MOST_BYTES ? WATCH_TRAILER
										  : WATCH_WRONG;
	}
	if (state == WATCH_VALUE) {
		if (byte == '\r')
			return WATCH_TRAILER_LF;
		return split_is_value(&letter, 1) ? WATCH_VALUE : WATCH_WRONG;
	}
	if (state == WATCH_TRAILER && byte == '\r')
		return WATCH_LAST_LF;
	if (state == WATCH_NAME && byte == ':')
		return WATCH_VALUE;
	return split_is_token(&letter, 1) ? WATCH_NAME : WATCH_WRONG;
}

static enum watch_state watch_byte(struct chunked_watch *watch, unsigned char byte)
{
	enum watch_state state = (enum watch_state)watch->state;

	switch (state) {
	case WATCH_SIZE:
		return watch_size(watch, byte);
	case WATCH_BLANKS:
		return watch_size_end(byte);
	case WATCH_EXTENSION:
	case WATCH_QUOTED:
	case WATCH_ESCAPED:
		return watch_extension(state, byte);
	case WATCH_SIZE_LF:
		return watch_size_lf(watch, byte);
	case WATCH_DATA_CR:
		return byte == '\r' ? WATCH_DATA_LF : WATCH_WRONG;
	case WATCH_DATA_LF:
		watch->line_bytes = 0;
		return byte == '\n' ? WATCH_SIZE : WATCH_WRONG;
	case WATCH_TRAILER:
	case WATCH_NAME:
	case WATCH_VALUE:
	case WATCH_TRAILER_LF:
		return watch_trailer(watch, state, byte);
	case WATCH_LAST_LF:
		return byte == '\n' ? WATCH_DONE : WATCH_WRONG;
	case WATCH_DATA:
	case WATCH_DONE:
	case WATCH_WRONG:
		break;
	}
	return state;
}

/* Passes over what is there of the chunk. */
static size_t watch_data(struct chunked_watch *watch, size_t length)
{
	if (length > watch->left)
		length = (size_t)watch->left;
	watch->left -= length;
	if (watch->left == 0)
		watch->state = WATCH_DATA_CR;
	return length;
}

bool chunked_watch_skip(struct chunked_watch *watch, size_t length)
{
	if (watch->state != WATCH_DATA || length > watch->left)
		return false;
	watch_data(watch, length);
	return true;
}

bool chunked_watch_is_done(const struct chunked_watch *watch)
{
	return watch->state == WATCH_DONE;
}

static bool is_dropped(int state)
{
	return state >= WATCH_BLANKS && state <= WATCH_ESCAPED;
}

static void keep(struct evbuffer *kept, const void *bytes, size_t length)
{
	if (kept && length > 0)
		evbuffer_add(kept, bytes, length);
}

enum chunked_status chunked_watch_feed(
	struct chunked_watch *watch, const void *bytes, size_t length, struct evbuffer *kept)
{
	const unsigned char *at = bytes;
	const unsigned char *end = at + length;

	while (at < end && watch->state < WATCH_DONE) {
		if (watch->state == WATCH_DATA) {
			size_t data = watch_data(watch, (size_t)(end - at));

			keep(kept, at, data);
			at += data;
			continue;
		}
		watch->state = (int)watch_byte(watch, *at);
		if (is_dropped(watch->state))
			watch->has_dropped = true;
		else
			keep(kept, at, 1);
		if (*at++ != '\n' && ++watch->line_bytes > LINE_MOST_BYTES)
			watch->state = WATCH_WRONG;
	}
	keep(kept, at, (size_t)(end - at));
	if (watch->state == WATCH_WRONG)
		return CHUNKED_WRONG;
	return watch->state == WATCH_DONE ? CHUNKED_DONE : CHUNKED_MORE;
}

size_t chunked_head(char *ret_text, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	char head[CHUNKED_HEAD_BYTES];
	size_t at = sizeof(head);

	head[--at] = '\n';
	head[--at] = '\r';
	do {
		head[--at] = digits[length & 0x0f];
		length >>= 4;
	} while (length > 0);
	memcpy(ret_text, head + at, sizeof(head) - at);
	return sizeof(head) - at;
}

void chunked_write_begin(struct evbuffer *output, size_t length)
{
	char head[CHUNKED_HEAD_BYTES];

	evbuffer_add(output, head, chunked_head(head, length));
}

void chunked_write_end(struct evbuffer *output)
{
	evbuffer_add(output, "\r\n", 2);
}

void chunked_write_last(struct evbuffer *output)
{
	evbuffer_add(output, "0\r\n\r\n", 5);
}
