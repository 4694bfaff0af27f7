#include "json/writer.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "json/utf8.h"

enum {
	/* A log line without growing. */
	FIRST_CAPACITY = 2048,
	/* One bit each; our own texts nest 6 deep. */
	DEPTH_MAX = 64,
	/* More digits after the point than a double has mean nothing. */
	DECIMALS_MAX = 17,
	/* DBL_MAX has 309 digits before the point. */
	FIXED_SIZE = 310 + DECIMALS_MAX + 3,
	/* INT64_MIN with its sign. */
	INT_SIZE = 20,
	DECIMAL = 10,
	/* \u001F, what a byte becomes at the longest. */
	ESCAPED_MAX = 6,
	/* Comma, quote, quote, colon. */
	EDGES_MOST = 4,
	/* Decimals up to which a number is written without printf. */
	QUICK_DECIMALS = 3,
};

/* Below it a product of doubles is off by less than TIE_MARGIN. */
#define QUICK_MOST 1e9
#define TIE_MARGIN 1e-6
#define EACH_BYTE UINT64_C(0x0101010101010101)

struct json_writer {
	char *text;
	size_t length;
	size_t capacity;
	unsigned depth;
	uint64_t arrays; /* bit n: what is open at depth n + 1 is an array */
	bool needs_comma;
};

struct json_writer *json_writer_create(void)
{
	return mem_zalloc(sizeof(struct json_writer));
}

void json_writer_destroy(struct json_writer *writer)
{
	if (!writer)
		return;
	free(writer->text);
	free(writer);
}

void json_writer_reset(struct json_writer *writer)
{
	writer->length = 0;
	writer->depth = 0;
	writer->needs_comma = false;
}

static void grow(struct json_writer *writer, size_t needed)
{
	if (writer->capacity == 0)
		writer->capacity = FIRST_CAPACITY;
	while (writer->capacity < needed) {
		if (__builtin_mul_overflow(writer->capacity, 2, &writer->capacity))
			mem_out(needed);
	}
	writer->text = mem_grow_array(writer->text, writer->capacity, 1);
}

/* Room for `bytes` more and the NUL. */
static inline char *reserve(struct json_writer *writer, size_t bytes)
{
	size_t needed;

	if (__builtin_add_overflow(writer->length + 1, bytes, &needed))
		mem_out(bytes);
	if (needed > writer->capacity)
		grow(writer, needed);
	return writer->text + writer->length;
}

static void put_bytes(struct json_writer *writer, const char *bytes, size_t length)
{
	memcpy(reserve(writer, length), bytes, length);
	writer->length += length;
}

/* What stands for the byte in a string; 0: itself. */
static size_t escape(unsigned char byte, char *ret_text)
{
	static const char digits[] = "0123456789ABCDEF";
	static const char begin[] = {'\\', 'u', '0', '0'};
	static const char letters[] = "btn\0fr"; /* from \b on; \v has none */

	if (byte == '"' || byte == '\\' || (byte >= '\b' && byte <= '\r' && letters[byte - '\b'])) {
		ret_text[0] = '\\';
		ret_text[1] = byte >= ' ' ? (char)byte : letters[byte - '\b'];
		return 2;
	}
	if (byte >= ' ')
		return 0;
	memcpy(ret_text, begin, sizeof(begin));
	ret_text[4] = digits[byte >> 4];
	ret_text[5] = digits[byte & 0xf];
	return ESCAPED_MAX;
}

static bool is_plain(unsigned char byte)
{
	return byte >= ' ' && byte < 0x80 && byte != '"' && byte != '\\';
}

/* All of the eight bytes are plain. A borrow can only make it say no, and then each is looked at.
 */
static bool are_plain(const char *text)
{
	uint64_t word;

	memcpy(&word, text, sizeof(word));
	return !((word | (word - EACH_BYTE * ' ') | ((word ^ EACH_BYTE * '"') - EACH_BYTE) |
			 ((word ^ EACH_BYTE * '\\') - EACH_BYTE)) &
		 EACH_BYTE * 0x80);
}

