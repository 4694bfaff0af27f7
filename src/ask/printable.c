#include "ask/printable.h"

#include <langinfo.h>
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "json/utf8.h"

/* Of one character: itself, or an escape such as \U0010ffff. */
enum { CHARACTER_BYTES = 12 };

/* They have no width and turn or break the line: marks, embeddings, overrides, isolates. */
static bool steers(unsigned code)
{
	static const unsigned ranges[][2] = {{0x061c, 0x061c}, {0x200b, 0x200f}, {0x2028, 0x202e},
		{0x2066, 0x2069}, {0xfeff, 0xfeff}};

	for (size_t i = 0; i < ARRAY_LENGTH(ranges); i++) {
		if (code >= ranges[i][0] && code <= ranges[i][1])
			return true;
	}
	return false;
}

/* `length` is 1 to 4, the bytes of a valid character. */
static unsigned decode(const char *text, size_t length)
{
	static const unsigned first_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	enum { MORE_BITS = 6, MORE_MASK = 0x3f };
	unsigned code = (unsigned char)text[0] & first_mask[length];

	for (size_t i = 1; i < length; i++)
		code = code << MORE_BITS | ((unsigned char)text[i] & MORE_MASK);
	return code;
}

bool printable_set_locale(void)
{
	setlocale(LC_CTYPE, "");
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

/* Writes one character of `length` bytes, 0: a byte that is none. */
static int put(char out[CHARACTER_BYTES], const char *at, size_t length, bool utf8)
{
	enum { SPACE = 0x20, DELETE = 0x7f, C1_END = 0x9f, BMP_END = 0xffff };
	unsigned code = length ? decode(at, length) : (unsigned char)*at;

	if (length == 0 || code < SPACE || code == DELETE)
		return snprintf(out, CHARACTER_BYTES, "\\x%02x", code);
	if (code < DELETE)
		return snprintf(out, CHARACTER_BYTES, "%c", (char)code);
	if (code <= C1_END || steers(code))
		return snprintf(out, CHARACTER_BYTES, "\\u%04x", code);
	if (!utf8)
		return snprintf(out, CHARACTER_BYTES, "?");
	if (wcwidth((wchar_t)code) < 0)
		return snprintf(out, CHARACTER_BYTES, code > BMP_END ? "\\U%08x" : "\\u%04x", code);
	return snprintf(out, CHARACTER_BYTES, "%.*s", (int)length, at);
}

char *printable_text(const char *text, bool utf8)
{
	size_t left = strlen(text);
	char *out = mem_zalloc_array(left + 1, CHARACTER_BYTES);
	size_t used = 0;

	while (left > 0) {
		size_t length = utf8_character(text, left);
		size_t step = length ? length : 1;

		used += (size_t)put(out + used, text, length, utf8);
		text += step;
		left -= step;
	}
	return out;
}

static size_t columns_of(const char *text, size_t length, bool utf8)
{
	int columns = utf8 && length > 1 ? wcwidth((wchar_t)decode(text, length)) : 1;

	return columns > 0 ? (size_t)columns : 0;
}

size_t printable_fit(const char *text, size_t columns, bool utf8, size_t *ret_columns)
{
	size_t left = strlen(text);
	size_t bytes = 0;

	*ret_columns = 0;
	while (left > 0) {
		size_t length = utf8_character(text + bytes, left);
		size_t step = length ? length : 1;
		size_t wide = columns_of(text + bytes, step, utf8);

		if (*ret_columns + wide > columns)
			break;
		*ret_columns += wide;
		bytes += step;
		left -= step;
	}
	return bytes;
}

size_t printable_columns(const char *text, bool utf8)
{
	size_t columns;

	printable_fit(text, SIZE_MAX, utf8, &columns);
	return columns;
}
