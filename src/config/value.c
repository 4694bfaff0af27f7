#include "config/value.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "config/keys.h"
#include "config/settings.h"
#include "config/where.h"

enum {
	MS_PER_S = 1000,
	/* Fractions are exact to a millionth; an hour's millionth is 3.6 ms. */
	FRACTION_SCALE = 1000000,
	QUOTED_BYTES = 100,
	FIRST_PRINTABLE = 0x20,
	DELETE_BYTE = 0x7f
};

struct suffix {
	const char *text;
	int64_t factor;
};

static const struct suffix time_suffixes[] = {{"", MS_PER_S}, {"ms", 1}, {"s", MS_PER_S},
	{"m", INT64_C(60) * MS_PER_S}, {"h", INT64_C(60) * 60 * MS_PER_S}, {0}};
static const struct suffix size_suffixes[] = {{"", 1}, {"b", 1}, {"k", INT64_C(1) << 10},
	{"kib", INT64_C(1) << 10}, {"m", INT64_C(1) << 20}, {"mib", INT64_C(1) << 20},
	{"g", INT64_C(1) << 30}, {"gib", INT64_C(1) << 30}, {0}};
static const struct suffix no_suffixes[] = {{"", 1}, {0}};

enum number_result { NUMBER_FINE, NUMBER_WRONG, NUMBER_TOO_SMALL, NUMBER_TOO_LARGE };

char *value_quote(const char *text)
{
	size_t length = strlen(text);
	char *copy = length > QUOTED_BYTES ? mem_printf("\"%.*s...\"", QUOTED_BYTES, text)
					   : mem_printf("\"%s\"", text);

	for (char *at = copy; *at; at++) {
		if ((unsigned char)*at < FIRST_PRINTABLE || *at == DELETE_BYTE)
			*at = '?';
	}
	return copy;
}

/* Reads the digits at *text; false: too large. */
static bool read_whole(const char **text, int64_t *ret_whole)
{
	int64_t whole = 0;
	bool fits = true;

	for (; isdigit((unsigned char)**text); ++*text) {
		if (__builtin_mul_overflow(whole, 10, &whole) ||
			__builtin_add_overflow(whole, **text - '0', &whole))
			fits = false;
	}
	*ret_whole = whole;
	return fits;
}

/* Reads the digits after the point in units of 1/FRACTION_SCALE; further digits only say whether
 * there is anything at all. */
static int64_t read_fraction(const char **text, bool *is_some)
{
	int64_t fraction = 0;
	int64_t unit = FRACTION_SCALE / 10;

	for (; isdigit((unsigned char)**text); ++*text) {
		fraction += (**text - '0') * unit;
		unit /= 10;
		if (**text != '0')
			*is_some = true;
	}
	return fraction;
}

static enum number_result read_number(const char *text, const struct suffix *suffixes,
	bool may_have_fraction, int64_t *ret_number)
{
	int64_t whole, number, fraction = 0;
	bool fits, is_some;

	if (!isdigit((unsigned char)*text))
		return NUMBER_WRONG;
	fits = read_whole(&text, &whole);
	is_some = whole != 0;
	if (*text == '.' && may_have_fraction) {
		text++;
		if (!isdigit((unsigned char)*text))
			return NUMBER_WRONG;
		fraction = read_fraction(&text, &is_some);
	}
	while (suffixes->text && strcasecmp(suffixes->text, text) != 0)
		suffixes++;
	if (!suffixes->text)
		return NUMBER_WRONG;
	fraction = (fraction * suffixes->factor + FRACTION_SCALE / 2) / FRACTION_SCALE;
	if (!fits || __builtin_mul_overflow(whole, suffixes->factor, &number) ||
		__builtin_add_overflow(number, fraction, &number))
		return NUMBER_TOO_LARGE;
	if (number == 0 && is_some)
		return NUMBER_TOO_SMALL; /* must not become "no limit" */
	*ret_number = number;
	return NUMBER_FINE;
}

bool value_read_duration(const char *text, int64_t *ret_ms)
{
	return read_number(text, time_suffixes, true, ret_ms) == NUMBER_FINE;
}

char *value_print_number(const struct key *key, int64_t number)
{
	static const char letters[] = "kmg";
	char suffix[2] = "";
	char *text;

	if (key->type == KEY_DURATION) {
		text = mem_printf("%" PRId64 ".%03d", number / MS_PER_S, (int)(number % MS_PER_S));
		for (char *end = text + strlen(text) - 1; *end == '0' || *end == '.'; end--) {
			bool is_point = *end == '.';

			*end = '\0';
			if (is_point)
				break;
		}
		return text;
	}
	if (key->type == KEY_SIZE) {
		for (unsigned i = 0; letters[i] && number && number % 1024 == 0; i++) {
			number /= 1024;
			suffix[0] = letters[i];
		}
	}
	return mem_printf("%" PRId64 "%s", number, suffix);
}

static char *describe_range(const struct key *key)
{
	char *minimum = value_print_number(key, key->minimum);
	char *maximum = value_print_number(key, key->maximum);
	char *text = mem_printf("out of range: %s%s to %s%s%s",
		key->zero_is_no_limit ? "0 (no limit) or " : "", minimum, maximum,
		*key_unit(key) ? " " : "", key_unit(key));

	free(minimum);
	free(maximum);
	return text;
}