/* Plain bytes at the beginning. */
static size_t plain_length(const char *text, size_t length)
{
	size_t at = 0;

	while (length - at >= sizeof(uint64_t) && are_plain(text + at))
		at += sizeof(uint64_t);
	/* the last eight, some of them for the second time */
	if (at > 0 && length - at < sizeof(uint64_t) && are_plain(text + length - sizeof(uint64_t)))
		return length;
	while (at < length && is_plain((unsigned char)text[at]))
		at++;
	return at;
}

/* One character, or one byte that is none: U+FFFD for it. Returns how much of the text it was. */
static size_t put_character(struct json_writer *writer, const char *text, size_t length)
{
	char *out = reserve(writer, ESCAPED_MAX);
	size_t escaped = escape((unsigned char)text[0], out);
	size_t bytes = escaped ? 1 : utf8_character(text, length);

	if (!escaped && bytes) {
		memcpy(out, text, bytes);
		escaped = bytes;
	} else if (!escaped) {
		escaped = utf8_encode_bmp(UTF8_REPLACEMENT, out);
		bytes = 1;
	}
	writer->length += escaped;
	return bytes;
}

/* With an escape, a byte that is no UTF-8, or any other that is not plain. */
static void put_unplain(struct json_writer *writer, const char *text, size_t length)
{
	while (length > 0) {
		size_t plain = plain_length(text, length);

		put_bytes(writer, text, plain);
		text += plain;
		length -= plain;
		if (length == 0)
			break;
		plain = put_character(writer, text, length);
		text += plain;
		length -= plain;
	}
}

/* The text in quotes with a byte before and behind, 0: none. One look for room: a log line has some
 * seventy of these. */
static void put_quoted(
	struct json_writer *writer, char before, const char *text, size_t length, char behind)
{
	size_t plain = plain_length(text, length);
	char *out = reserve(writer, plain + EDGES_MOST);

	if (before)
		*out++ = before;
	*out++ = '"';
	memcpy(out, text, plain);
	out += plain;
	if (plain < length) {
		writer->length = (size_t)(out - writer->text);
		put_unplain(writer, text + plain, length - plain);
		out = reserve(writer, EDGES_MOST);
	}
	*out++ = '"';
	if (behind)
		*out++ = behind;
	writer->length = (size_t)(out - writer->text);
}

/* What stands before a value. A key out of place is our bug. */
static void begin_value(struct json_writer *writer, const char *key)
{
	bool is_in_object = writer->depth > 0 && !(writer->arrays >> (writer->depth - 1) & 1);
	char comma = writer->needs_comma ? ',' : 0;

	assert(is_in_object == (key != NULL));
	assert(writer->depth > 0 || writer->length == 0);
	writer->needs_comma = true;
	if (key)
		put_quoted(writer, comma, key, strlen(key), ':');
	else if (comma)
		put_bytes(writer, ",", 1);
}

static void begin_container(struct json_writer *writer, const char *key, bool is_array)
{
	begin_value(writer, key);
	assert(writer->depth < DEPTH_MAX);
	writer->arrays &= ~(UINT64_C(1) << writer->depth);
	writer->arrays |= (uint64_t)is_array << writer->depth;
	writer->depth++;
	writer->needs_comma = false;
	put_bytes(writer, is_array ? "[" : "{", 1);
}

static void end_container(struct json_writer *writer, bool is_array)
{
	assert(writer->depth > 0);
	writer->depth--;
	assert((writer->arrays >> writer->depth & 1) == is_array);
	put_bytes(writer, is_array ? "]" : "}", 1);
	writer->needs_comma = true;
}

void json_begin_object(struct json_writer *writer, const char *key)
{
	begin_container(writer, key, false);
}

void json_end_object(struct json_writer *writer)
{
	end_container(writer, false);
}

