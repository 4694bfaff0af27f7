#include "core/trace.h"

#include <string.h>

enum {
	VERSION_AT = 0,
	TRACE_AT = 3,
	PARENT_AT = 36,
	FLAGS_AT = 53,
	VERSION_DIGITS = 2,
	TRACE_DIGITS = 32,
	PARENT_DIGITS = 16,
	FLAGS_DIGITS = 2,
	LENGTH = TRACE_PARENT_BYTES - 1,
};

static bool is_hex(const char *text, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!(text[i] >= '0' && text[i] <= '9') && !(text[i] >= 'a' && text[i] <= 'f'))
			return false;
	}
	return true;
}

static bool is_zero(const char *text, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (text[i] != '0')
			return false;
	}
	return true;
}

bool trace_is_sound(const char *value, size_t length)
{
	if (length < LENGTH || !is_hex(value + VERSION_AT, VERSION_DIGITS) ||
		strncmp(value, "ff", VERSION_DIGITS) == 0)
		return false;
	/* Only a later version may have more. */
	if (length > LENGTH && (is_zero(value, VERSION_DIGITS) || value[LENGTH] != '-'))
		return false;
	return value[TRACE_AT - 1] == '-' && is_hex(value + TRACE_AT, TRACE_DIGITS) &&
	       !is_zero(value + TRACE_AT, TRACE_DIGITS) && value[PARENT_AT - 1] == '-' &&
	       is_hex(value + PARENT_AT, PARENT_DIGITS) &&
	       !is_zero(value + PARENT_AT, PARENT_DIGITS) && value[FLAGS_AT - 1] == '-' &&
	       is_hex(value + FLAGS_AT, FLAGS_DIGITS);
}

void trace_start(
	const unsigned char random[TRACE_RANDOM_BYTES], char ret_parent[TRACE_PARENT_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	static const char shape[] = "00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-01";
	size_t used = 0;

	for (size_t i = 0; i < sizeof(shape); i++) {
		unsigned char byte;

		ret_parent[i] = shape[i];
		if (shape[i] != 'x')
			continue;
		byte = random[used / 2];
		/* Neither id may be zero. */
		if (used / 2 == 0 || used / 2 == TRACE_RANDOM_BYTES - 1)
			byte |= 1;
		ret_parent[i] = digits[used % 2 ? byte & 0x0f : byte >> 4];
		used++;
	}
}
