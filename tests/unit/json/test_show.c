#include "json/show.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static struct show_result read_text(const char *text)
{
	struct show_result result;

	assert_true(show_read(text, strlen(text), &result));
	return result;
}

static void test_a_chat_model(void **state)
{
	struct show_result result =
		read_text("{\"license\":\"x\",\"details\":{\"family\":\"llama\",\"families\":null},"
			  "\"model_info\":{\"a\":[1,2.5,true]},"
			  "\"capabilities\":[\"completion\",\"tools\"]}");

	assert_true(result.can_complete);
	assert_false(result.can_embed);
	assert_false(result.is_remote);
}

static void test_an_embedding_model(void **state)
{
	struct show_result result = read_text("{\"capabilities\":[\"embedding\"]}");

	assert_false(result.can_complete);
	assert_true(result.can_embed);
}

static void test_a_remote_model(void **state)
{
	assert_true(read_text("{\"remote_model\":\"big\",\"capabilities\":[\"completion\"]}")
			    .is_remote);
	assert_false(read_text("{\"remote_host\":\"\"}").is_remote);
}

/* Words at other places mean nothing. */
static void test_only_the_top_counts(void **state)
{
	struct show_result result =
		read_text("{\"details\":{\"capabilities\":[\"embedding\"],\"remote_host\":\"x\"},"
			  "\"capabilities\":[[\"embedding\"],{\"a\":\"completion\"}]}");

	assert_false(result.can_embed);
	assert_false(result.can_complete);
	assert_false(result.is_remote);
}

static void test_what_is_no_such_answer(void **state)
{
	static const char *const texts[] = {
		"", "[]", "\"x\"", "1", "null", "true", "{", "{\"capabilities\":[", "{}}"};
	struct show_result result;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(show_read(texts[i], strlen(texts[i]), &result));
	assert_false(show_read("{}", SHOW_BYTES_MOST + 1, &result));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_chat_model),
		cmocka_unit_test(test_an_embedding_model),
		cmocka_unit_test(test_a_remote_model),
		cmocka_unit_test(test_only_the_top_counts),
		cmocka_unit_test(test_what_is_no_such_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
