#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "json/filter.h"

/* What the filter gave out. */
struct seen {
	struct filter filter;
	char json[64 * 1024];
	size_t json_length;
	char content[64 * 1024];
	size_t content_length;
	size_t calls;
	int long_strings;
	bool wants_content;
	bool stop;
	bool was_cut_at_quote; /* the last on_json that ended a string said that it was cut */
};

static bool on_json(void *arg, const char *bytes, size_t length)
{
	struct seen *seen = arg;

	assert_true(length > 0);
	assert_true(seen->json_length + length < sizeof(seen->json));
	memcpy(seen->json + seen->json_length, bytes, length);
	seen->json_length += length;
	seen->calls++;
	seen->was_cut_at_quote = length == 1 && bytes[0] == '"' && filter_is_cut(&seen->filter);
	return !seen->stop;
}

static bool on_long_string(void *arg)
{
	struct seen *seen = arg;

	seen->long_strings++;
	return seen->wants_content;
}

static void on_content(void *arg, const char *bytes, size_t length)
{
	struct seen *seen = arg;

	assert_true(length > 0);
	assert_true(seen->content_length + length < sizeof(seen->content));
	memcpy(seen->content + seen->content_length, bytes, length);
	seen->content_length += length;
}

static const struct filter_events events = {on_json, on_long_string, on_content};

static int create_seen(void **state)
{
	struct seen *seen = calloc(1, sizeof(*seen));

	seen->wants_content = true;
	filter_init(&seen->filter, &events, seen);
	*state = seen;
	return 0;
}

static int destroy_seen(void **state)
{
	free(*state);
	return 0;
}

static void restart(struct seen *seen)
{
	seen->json_length = 0;
	seen->content_length = 0;
	seen->calls = 0;
	seen->long_strings = 0;
	filter_init(&seen->filter, &events, seen);
}

static bool feed(struct seen *seen, const char *text, size_t length, size_t piece)
{
	bool accepted = true;

	/* each piece alone in memory, so that a sanitizer sees a read past its end */
	for (size_t at = 0; at < length; at += piece) {
		size_t bytes = length - at < piece ? length - at : piece;
		char *copy = malloc(bytes);

		memcpy(copy, text + at, bytes);
		accepted = filter_feed(&seen->filter, copy, bytes);
		free(copy);
	}
	return accepted;
}

static void check_json(struct seen *seen, const char *expected)
{
	seen->json[seen->json_length] = '\0';
	assert_string_equal(seen->json, expected);
}

static void test_short_text_passes_in_one_call(void **state)
{
	struct seen *seen = *state;
	const char *text = " {\"a\\n\\u00e4\": [1, -2.5e3, true, null, \"x\"], \"b\":{}} \r\n";

	assert_true(feed(seen, text, strlen(text), SIZE_MAX));
	check_json(seen, text);
	assert_int_equal(seen->calls, 1);
	assert_int_equal(seen->long_strings, 0);
}

/* A string of `length` letters between brackets. */
static char *make_string(size_t length)
{
	char *text = malloc(length + 5);

	text[0] = '[';
	text[1] = '"';
	for (size_t i = 0; i < length; i++)
		text[2 + i] = (char)('a' + i % 26);
	memcpy(text + 2 + length, "\"]", 3);
	return text;
}

static void test_string_at_the_limit_passes_and_one_byte_more_is_cut(void **state)
{
	struct seen *seen = *state;
	const size_t pieces[] = {
		1, 7, 1000, FILTER_STRING_MAX + 1, FILTER_STRING_MAX + 2, SIZE_MAX};

	for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
		for (size_t extra = 0; extra < 3; extra++) {
			char *text = make_string(FILTER_STRING_MAX + extra);

			restart(seen);
			assert_true(feed(seen, text, strlen(text), pieces[i]));
			assert_int_equal(seen->long_strings, extra > 0);
			assert_int_equal(seen->json_length, FILTER_STRING_MAX + 4);
			assert_memory_equal(seen->json, text, FILTER_STRING_MAX + 2);
			assert_memory_equal(seen->json + FILTER_STRING_MAX + 2, "\"]", 2);
			assert_int_equal(
				seen->content_length, extra > 0 ? FILTER_STRING_MAX + extra : 0);
			assert_memory_equal(seen->content, text + 2, seen->content_length);
			free(text);
		}
	}
}

