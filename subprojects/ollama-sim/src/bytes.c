#include "bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Smallest allocation: holds a usual NDJSON line. */
#define FIRST_CAPACITY 512

void bytes_finish(struct bytes *bytes)
{
	free(bytes->data);
	memset(bytes, 0, sizeof(*bytes));
}

void bytes_consume(struct bytes *bytes, size_t length)
{
	bytes->start += length;
	if (bytes->start == bytes->end)
		bytes->start = bytes->end = 0;
}

void bytes_shrink(struct bytes *bytes, size_t keep_bytes)
{
	if (bytes_length(bytes) == 0 && bytes->capacity > keep_bytes)
		bytes_finish(bytes);
}

char *bytes_reserve(struct bytes *bytes, size_t length)
{
	size_t wanted = bytes->end + length;

	if (wanted <= bytes->capacity)
		return bytes->data + bytes->end;
	if (bytes->start > 0 && bytes->start >= bytes_length(bytes)) {
		memmove(bytes->data, bytes->data + bytes->start, bytes_length(bytes));
		bytes->end -= bytes->start;
		bytes->start = 0;
		return bytes_reserve(bytes, length);
	}
	size_t capacity = bytes->capacity == 0 ? FIRST_CAPACITY : bytes->capacity;
	while (capacity < wanted)
		capacity *= 2;
	bytes->data = mem_grow_array(bytes->data, capacity, 1);
	bytes->capacity = capacity;
	return bytes->data + bytes->end;
}

void bytes_add(struct bytes *bytes, const void *data, size_t length)
{
	if (length == 0)
		return;
	memcpy(bytes_reserve(bytes, length), data, length);
	bytes->end += length;
}

void bytes_adds(struct bytes *bytes, const char *text)
{
	bytes_add(bytes, text, strlen(text));
}

void bytes_addf(struct bytes *bytes, const char *format, ...)
{
	char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	int length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0)
		abort();
	bytes_add(bytes, text, (size_t)length);
	free(text);
}

void bytes_add_int(struct bytes *bytes, int64_t number)
{
	char digits[24]; /* 19 digits, a sign, and some air */
	size_t at = sizeof(digits);
	uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

	do {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest != 0);
	if (number < 0)
		digits[--at] = '-';
	bytes_add(bytes, digits + at, sizeof(digits) - at);
}

void bytes_add_hex(struct bytes *bytes, uint64_t number)
{
	char digits[16]; /* of 64 bits */
	size_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[number & 0xf];
		number >>= 4;
	} while (number != 0);
	bytes_add(bytes, digits + at, sizeof(digits) - at);
}

static const char *short_escape(unsigned char byte)
{
	switch (byte) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	case '\b':
		return "\\b";
	case '\f':
		return "\\f";
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\t':
		return "\\t";
	default:
		return NULL;
	}
}

void bytes_add_escaped(struct bytes *bytes, const char *text, size_t length)
{
	size_t from = 0;

	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)text[i];
		const char *escape = short_escape(byte);
		size_t skip = 1;
		char code[8]; /* \u00xx and a NUL */

		if (escape == NULL && (byte < ' ' || byte == '<' || byte == '>' || byte == '&')) {
			snprintf(code, sizeof(code), "\\u%04x", byte);
			escape = code;
		} else if (byte == 0xe2 && length - i > 2 && (unsigned char)text[i + 1] == 0x80 &&
			   ((unsigned char)text[i + 2] & 0xfe) == 0xa8) {
			/* U+2028 and U+2029 */
			escape = (unsigned char)text[i + 2] == 0xa8 ? "\\u2028" : "\\u2029";
			skip = 3;
		}
		if (escape == NULL)
			continue;
		bytes_add(bytes, text + from, i - from);
		bytes_adds(bytes, escape);
		i += skip - 1;
		from = i + 1;
	}
	bytes_add(bytes, text + from, length - from);
}

void bytes_add_string(struct bytes *bytes, const char *text)
{
	if (text == NULL) {
		bytes_adds(bytes, "null");
		return;
	}
	bytes_add(bytes, "\"", 1);
	bytes_add_escaped(bytes, text, strlen(text));
	bytes_add(bytes, "\"", 1);
}

const char *bytes_text(struct bytes *bytes)
{
	*bytes_reserve(bytes, 1) = '\0';
	return bytes_at(bytes);
}