void json_begin_array(struct json_writer *writer, const char *key)
{
	begin_container(writer, key, true);
}

void json_end_array(struct json_writer *writer)
{
	end_container(writer, true);
}

void json_put_string(struct json_writer *writer, const char *key, const char *value)
{
	json_put_string_n(writer, key, value, value ? strlen(value) : 0);
}

void json_put_string_n(
	struct json_writer *writer, const char *key, const char *value, size_t length)
{
	if (!value) {
		json_put_null(writer, key);
		return;
	}
	begin_value(writer, key);
	put_quoted(writer, 0, value, length, 0);
}

/* The last digits of `number`, at least `least`, end at `end`. Returns their first. */
static char *digits_before(char *end, uint64_t number, int least)
{
	for (; number > 0 || least > 0; least--) {
		*--end = (char)('0' + number % DECIMAL);
		number /= DECIMAL;
	}
	return end;
}

void json_put_int(struct json_writer *writer, const char *key, int64_t value)
{
	char text[INT_SIZE];
	char *end = text + sizeof(text);
	char *begin = digits_before(end, value < 0 ? -(uint64_t)value : (uint64_t)value, 1);

	if (value < 0)
		*--begin = '-';
	begin_value(writer, key);
	put_bytes(writer, begin, (size_t)(end - begin));
}

/* "-0.000" says no more than "0.000" and looks like a mistake. */
static bool is_negative_zero(const char *text)
{
	return text[0] == '-' && strspn(text + 1, "0.") == strlen(text + 1);
}

/*
 * What printf would write, without it: times and counts. false: not sure to be the same, since the
 * value is negative, large, or so near to the middle between two numbers that the product's own
 * rounding could tell.
 */
static bool put_quickly(struct json_writer *writer, const char *key, double value, int decimals)
{
	static const unsigned scales[] = {1, 10, 100, 1000};
	char text[INT_SIZE];
	char *end = text + sizeof(text);
	char *begin;
	double scaled, below;
	uint64_t number;

	if (decimals > QUICK_DECIMALS || signbit(value))
		return false;
	scaled = value * scales[decimals];
	if (scaled >= QUICK_MOST)
		return false;
	number = (uint64_t)scaled;
	below = scaled - (double)number;
	if (fabs(below - 0.5) < TIE_MARGIN)
		return false;
	number += below > 0.5;
	begin = digits_before(end, number % scales[decimals], decimals);
	if (decimals > 0)
		*--begin = '.';
	begin = digits_before(begin, number / scales[decimals], 1);
	begin_value(writer, key);
	put_bytes(writer, begin, (size_t)(end - begin));
	return true;
}

void json_put_fixed(struct json_writer *writer, const char *key, double value, int decimals)
{
	char text[FIXED_SIZE];
	const char *begin = text;

	if (!isfinite(value)) {
		json_put_null(writer, key);
		return;
	}
	if (decimals < 0)
		decimals = 0;
	if (decimals > DECIMALS_MAX)
		decimals = DECIMALS_MAX;
	if (put_quickly(writer, key, value, decimals))
		return;
	/* The program never calls setlocale(): the point is a point. */
	snprintf(text, sizeof(text), "%.*f", decimals, value);
	if (is_negative_zero(text))
		begin++;
	begin_value(writer, key);
	put_bytes(writer, begin, strlen(begin));
}

void json_put_bool(struct json_writer *writer, const char *key, bool value)
{
	begin_value(writer, key);
	put_bytes(writer, value ? "true" : "false", value ? 4 : 5);
}

void json_put_null(struct json_writer *writer, const char *key)
{
	begin_value(writer, key);
	put_bytes(writer, "null", 4);
}

const char *json_writer_get(const struct json_writer *writer, size_t *ret_length)
{
	if (ret_length)
		*ret_length = writer->length;
	/* there is no buffer before the first byte */
	if (!writer->text)
		return "";
	writer->text[writer->length] = '\0';
	return writer->text;
}