static const char *describe_number(const struct key *key)
{
	switch (key->type) {
	case KEY_DURATION:
		return "a duration (seconds, fractions allowed, or with ms, s, m or h)";
	case KEY_SIZE:
		return "a size (bytes, or with k, m or g)";
	case KEY_COUNT:
	case KEY_TEXT:
	case KEY_CHOICE:
	case KEY_URL:
	case KEY_ADDRESSES:
	case KEY_WORDS:
		break;
	}
	return "a whole number";
}

static bool parse_number(const struct key *key, const char *text, int64_t *field, char **ret_error)
{
	const struct suffix *suffixes = key->type == KEY_DURATION ? time_suffixes
					: key->type == KEY_SIZE	  ? size_suffixes
								  : no_suffixes;
	int64_t number = 0;
	enum number_result result = read_number(text, suffixes, key->type == KEY_DURATION, &number);

	if (result == NUMBER_WRONG) {
		char *quoted = value_quote(text);

		*ret_error = mem_printf("%s is not %s", quoted, describe_number(key));
		free(quoted);
		return false;
	}
	if (result != NUMBER_FINE || number > key->maximum ||
		(number < key->minimum && !(number == 0 && key->zero_is_no_limit))) {
		*ret_error = describe_range(key);
		return false;
	}
	*field = number;
	return true;
}

static bool parse_choice(const struct key *key, const char *text, int *field, char **ret_error)
{
	char *quoted, *permitted;

	for (int i = 0; key->choices[i]; i++) {
		if (strcmp(text, key->choices[i]) == 0) {
			*field = key->choice_first + i;
			return true;
		}
	}
	permitted = mem_strdup(key->choices[0]);
	for (int i = 1; key->choices[i]; i++) {
		char *longer = mem_printf("%s, %s", permitted, key->choices[i]);

		free(permitted);
		permitted = longer;
	}
	quoted = value_quote(text);
	*ret_error = mem_printf("%s is not one of: %s", quoted, permitted);
	free(quoted);
	free(permitted);
	return false;
}

/* Says what is wrong with `text`: `reason` is static. */
static bool refuse(const char *text, const char *reason, char **ret_error)
{
	char *quoted = value_quote(text);

	*ret_error = mem_printf("%s: %s", quoted, reason);
	free(quoted);
	return false;
}

static bool parse_url(const char *text, struct settings *settings, char **ret_error)
{
	const char *reason = NULL;
	char *host;
	uint16_t port;
	bool is_tls;

	if (!where_parse_upstream(text, &host, &port, &is_tls, &reason))
		return refuse(text, reason, ret_error);
	free(settings->upstream);
	free(settings->upstream_host);
	settings->upstream = mem_strdup(text);
	settings->upstream_host = host;
	settings->upstream_port = port;
	settings->upstream_is_tls = is_tls;
	return true;
}

void value_free_list(char **list)
{
	for (char **text = list; text && *text; text++)
		free(*text);
	free(list);
}

char **value_split(const char *text)
{
	static const char separators[] = ", \t";
	char **list = mem_zalloc(sizeof(*list));
	size_t count = 0;

	for (text += strspn(text, separators); *text; text += strspn(text, separators)) {
		size_t length = strcspn(text, separators);

		list = mem_grow_array(list, count + 2, sizeof(*list));
		list[count++] = mem_strndup(text, length);
		list[count] = NULL;
		text += length;
	}
	return list;
}

static bool parse_addresses(
	const struct key *key, const char *text, char ***field, char **ret_error)
{
	char **list = value_split(text);
	const char *reason = NULL;

	for (char **address = list; *address; address++) {
		if (!where_check_listen(*address, &reason)) {
			refuse(*address, reason, ret_error);
			value_free_list(list);
			return false;
		}
	}
	if (!*list && !key->may_be_empty) {
		value_free_list(list);
		*ret_error = mem_strdup("no address: write ADDR:PORT");
		return false;
	}
	value_free_list(*field);
	*field = list;
	return true;
}

bool value_parse(
	const struct key *key, const char *text, struct settings *settings, char **ret_error)
{
	void *field = (char *)settings + key->offset;

	switch (key->type) {
	case KEY_DURATION:
	case KEY_SIZE:
	case KEY_COUNT:
		return parse_number(key, text, field, ret_error);
	case KEY_TEXT:
		free(*(char **)field);
		*(char **)field = mem_strdup(text);
		return true;
	case KEY_CHOICE:
		return parse_choice(key, text, field, ret_error);
	case KEY_URL:
		return parse_url(text, settings, ret_error);
	case KEY_ADDRESSES:
		return parse_addresses(key, text, field, ret_error);
	case KEY_WORDS:
		value_free_list(*(char ***)field);
		*(char ***)field = value_split(text);
		return true;
	}
	return false;
}

static char *print_list(char *const *list)
{
	char *text = mem_strdup("");

	for (; list && *list; list++) {
		char *longer = mem_printf("%s%s%s", text, *text ? "," : "", *list);

		free(text);
		text = longer;
	}
	return text;
}

char *value_print(const struct key *key, const struct settings *settings)
{
	const void *field = (const char *)settings + key->offset;

	switch (key->type) {
	case KEY_DURATION:
	case KEY_SIZE:
	case KEY_COUNT:
		return value_print_number(key, *(const int64_t *)field);
	case KEY_CHOICE:
		return mem_strdup(key->choices[*(const int *)field - key->choice_first]);
	case KEY_ADDRESSES:
	case KEY_WORDS:
		return print_list(*(char *const *const *)field);
	case KEY_TEXT:
	case KEY_URL:
		break;
	}
	return mem_strdup(*(char *const *)field);
}