static void test_string_is_never_cut_inside_an_escape(void **state)
{
	struct seen *seen = *state;
	static const char *const escapes[] = {"\\n", "\\u0041", "\\\\", "\\\""};
	static const char decoded[] = "\nA\\\"";

	for (size_t kind = 0; kind < ARRAY_LENGTH(escapes); kind++) {
		size_t escape_length = strlen(escapes[kind]);

		for (size_t before = FILTER_STRING_MAX - 8; before <= FILTER_STRING_MAX; before++) {
			char *text = make_string(FILTER_STRING_MAX + 100);
			size_t content = FILTER_STRING_MAX + 100 - escape_length + 1;
			size_t kept;

			memcpy(text + 2 + before, escapes[kind], escape_length);
			restart(seen);
			assert_true(feed(seen, text, strlen(text), 1 + before % 5));
			kept = seen->json_length - 4;
			assert_true(kept <= FILTER_STRING_MAX);
			assert_true(kept <= before || kept >= before + escape_length);
			assert_memory_equal(seen->json, text, kept + 2);
			assert_int_equal(seen->content_length, content);
			assert_int_equal(seen->content[before], decoded[kind]);
			free(text);
		}
	}
}

static void test_content_is_unescaped(void **state)
{
	static const char head[] =
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e4\\u20AC\\ud834\\uDD1e";
	static const char decoded[] = "\"\\/\b\f\n\r\tAä€\xef\xbf\xbd\xef\xbf\xbdxx";
	struct seen *seen = *state;
	char middle[FILTER_STRING_MAX + 1];
	char text[FILTER_STRING_MAX + 200];
	size_t length;

	memset(middle, 'x', FILTER_STRING_MAX);
	middle[FILTER_STRING_MAX] = '\0';
	length = (size_t)snprintf(text, sizeof(text), "%s%s\\u002b\\/\"", head, middle);
	for (size_t piece = 1; piece < 20; piece++) {
		restart(seen);
		assert_true(feed(seen, text, length, piece));
		assert_int_equal(seen->content_length, strlen(decoded) - 2 + FILTER_STRING_MAX + 2);
		assert_memory_equal(seen->content, decoded, strlen(decoded));
		assert_memory_equal(seen->content + seen->content_length - 3, "x+/", 3);
	}
}

static void test_content_that_nobody_wants_is_not_given(void **state)
{
	struct seen *seen = *state;
	char *text = make_string(5000);

	seen->wants_content = false;
	assert_true(feed(seen, text, strlen(text), 100));
	assert_int_equal(seen->long_strings, 1);
	assert_int_equal(seen->content_length, 0);
	free(text);
}

static void test_cut_string_says_so_when_it_ends(void **state)
{
	struct seen *seen = *state;
	char *text = make_string(FILTER_STRING_MAX + 1);
	size_t quote = strlen(text) - 2;

	assert_true(feed(seen, text, quote + 1, SIZE_MAX));
	assert_true(seen->was_cut_at_quote);
	assert_true(filter_feed(&seen->filter, ",\"x\"]", 5));
	assert_false(filter_is_cut(&seen->filter));
	free(text);
}

static void check_refused(struct seen *seen, const char *text, const char *passed)
{
	for (size_t piece = 1; piece <= strlen(text); piece++) {
		restart(seen);
		assert_false(feed(seen, text, strlen(text), piece));
		check_json(seen, passed);
		assert_true(filter_has_failed(&seen->filter));
		/* and stays so */
		assert_false(filter_feed(&seen->filter, "1", 1));
		check_json(seen, passed);
	}
}

static void test_bad_escapes_and_control_bytes_are_refused_where_they_stand(void **state)
{
	check_refused(*state, "[\"a\\x\"]", "[\"a\\");
	check_refused(*state, "[\"a\\u12g4\"]", "[\"a\\u12");
	check_refused(*state, "[\"a\nb\"]", "[\"a");
	check_refused(*state, "[\"0123456789abcdefghi\x1f\"]", "[\"0123456789abcdefghi");
}

static void test_bad_bytes_are_refused_in_the_dropped_part_too(void **state)
{
	struct seen *seen = *state;
	static const char *const bad[] = {"\\x", "\\u00g0", "\n", "\x01"};

	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
		char *text = make_string(FILTER_STRING_MAX + 100);

		memcpy(text + FILTER_STRING_MAX + 50, bad[i], strlen(bad[i]));
		restart(seen);
		assert_false(feed(seen, text, strlen(text), 64));
		assert_int_equal(seen->json_length, FILTER_STRING_MAX + 2);
		free(text);
	}
}

