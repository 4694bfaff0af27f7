#include "json/duration.h"

#include <ctype.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

#define NANOSECONDS_PER_SECOND 1e9
/* Go's durations are of 63 bits. */
#define NANOSECONDS_MOST 9223372036854775807.0

/* Go's units in nanoseconds; of two that begin alike the longer stands first. */
static const struct {
	const char *name;
	double nanoseconds;
} units[] = {
	{"ns", 1},
	{"us", 1e3},
	{"\xc2\xb5s", 1e3}, /* micro sign */
	{"\xce\xbcs", 1e3}, /* Greek mu */
	{"ms", 1e6},
	{"s", 1e9},
	{"m", 60e9},
	{"h", 3600e9},
};

bool duration_number_is_zero(const char *number)
{
	double seconds = strtod(number, NULL);

	return seconds >= 0 && seconds * NANOSECONDS_PER_SECOND < 1;
}

/* Digits with at most one point, at least one digit; NULL: not there. */
static const char *skip_decimal(const char *text)
{
	size_t whole = strspn(text, "0123456789");
	size_t fraction = 0;

	text += whole;
	if (*text == '.') {
		fraction = strspn(++text, "0123456789");
		text += fraction;
	}
	return whole + fraction > 0 ? text : NULL;
}

static const char *skip_unit(const char *text, double *ret_nanoseconds)
{
	for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
		size_t length = strlen(units[i].name);

		/* A unit ends where the next number begins. */
		if (strncmp(text, units[i].name, length) == 0 &&
			(text[length] == '\0' || text[length] == '.' ||
				isdigit((unsigned char)text[length]))) {
			*ret_nanoseconds = units[i].nanoseconds;
			return text + length;
		}
	}
	return NULL;
}

/* The sum of its parts without its sign. false: Go would not take it. */
static bool read_text(const char *text, double *ret_nanoseconds)
{
	double total = 0;

	if (*text == '-' || *text == '+')
		text++;
	if (*text == '\0')
		return false;
	if (strcmp(text, "0") == 0) {
		*ret_nanoseconds = 0;
		return true;
	}
	while (*text) {
		const char *unit = skip_decimal(text);
		double value;
		double nanoseconds;

		if (!unit)
			return false;
		value = strtod(text, NULL);
		text = skip_unit(unit, &nanoseconds);
		if (!text)
			return false;
		/* Go cuts each part to whole nanoseconds. */
		if (value * nanoseconds >= 1)
			total += value * nanoseconds;
	}
	if (total >= NANOSECONDS_MOST)
		return false;
	*ret_nanoseconds = total;
	return true;
}

bool duration_text_is_valid(const char *text)
{
	double nanoseconds;

	return read_text(text, &nanoseconds);
}

bool duration_text_is_zero(const char *text)
{
	double nanoseconds;

	/* The sign does not matter: "-0s" is zero too. */
	return read_text(text, &nanoseconds) && nanoseconds < 1;
}

bool duration_read(const char *text, bool is_string, double *ret_seconds)
{
	double nanoseconds;
	char *end;

	if (is_string) {
		if (!read_text(text, &nanoseconds))
			return false;
	} else {
		nanoseconds = fabs(strtod(text, &end)) * NANOSECONDS_PER_SECOND;
		if (end == text || *end)
			return false;
	}
	*ret_seconds =
		*text == '-' && nanoseconds >= 1 ? INFINITY : nanoseconds / NANOSECONDS_PER_SECOND;
	return true;
}
