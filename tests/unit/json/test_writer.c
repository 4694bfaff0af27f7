#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "json/writer.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define REPLACEMENT_LENGTH 3

static int create_writer(void **state)
{
	*state = json_writer_create();
	return 0;
}

static int destroy_writer(void **state)
{
	json_writer_destroy(*state);
	return 0;
}

static void check_text(const struct json_writer *writer, const char *expected)
{
	size_t length;
	const char *text = json_writer_get(writer, &length);

	assert_string_equal(text, expected);
	assert_int_equal(length, strlen(expected));
}

static void check_string(struct json_writer *writer, const char *value, const char *expected)
{
	json_writer_reset(writer);
	json_put_string(writer, NULL, value);
	check_text(writer, expected);
}

static void check_fixed(
	struct json_writer *writer, double value, int decimals, const char *expected)
{
	json_writer_reset(writer);
	json_put_fixed(writer, NULL, value, decimals);
	check_text(writer, expected);
}

static void test_every_kind_of_value(void **state)
{
	struct json_writer *writer = *state;

	json_begin_object(writer, NULL);
	json_put_string(writer, "text", "a");
	json_put_string(writer, "nothing", NULL);
	json_put_string_n(writer, "part", "abc", 2);
	json_put_int(writer, "count", -3);
	json_put_fixed(writer, "ms", 12.5, 3);
	json_put_bool(writer, "yes", true);
	json_put_bool(writer, "no", false);
	json_put_null(writer, "null");
	json_begin_array(writer, "list");
	json_put_int(writer, NULL, INT64_MAX);
	json_put_int(writer, NULL, INT64_MIN);
	json_begin_object(writer, NULL);
	json_end_object(writer);
	json_begin_array(writer, NULL);
	json_end_array(writer);
	json_end_array(writer);
	json_end_object(writer);
	check_text(writer,
		"{\"text\":\"a\",\"nothing\":null,\"part\":\"ab\",\"count\":-3,\"ms\":12.500,"
		"\"yes\":true,\"no\":false,\"null\":null,"
		"\"list\":[9223372036854775807,-9223372036854775808,{},[]]}");
}

static void test_nothing_written_is_an_empty_text(void **state)
{
	check_text(*state, "");
	assert_string_equal(json_writer_get(*state, NULL), "");
}

