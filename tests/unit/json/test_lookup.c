#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "json/lookup.h"

static bool read_text(const char *json, struct lookup *items, size_t count)
{
	return lookup_read(json, strlen(json), items, count);
}

static void check(const char *json, const char *path, const char *expected)
{
	struct lookup item = {.path = path};

	assert_true(read_text(json, &item, 1));
	assert_int_equal(item.is_found, expected != NULL);
	assert_string_equal(item.text, expected ? expected : "");
}

static void test_each_kind_of_scalar_is_found(void **state)
{
	static const char json[] = "{\"text\":\"a\\\"b\",\"number\":-12.50,\"yes\":true,\"no\":"
				   "false,\"nothing\":null}";

	check(json, "text", "a\"b");
	check(json, "number", "-12.50");
	check(json, "yes", "true");
	check(json, "no", "false");
	check(json, "nothing", "null");
	check(json, "other", NULL);
}

static void test_paths_lead_into_objects(void **state)
{
	static const char json[] = "{\"a\":{\"b\":{\"c\":1},\"d\":2},\"b\":3,\"c\":{\"c\":4}}";

	check(json, "a/b/c", "1");
	check(json, "a/d", "2");
	check(json, "b", "3");
	check(json, "c/c", "4");
	check(json, "a/b", NULL);
	check(json, "c", NULL);
	check(json, "a", NULL);
}

static void test_nothing_inside_arrays_is_found(void **state)
{
	static const char json[] = "{\"a\":[1,{\"b\":2},[3],{\"c\":{\"d\":4}}],\"e\":5}";

	check(json, "a", NULL);
	check(json, "a/b", NULL);
	check(json, "b", NULL);
	check(json, "a/c/d", NULL);
	check(json, "e", "5");
}

static void test_the_last_of_a_key_counts(void **state)
{
	check("{\"a\":1,\"a\":2}", "a", "2");
}

static void test_several_items_in_one_reading(void **state)
{
	struct lookup items[] = {{.path = "a"}, {.path = "b/c"}, {.path = "a"}};

	assert_true(read_text("{\"a\":1,\"b\":{\"c\":\"x\"}}", items, ARRAY_LENGTH(items)));
	assert_string_equal(items[0].text, "1");
	assert_string_equal(items[1].text, "x");
	assert_string_equal(items[2].text, "1");
}

static void test_long_texts_are_cut(void **state)
{
	char json[2 * LOOKUP_TEXT_BYTES];
	struct lookup item = {.path = "a"};

	memset(json, 'x', sizeof(json));
	memcpy(json, "{\"a\":\"", strlen("{\"a\":\""));
	strcpy(json + sizeof(json) - 3, "\"}");
	assert_true(read_text(json, &item, 1));
	assert_int_equal(strlen(item.text), LOOKUP_TEXT_BYTES - 1);
}

static void test_long_keys_are_no_key_that_is_looked_for(void **state)
{
	char json[2048] = "{\"";
	struct lookup item = {.path = "a"};

	memset(json + 2, 'a', 1500);
	strcpy(json + 1502, "\":{\"a\":1},\"b\":2}");
	assert_true(read_text(json, &item, 1));
	assert_false(item.is_found);
}

static void test_what_is_no_object_is_refused(void **state)
{
	static const char *const bad[] = {"", "1", "[]", "[{\"a\":1}]", "\"a\"", "null", "{\"a\":1",
		"{\"a\":1}}", "{\"a\" 1}", "{\"a\":1} x", "<html>", "{\"a\":\"\xff\"}"};
	struct lookup item = {.path = "a"};

	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
		assert_false(read_text(bad[i], &item, 1));
}

static void test_depth_and_length_are_bounded(void **state)
{
	enum { DEEP = 100000 };
	char *json = malloc(LOOKUP_BYTES_MOST + 2);
	struct lookup item = {.path = "a"};

	assert_non_null(json);
	memset(json, '[', DEEP);
	memcpy(json, "{\"a\":", strlen("{\"a\":"));
	json[DEEP] = '\0';
	assert_false(read_text(json, &item, 1));
	memset(json, ' ', LOOKUP_BYTES_MOST + 1);
	json[0] = '{';
	json[1] = '}';
	assert_true(lookup_read(json, LOOKUP_BYTES_MOST, &item, 1));
	assert_false(lookup_read(json, LOOKUP_BYTES_MOST + 1, &item, 1));
	free(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_kind_of_scalar_is_found),
		cmocka_unit_test(test_paths_lead_into_objects),
		cmocka_unit_test(test_nothing_inside_arrays_is_found),
		cmocka_unit_test(test_the_last_of_a_key_counts),
		cmocka_unit_test(test_several_items_in_one_reading),
		cmocka_unit_test(test_long_texts_are_cut),
		cmocka_unit_test(test_long_keys_are_no_key_that_is_looked_for),
		cmocka_unit_test(test_what_is_no_object_is_refused),
		cmocka_unit_test(test_depth_and_length_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
