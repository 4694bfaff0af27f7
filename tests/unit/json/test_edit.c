#include "json/edit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

enum { RESULT_BYTES = 4096 };

struct result {
	const char *body;
	size_t at;
	char text[RESULT_BYTES];
	size_t used;
};

static void copy(struct result *result, const char *bytes, size_t length)
{
	assert_true(result->used + length < RESULT_BYTES);
	memcpy(result->text + result->used, bytes, length);
	result->used += length;
}

static void on_splice(void *arg, uint64_t at, uint64_t removed, const char *text, size_t length)
{
	struct result *result = arg;

	assert_true(at >= result->at);
	copy(result, result->body + result->at, at - result->at);
	copy(result, text, length);
	result->at = at + removed;
}

/* What is done to the body, by a name. */
enum what {
	MODEL,	    /* "new" */
	KEEP_ALIVE, /* "1h" */
	SET,	    /* num_ctx 8192 */
	SET_TWO,    /* num_ctx 8192, use_mmap false */
	STRIP,	    /* all runner options */
	ALL,
};

static void choose(struct edit *edit, enum what what)
{
	if (what == MODEL || what == ALL)
		edit_set(edit, EDIT_MODEL, "\"new\"");
	if (what == KEEP_ALIVE || what == ALL)
		edit_set(edit, EDIT_KEEP_ALIVE, "\"1h\"");
	if (what == STRIP) {
		for (int i = 0; i < PEEK_OPTION_COUNT; i++)
			edit_remove_option(edit, (enum peek_option)i);
	}
	if (what == SET || what == SET_TWO || what == ALL)
		edit_set_option(edit, PEEK_NUM_CTX, "8192");
	if (what == SET_TWO)
		edit_set_option(edit, PEEK_USE_MMAP, "false");
}

static void assert_edit(enum what what, const char *body, const char *expected)
{
	size_t length = strlen(body);

	for (size_t piece = 1; piece <= length; piece = piece < length ? piece * 3 : piece + 1) {
		struct edit *edit = edit_create();
		struct result result = {.body = body};

		for (size_t at = 0; at < length; at += piece)
			edit_feed(edit, body + at, length - at < piece ? length - at : piece);
		choose(edit, what);
		assert_true(edit_apply(edit, on_splice, &result));
		copy(&result, body + result.at, length - result.at);
		result.text[result.used] = '\0';
		assert_string_equal(result.text, expected);
		edit_destroy(edit);
	}
}

static void test_a_value_is_replaced_where_it_stands(void **state)
{
	assert_edit(MODEL, "{\"model\" : \"old\" ,\"prompt\":\"\\u0078 model\"}",
		"{\"model\" : \"new\" ,\"prompt\":\"\\u0078 model\"}");
	assert_edit(KEEP_ALIVE, "{\n\t\"keep_alive\":-1\n}", "{\n\t\"keep_alive\":\"1h\"\n}");
	assert_edit(KEEP_ALIVE, "{\"keep_alive\":{\"a\":[1,\"}\"]} }", "{\"keep_alive\":\"1h\" }");
	assert_edit(SET, "{\"options\":{\"num_ctx\":4,\"seed\":7},\"model\":\"m\"}",
		"{\"options\":{\"num_ctx\":8192,\"seed\":7},\"model\":\"m\"}");
}

static void test_what_is_not_there_is_added(void **state)
{
	assert_edit(MODEL, "{}", "{\"model\":\"new\"}");
	assert_edit(MODEL, " { } ", " {\"model\":\"new\" } ");
	assert_edit(SET, "{\"prompt\":\"x\"}", "{\"options\":{\"num_ctx\":8192},\"prompt\":\"x\"}");
	assert_edit(SET, "{\"options\":{}}", "{\"options\":{\"num_ctx\":8192}}");
	assert_edit(
		SET, "{\"options\": {\"seed\":1}}", "{\"options\": {\"num_ctx\":8192,\"seed\":1}}");
	assert_edit(SET_TWO, "{\"a\":1}",
		"{\"options\":{\"num_ctx\":8192,\"use_mmap\":false},\"a\":1}");
	assert_edit(ALL, "{\"a\":1}",
		"{\"model\":\"new\",\"keep_alive\":\"1h\",\"options\":{\"num_ctx\":8192},\"a\":1}");
}

static void test_members_go_with_one_comma(void **state)
{
	assert_edit(STRIP, "{\"options\":{\"num_ctx\":4}}", "{\"options\":{}}");
	assert_edit(STRIP, "{\"options\":{ \"num_ctx\" : 4 , \"seed\":1 }}",
		"{\"options\":{  \"seed\":1 }}");
	assert_edit(STRIP, "{\"options\":{\"seed\":1 , \"num_ctx\" : 4 }}",
		"{\"options\":{\"seed\":1  }}");
	assert_edit(STRIP, "{\"options\":{\"a\":1,\"num_gpu\":4,\"use_mmap\":true,\"b\":2}}",
		"{\"options\":{\"a\":1,\"b\":2}}");
	assert_edit(STRIP,
		"{\"options\":{\"num_ctx\":4,\"num_gpu\":4,\"b\":2,\"main_gpu\":0,\"num_batch\":5}"
		"}",
		"{\"options\":{\"b\":2}}");
	assert_edit(STRIP, "{\"options\":{\"num_ctx\":4,\"num_thread\":\"x\"},\"a\":1}",
		"{\"options\":{},\"a\":1}");
}