static void test_scalar_longer_than_the_limit_is_refused(void **state)
{
	struct seen *seen = *state;
	char text[FILTER_SCALAR_MAX + 4] = "[";

	memset(text + 1, '7', FILTER_SCALAR_MAX);
	text[FILTER_SCALAR_MAX + 1] = ']';
	assert_true(feed(seen, text, FILTER_SCALAR_MAX + 2, SIZE_MAX));
	for (size_t piece = 1; piece < FILTER_SCALAR_MAX; piece += 7) {
		restart(seen);
		text[FILTER_SCALAR_MAX + 1] = '7';
		assert_false(feed(seen, text, FILTER_SCALAR_MAX + 2, piece));
		assert_int_equal(seen->json_length, FILTER_SCALAR_MAX + 1);
	}
}

static void test_a_million_brackets_are_refused_at_the_depth_limit(void **state)
{
	enum { MILLION = 1000000 };
	struct seen *seen = *state;
	char *text = malloc(MILLION);

	for (size_t i = 0; i < MILLION; i++)
		text[i] = i % 2 ? '[' : '{';
	assert_false(feed(seen, text, MILLION, 4096));
	assert_int_equal(seen->json_length, FILTER_DEPTH_MAX);
	restart(seen);
	filter_skim(&seen->filter, 3);
	assert_false(feed(seen, text, MILLION, 4096));
	assert_int_equal(seen->json_length, 2);
	free(text);
}

static void test_events_can_stop_the_filter(void **state)
{
	struct seen *seen = *state;

	seen->stop = true;
	assert_false(filter_feed(&seen->filter, "[1]", 3));
	assert_false(filter_feed(&seen->filter, "[1]", 3));
	assert_int_equal(seen->calls, 1);
}

static void test_an_empty_piece_changes_nothing(void **state)
{
	struct seen *seen = *state;

	assert_true(filter_feed(&seen->filter, NULL, 0));
	assert_true(filter_feed(&seen->filter, "[\"a", 3));
	assert_true(filter_feed(&seen->filter, "", 0));
	assert_true(filter_feed(&seen->filter, "b\"]", 3));
	check_json(seen, "[\"ab\"]");
}

static void test_skimming_empties_arrays_and_deep_objects(void **state)
{
	static const char text[] =
		"{\"a\":[1,{\"]\":\"}\\\"]\"},[[]]],\"b\":{\"c\":{\"d\":1,\"e\":{\"f\":2}}},"
		"\"g\":\"]\",\"h\":[]}";
	struct seen *seen = *state;

	for (size_t piece = 1; piece <= strlen(text); piece++) {
		restart(seen);
		filter_skim(&seen->filter, 2);
		assert_true(feed(seen, text, strlen(text), piece));
		check_json(seen, "{\"a\":[],\"b\":{\"c\":{}},\"g\":\"]\",\"h\":[]}");
	}
}

static void test_skimmed_strings_of_any_length_are_passed_over(void **state)
{
	struct seen *seen = *state;
	char *text = make_string(10000);

	filter_skim(&seen->filter, 2);
	assert_true(feed(seen, text, strlen(text), 333));
	check_json(seen, "[]");
	assert_int_equal(seen->long_strings, 0);
	free(text);
}

int main(void)
{
#define WITH_SEEN(test) cmocka_unit_test_setup_teardown(test, create_seen, destroy_seen)
	const struct CMUnitTest tests[] = {
		WITH_SEEN(test_short_text_passes_in_one_call),
		WITH_SEEN(test_string_at_the_limit_passes_and_one_byte_more_is_cut),
		WITH_SEEN(test_string_is_never_cut_inside_an_escape),
		WITH_SEEN(test_content_is_unescaped),
		WITH_SEEN(test_content_that_nobody_wants_is_not_given),
		WITH_SEEN(test_cut_string_says_so_when_it_ends),
		WITH_SEEN(test_bad_escapes_and_control_bytes_are_refused_where_they_stand),
		WITH_SEEN(test_bad_bytes_are_refused_in_the_dropped_part_too),
		WITH_SEEN(test_scalar_longer_than_the_limit_is_refused),
		WITH_SEEN(test_a_million_brackets_are_refused_at_the_depth_limit),
		WITH_SEEN(test_events_can_stop_the_filter),
		WITH_SEEN(test_an_empty_piece_changes_nothing),
		WITH_SEEN(test_skimming_empties_arrays_and_deep_objects),
		WITH_SEEN(test_skimmed_strings_of_any_length_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