static void test_quotes_backslashes_and_controls_are_escaped(void **state)
{
	check_string(*state, "a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
	check_string(*state, "\n\r\t\b\f", "\"\\n\\r\\t\\b\\f\"");
	check_string(*state, "\x01\x1f\x7f", "\"\\u0001\\u001F\x7f\"");
	json_writer_reset(*state);
	json_put_string_n(*state, NULL, "a\0b", 3);
	check_text(*state, "\"a\\u0000b\"");
}

/* Eight bytes are looked at together: each byte at each place among plain ones. */
static void test_every_byte_at_every_place(void **state)
{
	enum { PLACES = 20 };

	for (int byte = 1; byte < 0x80; byte++) {
		for (size_t at = 0; at < PLACES; at++) {
			char value[PLACES + 1];
			char expected[PLACES + 16];
			char escaped[8] = {(char)byte};
			const char *letter = memchr("\bb\tt\nn\ff\rr", byte, 10);

			memset(value, '~', PLACES);
			value[at] = (char)byte;
			value[PLACES] = '\0';
			if (byte == '"' || byte == '\\')
				snprintf(escaped, sizeof(escaped), "\\%c", byte);
			else if (byte < ' ' && letter)
				snprintf(escaped, sizeof(escaped), "\\%c", letter[1]);
			else if (byte < ' ')
				snprintf(escaped, sizeof(escaped), "\\u00%02X", (unsigned)byte);
			snprintf(expected, sizeof(expected), "\"%.*s%s%s\"", (int)at, value,
				escaped, value + at + 1);
			check_string(*state, value, expected);
		}
	}
}

static void test_keys_are_escaped_and_cleaned_too(void **state)
{
	json_begin_object(*state, NULL);
	json_put_int(*state, "a\"\n\xff", 1);
	json_end_object(*state);
	check_text(*state, "{\"a\\\"\\n" REPLACEMENT "\":1}");
}

static void test_utf8_passes(void **state)
{
	check_string(*state, "ä€𝄞", "\"ä€𝄞\"");
	/* the first and last of each length */
	check_string(*state, "\xc2\x80\xdf\xbf", "\"\xc2\x80\xdf\xbf\"");
	check_string(*state, "\xe0\xa0\x80\xef\xbf\xbf", "\"\xe0\xa0\x80\xef\xbf\xbf\"");
	check_string(*state, "\xed\x9f\xbf\xee\x80\x80", "\"\xed\x9f\xbf\xee\x80\x80\"");
	check_string(
		*state, "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"");
}

static void test_bytes_that_are_not_utf8_become_replacement_characters(void **state)
{
	static const char *const bad[] = {
		"\x80",		    /* continuation alone */
		"\xc0\xaf",	    /* overlong / */
		"\xc1\xbf",	    /* overlong */
		"\xe0\x9f\xbf",	    /* overlong */
		"\xed\xa0\x80",	    /* surrogate */
		"\xf0\x8f\xbf\xbf", /* overlong */
		"\xf4\x90\x80\x80", /* above U+10FFFF */
		"\xf5\x80",	    /* never a start */
		"\xff", "\xe2\x82", /* cut */
		"\xf0\x9d\x84",	    /* cut */
	};

	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
		char value[32];
		char expected[64] = "\"a";

		snprintf(value, sizeof(value), "a%sz", bad[i]);
		for (size_t byte = 0; byte < strlen(bad[i]); byte++)
			strcat(expected, REPLACEMENT);
		strcat(expected, "z\"");
		check_string(*state, value, expected);
	}
}

static void test_long_bad_text_is_cleaned_whole(void **state)
{
	enum { LENGTH = 10000 };
	char *value = malloc(LENGTH + 1);
	size_t length;
	const char *text;

	memset(value, 0xff, LENGTH);
	value[LENGTH] = '\0';
	json_put_string(*state, NULL, value);
	text = json_writer_get(*state, &length);
	assert_int_equal(length, LENGTH * REPLACEMENT_LENGTH + 2);
	for (size_t i = 0; i < LENGTH; i++)
		assert_memory_equal(
			text + 1 + i * REPLACEMENT_LENGTH, REPLACEMENT, REPLACEMENT_LENGTH);
	free(value);
}

static void test_fixed_decimals(void **state)
{
	check_fixed(*state, 0, 3, "0.000");
	check_fixed(*state, 12.5, 3, "12.500");
	check_fixed(*state, -12.3456, 3, "-12.346");
	check_fixed(*state, -12.5, 0, "-12");
	check_fixed(*state, 3, -1, "3");
	check_fixed(*state, 1e15 + 0.25, 2, "1000000000000000.25");
	check_fixed(*state, 0.1, 99, "0.10000000000000001");
}

/* Not by printf where they are small: both ways must agree, whatever the digits. */
static void test_decimals_are_those_of_printf(void **state)
{
	enum { ROUNDS = 200000 };
	uint64_t random = 1;
	char expected[64];

	for (int i = 0; i < ROUNDS; i++) {
		int decimals = i % 5;
		double value;

		random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		/* whole, half, quarter and other parts, from 0 to beyond what is done quickly */
		value = (double)(random >> (20 + i % 44)) / (double)(i % 3 ? 1 << i % 12 : 1000000);
		snprintf(expected, sizeof(expected), "%.*f", decimals, value);
		check_fixed(*state, value, decimals, expected);
	}
	check_fixed(*state, 0.0005, 3, "0.001");
	check_fixed(*state, 0.0625, 3, "0.062");
	check_fixed(*state, 0.1875, 3, "0.188");
	check_fixed(*state, 999999.9996, 3, "1000000.000");
	check_fixed(*state, 0.9996, 3, "1.000");
}

static void test_a_long_text_grows(void **state)
{
	enum { COUNT = 5000 };
	const char *text;
	size_t length;

	json_begin_array(*state, NULL);
	for (int i = 0; i < COUNT; i++)
		json_put_string(*state, NULL, "a\\\xff");
	json_end_array(*state);
	text = json_writer_get(*state, &length);
	assert_int_equal(strlen(text), length);
	/* "a\\" and U+FFFD in quotes, with commas, in brackets */
	assert_int_equal(length, COUNT * (2 + 3 + REPLACEMENT_LENGTH) + COUNT - 1 + 2);
}

static void test_no_minus_before_a_rounded_zero(void **state)
{
	check_fixed(*state, -0.0001, 3, "0.000");
	check_fixed(*state, -0.0, 0, "0");
	check_fixed(*state, -0.001, 3, "-0.001");
}

static void test_largest_doubles_are_written_whole(void **state)
{
	char *end;

	json_put_fixed(*state, NULL, -DBL_MAX, 17);
	assert_true(strtod(json_writer_get(*state, NULL), &end) == -DBL_MAX);
	assert_int_equal(*end, '\0');
}

static void test_what_is_not_finite_is_null(void **state)
{
	check_fixed(*state, INFINITY, 3, "null");
	check_fixed(*state, -INFINITY, 3, "null");
	check_fixed(*state, NAN, 3, "null");
}

static void test_reset_forgets_a_finished_and_an_unfinished_text(void **state)
{
	for (int i = 0; i < 3; i++) {
		json_begin_object(*state, NULL);
		json_put_int(*state, "n", i);
		json_end_object(*state);
		json_writer_reset(*state);
		check_text(*state, "");
		json_begin_object(*state, NULL);
		json_begin_array(*state, "open");
		json_writer_reset(*state);
	}
	check_string(*state, "x", "\"x\"");
}

static void test_destroying_nothing_is_allowed(void **state)
{
	json_writer_destroy(NULL);
}

int main(void)
{
#define WITH_WRITER(test) cmocka_unit_test_setup_teardown(test, create_writer, destroy_writer)
	const struct CMUnitTest tests[] = {
		WITH_WRITER(test_every_kind_of_value),
		WITH_WRITER(test_nothing_written_is_an_empty_text),
		WITH_WRITER(test_quotes_backslashes_and_controls_are_escaped),
		WITH_WRITER(test_every_byte_at_every_place),
		WITH_WRITER(test_keys_are_escaped_and_cleaned_too),
		WITH_WRITER(test_utf8_passes),
		WITH_WRITER(test_bytes_that_are_not_utf8_become_replacement_characters),
		WITH_WRITER(test_long_bad_text_is_cleaned_whole),
		WITH_WRITER(test_fixed_decimals),
		WITH_WRITER(test_decimals_are_those_of_printf),
		WITH_WRITER(test_a_long_text_grows),
		WITH_WRITER(test_no_minus_before_a_rounded_zero),
		WITH_WRITER(test_largest_doubles_are_written_whole),
		WITH_WRITER(test_what_is_not_finite_is_null),
		WITH_WRITER(test_reset_forgets_a_finished_and_an_unfinished_text),
		cmocka_unit_test(test_destroying_nothing_is_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