static void test_without_a_member_of_ours_nothing_changes(void **state)
{
	assert_edit(STRIP, "{\"model\":\"m\",\"options\":{\"seed\":1}}",
		"{\"model\":\"m\",\"options\":{\"seed\":1}}");
	assert_edit(STRIP, "{\"num_ctx\":4,\"a\":{\"options\":{\"num_ctx\":4}}}",
		"{\"num_ctx\":4,\"a\":{\"options\":{\"num_ctx\":4}}}");
	/* options are a map in Ollama: their case counts */
	assert_edit(STRIP, "{\"options\":{\"NUM_CTX\":4}}", "{\"options\":{\"NUM_CTX\":4}}");
}

static void test_what_is_nested_is_not_ours(void **state)
{
	assert_edit(MODEL,
		"{\"tools\":[{\"model\":\"a\"}],\"format\":{\"model\":\"b\"},\"model\":\"c\"}",
		"{\"tools\":[{\"model\":\"a\"}],\"format\":{\"model\":\"b\"},\"model\":\"new\"}");
	assert_edit(SET, "{\"options\":{\"x\":{\"num_ctx\":1}}}",
		"{\"options\":{\"num_ctx\":8192,\"x\":{\"num_ctx\":1}}}");
}

/* Go takes the last one, whatever the case of its name; options of several objects are merged. */
static void test_of_duplicates_the_last_one_stays(void **state)
{
	assert_edit(
		MODEL, "{\"model\":\"a\",\"x\":1,\"MODEL\":\"b\"}", "{\"x\":1,\"MODEL\":\"new\"}");
	assert_edit(STRIP, "{\"options\":{\"num_ctx\":4},\"Options\":{\"num_gpu\":1,\"seed\":2}}",
		"{\"options\":{},\"Options\":{\"seed\":2}}");
	assert_edit(SET, "{\"options\":{\"num_ctx\":4,\"num_ctx\":5},\"options\":{\"seed\":2}}",
		"{\"options\":{\"num_ctx\":8192},\"options\":{\"seed\":2}}");
}

static void test_names_with_escapes_are_known(void **state)
{
	assert_edit(MODEL, "{\"mod\\u0065l\":\"a\"}", "{\"mod\\u0065l\":\"new\"}");
	assert_edit(KEEP_ALIVE, "{\"\\u212aeep_alive\":5}", "{\"\\u212aeep_alive\":\"1h\"}");
	assert_edit(STRIP, "{\"option\xc5\xbf\":{\"num_\\u0063tx\":5}}", "{\"option\xc5\xbf\":{}}");
	assert_edit(MODEL, "{\"model\\n\":\"a\",\"model\\\"\":1}",
		"{\"model\":\"new\",\"model\\n\":\"a\",\"model\\\"\":1}");
}

static void test_options_that_are_null_become_an_object(void **state)
{
	assert_edit(SET, "{\"options\":null}", "{\"options\":{\"num_ctx\":8192}}");
	assert_edit(SET, "{\"options\":{\"num_ctx\":1},\"options\":null}",
		"{\"options\":{},\"options\":{\"num_ctx\":8192}}");
	assert_edit(SET, "{\"options\":[1]}", "{\"options\":[1]}");
}

static void test_a_body_that_is_no_object_stays(void **state)
{
	assert_edit(ALL, "[{\"model\":\"a\"}]", "[{\"model\":\"a\"}]");
	assert_edit(ALL, "\"model\"", "\"model\"");
}

static void on_no_splice(void *arg, uint64_t at, uint64_t removed, const char *text, size_t length)
{
	fail();
}

static void test_more_duplicates_than_are_kept_in_mind_are_told(void **state)
{
	static const char member[] = "\"model\":1,";
	struct edit *edit = edit_create();

	edit_feed(edit, "{", 1);
	for (int i = 0; i < 1000; i++)
		edit_feed(edit, member, strlen(member));
	edit_feed(edit, "\"a\":1}", strlen("\"a\":1}"));
	edit_set(edit, EDIT_MODEL, "\"new\"");
	assert_false(edit_apply(edit, on_no_splice, NULL));
	edit_destroy(edit);
	edit_destroy(NULL);
}

static void test_texts_become_json(void **state)
{
	char *text = edit_quote("a\"b\\c\n");

	assert_string_equal(text, "\"a\\\"b\\\\c\\n\"");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_value_is_replaced_where_it_stands),
		cmocka_unit_test(test_what_is_not_there_is_added),
		cmocka_unit_test(test_members_go_with_one_comma),
		cmocka_unit_test(test_without_a_member_of_ours_nothing_changes),
		cmocka_unit_test(test_what_is_nested_is_not_ours),
		cmocka_unit_test(test_of_duplicates_the_last_one_stays),
		cmocka_unit_test(test_names_with_escapes_are_known),
		cmocka_unit_test(test_options_that_are_null_become_an_object),
		cmocka_unit_test(test_a_body_that_is_no_object_stays),
		cmocka_unit_test(test_more_duplicates_than_are_kept_in_mind_are_told),
		cmocka_unit_test(test_texts_become_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
