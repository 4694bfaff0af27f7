#include "core/announced.h"

#include <string.h>
#include <strings.h>

#include "base/compiler.h"
#include "http/fields.h"

enum {
	US_PER_MS = 1000,
	US_PER_S = 1000 * 1000,
	DECIMAL = 10,
	/* openai-* and anthropic-* make three tries (FACTS-clients). */
	LAST_RETRY = 2,
	/* Digits of a whole part; a day has five in seconds, eight in milliseconds. */
	DIGITS_MOST = 9,
};

#define US_PER_DAY (INT64_C(24) * 60 * 60 * US_PER_S)

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

/* 0: not a unit. */
static int64_t unit_us(const char *text, size_t length)
{
	static const struct {
		const char *name;
		int64_t us;
	} units[] = {
		{"", US_PER_S},
		{"s", US_PER_S},
		{"ms", US_PER_MS},
		{"m", INT64_C(60) * US_PER_S},
		{"h", INT64_C(3600) * US_PER_S},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
		if (strlen(units[i].name) == length &&
			strncasecmp(units[i].name, text, length) == 0)
			return units[i].us;
	}
	return 0;
}

bool announced_parse(const char *text, size_t length, int64_t *ret_us)
{
	int64_t whole = 0;
	double fraction = 0;
	double weight = 1;
	size_t at = 0;
	int64_t unit;
	double us;

	for (; at < length && is_digit(text[at]); at++) {
		if (at == DIGITS_MOST)
			return false;
		whole = whole * DECIMAL + (text[at] - '0');
	}
	if (at == 0)
		return false;
	if (at < length && text[at] == '.') {
		for (at++; at < length && is_digit(text[at]); at++) {
			weight /= DECIMAL;
			fraction += weight * (text[at] - '0');
		}
	}
	unit = unit_us(text + at, length - at);
	us = ((double)whole + fraction) * (double)unit;
	if (us < 1 || us > (double)US_PER_DAY)
		return false;
	*ret_us = (int64_t)us;
	return true;
}

/* No retry will follow. */
static bool is_last_try(const struct fields *fields)
{
	const struct field *field = fields_find(fields, "X-Stainless-Retry-Count");

	if (!field || field->value_length == 0)
		return false;
	for (size_t i = 0; i < field->value_length; i++) {
		if (!is_digit(field->value[i]))
			return false;
	}
	return field->value_length > 1 || field->value[0] - '0' >= LAST_RETRY;
}

int64_t announced_patience_us(const struct fields *fields)
{
	static const char *const names[] = {
		"X-Request-Timeout", "X-Stainless-Read-Timeout", "X-Stainless-Timeout"};
	int64_t us;

	if (is_last_try(fields))
		return 0;
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		const struct field *field = fields_find(fields, names[i]);

		if (field && announced_parse(field->value, field->value_length, &us))
			return us;
	}
	return 0;
}
