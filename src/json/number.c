#include "json/number.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "json/filter.h"

/* 2^63, the first double that an int64_t does not hold. */
#define INT64_END 9223372036854775808.0

int64_t number_parse(const char *number, size_t length)
{
	char text[FILTER_SCALAR_MAX + 1];
	double value;

	assert(length <= FILTER_SCALAR_MAX);
	memcpy(text, number, length);
	text[length] = '\0';
	if (text[strspn(text, "-0123456789")] == '\0')
		return strtoll(text, NULL, 10);
	value = strtod(text, NULL);
	if (value >= INT64_END)
		return INT64_MAX;
	return value < -INT64_END ? INT64_MIN : (int64_t)value;
}
