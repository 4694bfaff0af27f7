#include "json/tags.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static char told[1024]; /* "name:latest ce?r;" what each model was said to be */

static void on_model(void *arg, const struct tags_model *model)
{
	size_t used = strlen(told);

	snprintf(told + used, sizeof(told) - used, "%s %s%s%s%s%s;", model->name, model->digest,
		model->can_complete ? "c" : "", model->can_embed ? "e" : "",
		model->has_capabilities ? "" : "?", model->is_remote ? "r" : "");
}

static bool read_text(const char *text)
{
	told[0] = '\0';
	return tags_read(text, strlen(text), on_model, NULL);
}

static void test_what_each_model_is(void **state)
{
	assert_true(read_text(
		"{\"models\":[{\"name\":\"tiny:latest\",\"model\":\"tiny:latest\",\"size\":3.5,"
		"\"digest\":\"D1 \","
		"\"details\":{\"families\":[\"llama\"],\"x\":null},\"capabilities\":["
		"\"completion\","
		"\"tools\"]},{\"name\":\"e:1\",\"capabilities\":[\"embedding\"]},"
		"{\"name\":\"old:latest\"},"
		"{\"name\":\"big:cloud\",\"remote_model\":\"big\",\"remote_host\":\"https://x\","
		"\"capabilities\":[\"completion\"]},{\"name\":\"\"},{\"size\":1}]}"));
	assert_string_equal(told, "tiny:latest D1 c;e:1 e;old:latest ?;big:cloud cr;");
}

static void test_an_empty_remote_host_is_none(void **state)
{
	assert_true(read_text("{\"models\":[{\"name\":\"a\",\"remote_host\":\"\","
			      "\"capabilities\":[]}]}"));
	assert_string_equal(told, "a ;");
}

static void test_nobody_is_there(void **state)
{
	assert_true(read_text("{\"models\":[]}"));
	assert_true(read_text("{\"models\":null}"));
	assert_string_equal(told, "");
}

/* Words at other places mean nothing. */
static void test_only_the_model_itself_counts(void **state)
{
	assert_true(read_text("{\"name\":\"no\",\"models\":[{\"details\":{\"name\":\"no\","
			      "\"remote_host\":\"x\",\"capabilities\":[\"embedding\"]},"
			      "\"name\":\"a\",\"capabilities\":[[\"embedding\"],\"completion\"]}],"
			      "\"other\":[{\"name\":\"b\"}]}"));
	assert_string_equal(told, "a c;");
}

static void test_a_long_name_is_cut(void **state)
{
	char text[512];

	snprintf(text, sizeof(text), "{\"models\":[{\"name\":\"%0300d\"}]}", 0);
	assert_true(read_text(text));
	assert_int_equal(strlen(told), strlen(" ?;") + 255);
}

static void test_what_is_no_such_answer(void **state)
{
	static const char *const wrong[] = {"", "[]", "{}", "7", "{\"models\":[", "not found",
		"{\"models\":{}}", "[{\"models\":[]}]"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(read_text(wrong[i]));
	assert_false(tags_read("{\"models\":[]}", TAGS_BYTES_MOST + 1, on_model, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_each_model_is),
		cmocka_unit_test(test_an_empty_remote_host_is_none),
		cmocka_unit_test(test_nobody_is_there),
		cmocka_unit_test(test_only_the_model_itself_counts),
		cmocka_unit_test(test_a_long_name_is_cut),
		cmocka_unit_test(test_what_is_no_such_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
