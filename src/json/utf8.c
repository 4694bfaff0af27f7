#include "json/utf8.h"

#include <stdbool.h>
#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

static bool is_continuation(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

size_t utf8_character(const char *text, size_t length)
{
	const unsigned char *byte = (const unsigned char *)text;

	if (byte[0] < 0x80)
		return 1;
	/* 0x80 to 0xc1: a continuation without a start, or an overlong form of ASCII */
	if (byte[0] < 0xc2 || byte[0] > 0xf4 || length < 2 || !is_continuation(byte[1]))
		return 0;
	if (byte[0] < 0xe0)
		return 2;
	if (length < 3 || !is_continuation(byte[2]))
		return 0;
	if (byte[0] < 0xf0) {
		bool is_overlong = byte[0] == 0xe0 && byte[1] < 0xa0;
		bool is_surrogate = byte[0] == 0xed && byte[1] >= 0xa0;

		return is_overlong || is_surrogate ? 0 : 3;
	}
	if (length < 4 || !is_continuation(byte[3]))
		return 0;
	if ((byte[0] == 0xf0 && byte[1] < 0x90) || (byte[0] == 0xf4 && byte[1] >= 0x90))
		return 0;
	return 4;
}

size_t utf8_valid_length(const char *text, size_t length)
{
	size_t at = 0;

	while (at < length) {
		uint64_t word;
		size_t bytes;

		/* Nearly all text is ASCII: eight bytes at once. */
		if (length - at >= sizeof(word)) {
			memcpy(&word, text + at, sizeof(word));
			if (!(word & HIGH_BITS)) {
				at += sizeof(word);
				continue;
			}
		}
		bytes = utf8_character(text + at, length - at);
		if (bytes == 0)
			break;
		at += bytes;
	}
	return at;
}

size_t utf8_encode_bmp(uint16_t code_point, char *ret_bytes)
{
	if (code_point < 0x80) {
		ret_bytes[0] = (char)code_point;
		return 1;
	}
	if (code_point < 0x800) {
		ret_bytes[0] = (char)(0xc0 | code_point >> 6);
		ret_bytes[1] = (char)(0x80 | (code_point & 0x3f));
		return 2;
	}
	if (code_point >= 0xd800 && code_point <= 0xdfff)
		code_point = UTF8_REPLACEMENT;
	ret_bytes[0] = (char)(0xe0 | code_point >> 12);
	ret_bytes[1] = (char)(0x80 | (code_point >> 6 & 0x3f));
	ret_bytes[2] = (char)(0x80 | (code_point & 0x3f));
	return 3;
}
