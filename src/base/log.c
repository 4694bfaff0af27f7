#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/ticker.h"

enum {
	/* Linux writes up to PIPE_BUF bytes into a pipe in one piece, so that lines of several
	   programs do not mix. */
	LINE_BYTES = 4096,
	/* No field takes the room of the others. */
	VALUE_BYTES = 1024,
	/* What fields may fill; the newline follows. */
	TEXT_BYTES = LINE_BYTES - 1,
	/* The longest thing put for one input character: a whole UTF-8 sequence or \xNN. */
	PIECE_BYTES = 4,
	US_PER_S = 1000000,
	FIRST_PRINTABLE = 0x20,
	DELETE_BYTE = 0x7f
};

/* One of the two mutable globals of the program (STYLE B1.3). */
static enum log_level most = LOG_INFO;

static const char *const level_names[] = {
#define X(symbol, name) [LOG_##symbol] = (name),
	LOG_LEVELS(X)
#undef X
};

struct line {
	char text[LINE_BYTES];
	size_t length;
};

const char *log_level_name(enum log_level level)
{
	return level_names[level];
}

bool log_level_parse(const char *name, enum log_level *ret_level)
{
	for (unsigned i = 0; i < ARRAY_LENGTH(level_names); i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*ret_level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

void log_set_level(enum log_level level)
{
	most = level;
}

bool log_is_on(enum log_level level)
{
	return level <= most;
}

static void put(struct line *line, const char *text, size_t length)
{
	size_t room = TEXT_BYTES - line->length;

	if (length > room)
		length = room;
	memcpy(line->text + line->length, text, length);
	line->length += length;
}

PRINTF_LIKE(2, 3) static void put_format(struct line *line, const char *format, ...)
{
	char text[64]; /* a time or a number */
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (length > 0 && (size_t)length < sizeof(text))
		put(line, text, (size_t)length);
}

/*
 * The length of the UTF-8 sequence at `text` (NUL-terminated) that may be written as it is; 0: not
 * one character, or a control character (C1, U+0080 to U+009F, steers terminals as C0 does). RFC
 * 3629 section 4.
 */
static size_t printable_sequence(const unsigned char *text)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t length;

	if (text[0] >= 0xc2 && text[0] <= 0xdf)
		length = 2;
	else if (text[0] >= 0xe0 && text[0] <= 0xef)
		length = 3;
	else if (text[0] >= 0xf0 && text[0] <= 0xf4)
		length = 4;
	else
		return 0;
	if (text[0] == 0xc2 || text[0] == 0xe0)
		low = 0xa0; /* C1; overlong */
	else if (text[0] == 0xed)
		high = 0x9f; /* surrogates */
	else if (text[0] == 0xf0)
		low = 0x90; /* overlong */
	else if (text[0] == 0xf4)
		high = 0x8f; /* over U+10FFFF */
	if (text[1] < low || text[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++) {
		if (text[i] < 0x80 || text[i] > 0xbf)
			return 0;
	}
	return length;
}

/* Writes what stands for the character at `text`; returns its length there and puts that of the
 * piece. */
static size_t escape(const unsigned char *text, char piece[PIECE_BYTES + 1], size_t *ret_length)
{
	static const char letters[] = "\"\"\\\\\nn\rr\tt"; /* pairs: byte, its escape */
	size_t length;

	for (const char *pair = letters; *pair; pair += 2) {
		if (text[0] != (unsigned char)pair[0])
			continue;
		piece[0] = '\\';
		piece[1] = pair[1];
		*ret_length = 2;
		return 1;
	}
	length = text[0] < DELETE_BYTE && text[0] >= FIRST_PRINTABLE ? 1 : printable_sequence(text);
	if (length) {
		memcpy(piece, text, length);
		*ret_length = length;
		return length;
	}
	*ret_length = (size_t)snprintf(piece, PIECE_BYTES + 1, "\\x%02x", text[0]);
	return 1;
}

static bool needs_quotes(const char *text)
{
	if (!text[0])
		return true;
	for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
		if (*at <= FIRST_PRINTABLE || *at >= DELETE_BYTE || strchr("=\"\\", *at))
			return true;
	}
	return false;
}

static void put_quoted(struct line *line, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t end = line->length + VALUE_BYTES;

	if (end > TEXT_BYTES)
		end = TEXT_BYTES;
	put(line, "\"", 1);
	while (*at) {
		char piece[PIECE_BYTES + 1];
		size_t length;

		at += escape(at, piece, &length);
		/* The closing quote must fit even after the last piece. */
		if (line->length + length + strlen("...\"") > end) {
			put(line, "...", strlen("..."));
			break;
		}
		put(line, piece, length);
	}
	put(line, "\"", 1);
}

static void put_text(struct line *line, const char *text)
{
	size_t length = strlen(text);

	/* Quotes also show where a value was cut. */
	if (needs_quotes(text) || length > VALUE_BYTES || length > TEXT_BYTES - line->length)
		put_quoted(line, text);
	else
		put(line, text, length);
}

static void put_head(struct line *line, enum log_level level, const char *message)
{
	int64_t wall_us = ticker_wall_us();
	time_t seconds = (time_t)(wall_us / US_PER_S);
	struct tm time = {0};

	gmtime_r(&seconds, &time);
	put_format(line, "ts=%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", time.tm_year + 1900,
		time.tm_mon + 1, time.tm_mday, time.tm_hour, time.tm_min, time.tm_sec,
		(int)(wall_us % US_PER_S));
	put_format(line, " level=%s msg=", log_level_name(level));
	put_quoted(line, message);
}

/* A field that has no room for its key and the mark of a cut value is left out. */
static void put_field(struct line *line, const struct log_field *field)
{
	size_t before = line->length;

	put(line, " ", 1);
	put(line, field->key, strlen(field->key));
	put(line, "=", 1);
	if (line->length + 2 * strlen("...\"") > TEXT_BYTES)
		line->length = before;
	else if (field->text)
		put_text(line, field->text);
	else
		put_format(line, "%" PRId64, field->number);
}

static void write_line(struct line *line)
{
	size_t done = 0;

	line->text[line->length++] = '\n';
	while (done < line->length) {
		ssize_t written = write(STDERR_FILENO, line->text + done, line->length - done);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return;
		done += (size_t)written;
	}
}

/* Whether the site may write now; puts how many lines it did not write in the window that has just
 * ended. */
static bool may_write(struct log_site *site, uint32_t *ret_suppressed)
{
	int64_t now_ms = ticker_now_ms();
	bool is_new = !site->written || now_ms < site->window_start_ms ||
		      now_ms - site->window_start_ms >= LOG_WINDOW_MS;

	*ret_suppressed = 0;
	if (is_new) {
		*ret_suppressed = site->suppressed;
		*site = (struct log_site){.window_start_ms = now_ms};
	} else if (site->written >= LOG_BURST) {
		if (site->suppressed < UINT32_MAX)
			site->suppressed++;
		return false;
	}
	site->written++;
	return true;
}

void log_write(enum log_level level, struct log_site *site, const char *message,
	const struct log_field *fields, unsigned count)
{
	struct line line = {.length = 0};
	int saved_errno = errno;
	uint32_t suppressed;

	if (!may_write(site, &suppressed))
		return;
	put_head(&line, level, message);
	for (unsigned i = 0; i < count; i++)
		put_field(&line, &fields[i]);
	if (suppressed)
		put_field(&line, &LOG_NUMBER("suppressed", suppressed));
	write_line(&line);
	errno = saved_errno; /* so that LOG may stand between a call and the look at its errno */
}
