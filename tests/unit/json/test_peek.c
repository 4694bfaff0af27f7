#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base64.h"
#include "json/duration.h"
#include "json/peek.h"

static struct peek *peek_pieces(const char *body, size_t length, size_t piece)
{
	struct peek *peek = peek_create();

	for (size_t at = 0; at < length; at += piece)
		peek_feed(peek, body + at, length - at < piece ? length - at : piece);
	peek_finish(peek);
	return peek;
}

static int create_nothing(void **state)
{
	*state = NULL;
	return 0;
}

static int destroy_peek(void **state)
{
	peek_destroy(*state);
	return 0;
}

/* Reads a body in one piece; the test's state keeps it until the next or the end. */
static const struct peek_result *look(void **state, const char *body)
{
	peek_destroy(*state);
	*state = peek_pieces(body, strlen(body), SIZE_MAX);
	return peek_finish(*state);
}

static void test_generate(void **state)
{
	const struct peek_result *result = look(state,
		"{\"model\": \"tiny\", \"prompt\": \"hi\", \"stream\": false, \"options\": "
		"{\"num_predict\": 8, \"temperature\": 0, \"seed\": 1}}");

	assert_true(result->valid);
	assert_string_equal(result->model, "tiny");
	assert_true(result->has_stream);
	assert_false(result->stream);
	assert_true(result->has_prompt);
	assert_false(result->has_input);
	assert_int_equal(result->keep_alive, PEEK_KEEP_ALIVE_ABSENT);
	for (int i = 0; i < PEEK_OPTION_COUNT; i++)
		assert_false(result->has_option[i]);
	assert_int_equal(result->messages_count, 0);
	assert_int_equal(result->images_count, 0);
	assert_int_equal(result->images_bytes, 0);
	assert_int_equal(result->images_pixels, -1);
	assert_int_equal(result->largest_width, 0);
}

static void test_chat(void **state)
{
	const struct peek_result *result = look(state,
		"{\"model\": \"tiny\", \"messages\": [{\"role\": \"user\", \"content\": \"hi\"}, "
		"{\"role\": \"user\", \"content\": [{\"type\":\"text\",\"text\":\"x\"}]}, {}]}");

	assert_true(result->valid);
	assert_int_equal(result->messages_count, 3);
	assert_false(result->has_stream);
	assert_false(result->has_prompt);
}

static void test_nothing_and_other_values_are_not_a_body(void **state)
{
	static const char *const bodies[] = {"", " ", "[]", "[{\"model\":\"a\"}]", "\"model\"", "1",
		"true", "null", "{", "{\"model\":\"a\"", "{\"model\":}", "{\"model\":\"a\",}",
		"{} x", "{}{}", "{'model':'a'}", "\xef\xbb\xbf{}", "{\"a\":1 /* c */}",
		"{\"a\":01}", "{\"a\":NaN}"};

	for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++)
		assert_false(look(state, bodies[i])->valid);
	assert_true(look(state, " {} \r\n")->valid);
}

static void test_broken_body_gives_what_was_seen_before(void **state)
{
	const struct peek_result *result =
		look(state, "{\"model\":\"a\",\"stream\":true,\"messages\":[{\"images\":[\"QUJD\"]}"
			    ",{\"images\":["
			    "\"QUJD\",\"QUJ");

	assert_false(result->valid);
	assert_string_equal(result->model, "a");
	assert_true(result->stream);
	assert_int_equal(result->messages_count, 1);
	assert_int_equal(result->images_count, 2);
	assert_int_equal(result->images_bytes, 6);
	result = look(state, "{\"model\":\"a\"}{\"model\":\"b\"}");
	assert_false(result->valid);
	assert_string_equal(result->model, "a");
	result = look(state, "{\"model\":\"a\",\"x\":\"\n\",\"model\":\"b\"}");
	assert_string_equal(result->model, "a");
}

static void test_last_of_duplicate_keys_counts(void **state)
{
	const struct peek_result *result = look(state,
		"{\"model\":\"a\",\"stream\":true,\"prompt\":\"\",\"keep_alive\":5,\"model\":\"b\","
		"\"stream\":false,\"prompt\":\"x\",\"keep_alive\":\"9s\",\"messages\":[{},{}],"
		"\"messages\":[{}]}");

	assert_true(result->valid);
	assert_string_equal(result->model, "b");
	assert_true(result->has_stream);
	assert_false(result->stream);
	assert_true(result->has_prompt);
	assert_string_equal(result->keep_alive_text, "9s");
	assert_int_equal(result->messages_count, 1);
}

static void test_images_of_a_key_that_comes_again_are_forgotten(void **state)
{
	const struct peek_result *result =
		look(state, "{\"images\":[\"QUJD\"],\"messages\":[{\"images\":[\"QUJD\",\"QUJD\"],"
			    "\"images\":[\"QUJDREVG\"]}],\"images\":[\"QQ==\",\"\"]}");

	assert_int_equal(result->images_count, 2);
	assert_int_equal(result->images_bytes, 7);
	result = look(state, "{\"images\":[\"QUJD\"],\"images\":null}");
	assert_int_equal(result->images_count, 0);
	result = look(state,
		"{\"messages\":[{\"images\":[\"QUJD\"]}],\"images\":[\"QUJD\"],\"messages\":[]}");
	assert_int_equal(result->images_count, 1);
	assert_int_equal(result->messages_count, 0);
}

static void test_null_clears_what_go_clears(void **state)
{
	const struct peek_result *result = look(state,
		"{\"model\":\"a\",\"model\":null,\"stream\":true,\"stream\":null,\"prompt\":\"x\","
		"\"prompt\":null,\"input\":\"x\",\"input\":null,\"options\":{\"num_ctx\":1},"
		"\"options\":null}");

	assert_string_equal(result->model, "a");
	assert_true(result->has_prompt);
	assert_false(result->has_stream);
	assert_false(result->has_input);
	assert_false(result->has_option[PEEK_NUM_CTX]);
}

static void test_keys_are_matched_without_case(void **state)
{
	const struct peek_result *result = look(state, "{\"MODEL\":\"a\",\"Stream\":true,\"Keep_"
						       "Alive\":\"1h\",\"oPTIONS\":{\"num_ctx\":1},"
						       "\"MESSAGES\":[{\"Images\":[\"QUJD\"]}]}");

	assert_string_equal(result->model, "a");
	assert_true(result->stream);
	assert_string_equal(result->keep_alive_text, "1h");
	assert_true(result->has_option[PEEK_NUM_CTX]);
	assert_int_equal(result->images_count, 1);
	/* whichever is last */
	assert_string_equal(look(state, "{\"model\":\"a\",\"Model\":\"b\"}")->model, "b");
}

static void test_keys_fold_as_go_folds(void **state)
{
	/* Kelvin sign and long s, as such and escaped */
	const struct peek_result *result = look(state,
		"{\"\u212aeep_alive\":\"1h\",\"\u017ftream\":true,\"me\\u017f\u017fages\":[{}]}");

	assert_string_equal(result->keep_alive_text, "1h");
	assert_true(result->stream);
	assert_int_equal(result->messages_count, 1);
}

static void test_keys_that_only_begin_alike_are_others(void **state)
{
	const struct peek_result *result =
		look(state, "{\"mode\":\"a\",\"models\":\"b\",\"\":\"c\",\"model "
			    "\":\"d\",\"mo\\u0000del\":\"e\"}");

	assert_true(result->valid);
	assert_null(result->model);
}

static void test_escaped_keys_and_values_are_read(void **state)
{
	assert_string_equal(
		look(state, "{\"m\\u006fdel\":\"a\\/b\\u003a\\u00e4\"}")->model, "a/b:ä");
}

static void test_nested_keys_are_not_top_level(void **state)
{
	const struct peek_result *result = look(state,
		"{\"a\":{\"model\":\"x\",\"stream\":true,\"options\":{\"num_ctx\":1}},"
		"\"format\":{\"properties\":{\"model\":{\"keep_alive\":0}}},\"b\":[{\"model\":"
		"\"y\"}],"
		"\"options\":{\"model\":\"z\",\"x\":{\"num_ctx\":3},\"y\":[{\"num_ctx\":4}]}}");

	assert_true(result->valid);
	assert_null(result->model);
	assert_false(result->has_stream);
	assert_false(result->has_option[PEEK_NUM_CTX]);
	assert_int_equal(result->keep_alive, PEEK_KEEP_ALIVE_ABSENT);
}

static void test_model_up_to_255_bytes(void **state)
{
	char body[2000];
	char name[257];

	for (size_t length = 254; length <= 256; length++) {
		memset(name, 'm', length);
		name[length] = '\0';
		snprintf(body, sizeof(body), "{\"model\":\"%s\"}", name);
		if (length <= 255)
			assert_string_equal(look(state, body)->model, name);
		else
			assert_null(look(state, body)->model);
	}
	/* each byte escaped is the longest way to write it */
	strcpy(body, "{\"model\":\"");
	for (int i = 0; i < 255; i++)
		strcat(body, "\\u006d");
	strcat(body, "\"}");
	name[255] = '\0';
	assert_string_equal(look(state, body)->model, name);
}

static void expect_named(void **state, const char *body, const char *expected)
{
	const char *named = peek_named_model(look(state, body));

	if (expected)
		assert_string_equal(named, expected);
	else
		assert_null(named);
}

static void test_the_older_name_counts_where_model_is_empty(void **state)
{
	char body[600];

	expect_named(state, "{\"name\":\"a\"}", "a");
	expect_named(state, "{\"Name\":\"a\",\"model\":\"\"}", "a");
	expect_named(state, "{\"name\":\"a\",\"model\":null}", "a");
	expect_named(state, "{\"name\":\"a\",\"name\":null}", "a");
	expect_named(state, "{\"name\":\"a\",\"model\":\"b\"}", "b");
	expect_named(state, "{\"model\":\"b\",\"name\":\"a\",\"model\":\"\"}", "a");
	expect_named(state, "{\"name\":\"a\",\"model\":\"b\",\"model\":null}", "b");
	expect_named(state, "{\"name\":[\"a\"]}", NULL);
	expect_named(state, "{\"name\":\"a\",\"name\":1}", NULL);
	expect_named(state, "{\"x\":{\"name\":\"a\"}}", NULL);
	/* what Ollama reads there is not known */
	expect_named(state, "{\"name\":\"a\",\"model\":[\"b\"]}", NULL);
	expect_named(state, "{\"name\":\"a\",\"model\":\"b\\u0000\"}", NULL);
	snprintf(body, sizeof(body), "{\"name\":\"a\",\"model\":\"%0300d\"}", 0);
	expect_named(state, body, NULL);
	assert_null(look(state, "{\"name\":\"a\"}")->model);
}

static void test_model_that_is_no_name_is_none(void **state)
{
	assert_null(look(state, "{\"model\":\"\"}")->model);
	assert_null(look(state, "{\"model\":\"a\",\"model\":5}")->model);
	assert_null(look(state, "{\"model\":\"a\",\"model\":true}")->model);
	assert_null(look(state, "{\"model\":\"a\",\"model\":{}}")->model);
	assert_null(look(state, "{\"model\":\"a\",\"model\":[\"b\"]}")->model);
	assert_null(look(state, "{\"model\":\"a\\u0000b\"}")->model);
}

static void test_bytes_that_are_not_utf8_and_lone_surrogates_are_valid(void **state)
{
	const struct peek_result *result = look(state,
		"{\"prompt\":\"\xff\xc0\x80\",\"model\":\"a\",\"x\":\"\\ud800\\udc00\\udfff\"}");

	assert_true(result->valid);
	assert_string_equal(result->model, "a");
	assert_true(look(state, "{\"model\":\"\\ud800\"}")->valid);
	assert_true(look(state, "{\"model\":\"\\ud800\\u0041\"}")->valid);
}

static void test_prompt_and_input_of_each_type(void **state)
{
	static const char *const set[] = {"\"x\"", "[\"x\"]", "[1,2]", "[[]]", "[\"\"]"};
	static const char *const unset[] = {"\"\"", "[]", "null", "0", "false", "{\"a\":1}"};
	char body[64];

	for (size_t i = 0; i < ARRAY_LENGTH(set); i++) {
		snprintf(body, sizeof(body), "{\"prompt\":%s}", set[i]);
		assert_true(look(state, body)->has_prompt);
		assert_false(look(state, body)->has_input);
		snprintf(body, sizeof(body), "{\"input\":%s}", set[i]);
		assert_true(look(state, body)->has_input);
		assert_false(look(state, body)->has_prompt);
	}
	for (size_t i = 0; i < ARRAY_LENGTH(unset); i++) {
		snprintf(body, sizeof(body), "{\"prompt\":%s}", unset[i]);
		assert_false(look(state, body)->has_prompt);
		snprintf(body, sizeof(body), "{\"input\":%s}", unset[i]);
		assert_false(look(state, body)->has_input);
	}
}

static void test_long_prompt_is_one(void **state)
{
	char *body = malloc(20000);

	snprintf(body, 20000, "{\"prompt\":\"%0*d\",\"model\":\"a\"}", 10000, 7);
	assert_true(look(state, body)->has_prompt);
	assert_true(look(state, body)->valid);
	assert_string_equal(look(state, body)->model, "a");
	free(body);
}

static void test_options_are_read(void **state)
{
	const struct peek_result *result = look(state,
		"{\"options\":{\"num_ctx\":8192,\"num_batch\":5.12e2,\"num_gpu\":-1,\"main_gpu\":0,"
		"\"use_mmap\":true,\"num_thread\":4.9}}");

	for (int i = 0; i < PEEK_OPTION_COUNT; i++)
		assert_true(result->has_option[i]);
	assert_int_equal(result->option[PEEK_NUM_CTX], 8192);
	assert_int_equal(result->option[PEEK_NUM_BATCH], 512);
	assert_int_equal(result->option[PEEK_NUM_GPU], -1);
	assert_int_equal(result->option[PEEK_MAIN_GPU], 0);
	assert_int_equal(result->option[PEEK_USE_MMAP], 1);
	assert_int_equal(result->option[PEEK_NUM_THREAD], 4);
	assert_int_equal(
		look(state, "{\"options\":{\"use_mmap\":false}}")->option[PEEK_USE_MMAP], 0);
}

static void test_options_that_come_again_are_merged_as_a_map(void **state)
{
	const struct peek_result *result =
		look(state, "{\"options\":{\"num_ctx\":1,\"num_gpu\":2,\"num_batch\":1},"
			    "\"options\":{\"num_ctx\":3,\"num_batch\":null}}");

	assert_int_equal(result->option[PEEK_NUM_CTX], 3);
	assert_int_equal(result->option[PEEK_NUM_GPU], 2);
	assert_false(result->has_option[PEEK_NUM_BATCH]);
}

static void test_options_of_the_wrong_type_or_case_are_not_set(void **state)
{
	const struct peek_result *result = look(state, "{\"options\":{\"NUM_CTX\":1,\"num_gpu\":"
						       "\"2\",\"main_gpu\":[1],\"num_batch\":{}}}");

	for (int i = 0; i < PEEK_OPTION_COUNT; i++)
		assert_false(result->has_option[i]);
	assert_false(look(state, "{\"options\":[{\"num_ctx\":1}]}")->has_option[PEEK_NUM_CTX]);
}

static void test_huge_numbers_are_capped(void **state)
{
	const struct peek_result *result = look(state,
		"{\"options\":{\"num_ctx\":99999999999999999999999,\"num_gpu\":-1e300,\"main_gpu\":"
		"1e999,"
		"\"num_batch\":-99999999999999999999999,\"num_thread\":9223372036854775807}}");

	assert_true(result->valid);
	assert_true(result->option[PEEK_NUM_CTX] == INT64_MAX);
	assert_true(result->option[PEEK_NUM_GPU] == INT64_MIN);
	assert_true(result->option[PEEK_MAIN_GPU] == INT64_MAX);
	assert_true(result->option[PEEK_NUM_BATCH] == INT64_MIN);
	assert_true(result->option[PEEK_NUM_THREAD] == INT64_MAX);
}

static void test_option_names(void **state)
{
	assert_string_equal(peek_option_name(PEEK_NUM_CTX), "num_ctx");
	assert_string_equal(peek_option_name(PEEK_NUM_THREAD), "num_thread");
}

static void check_keep_alive(
	void **state, const char *json, const char *text, bool is_string, bool is_zero)
{
	char body[256];
	const struct peek_result *result;

	snprintf(body, sizeof(body), "{\"keep_alive\":%s}", json);
	result = look(state, body);
	assert_true(result->valid);
	assert_int_equal(result->keep_alive, PEEK_KEEP_ALIVE_VALUE);
	assert_string_equal(result->keep_alive_text, text);
	assert_int_equal(result->keep_alive_is_string, is_string);
	assert_int_equal(result->keep_alive_is_zero, is_zero);
}

static void test_keep_alive_as_number_and_text(void **state)
{
	check_keep_alive(state, "60", "60", false, false);
	check_keep_alive(state, "1.5", "1.5", false, false);
	check_keep_alive(state, "-1", "-1", false, false);
	check_keep_alive(state, "\"30m\"", "30m", true, false);
	check_keep_alive(state, "\"2h45m10s\"", "2h45m10s", true, false);
	check_keep_alive(state, "\"90\"", "90", true, false);
	check_keep_alive(state, "true", "true", false, false);
}

static void test_keep_alive_zero_unloads(void **state)
{
	check_keep_alive(state, "0", "0", false, true);
	check_keep_alive(state, "0.0", "0.0", false, true);
	check_keep_alive(state, "0e5", "0e5", false, true);
	check_keep_alive(state, "\"0\"", "0", true, true);
	check_keep_alive(state, "\"0s\"", "0s", true, true);
	check_keep_alive(state, "\"0m\"", "0m", true, true);
	check_keep_alive(state, "\"0h0m0.0s\"", "0h0m0.0s", true, true);
}

static void test_keep_alive_null_absent_or_unreadable(void **state)
{
	const struct peek_result *result = look(state, "{\"keep_alive\":0,\"keep_alive\":null}");
	char body[100] = "{\"keep_alive\":\"1s\",\"keep_alive\":\"";

	assert_int_equal(result->keep_alive, PEEK_KEEP_ALIVE_NULL);
	assert_false(result->keep_alive_is_zero);
	result = look(state, "{\"keep_alive\":0,\"keep_alive\":[0]}");
	assert_int_equal(result->keep_alive, PEEK_KEEP_ALIVE_ABSENT);
	assert_false(result->keep_alive_is_zero);
	/* 64 bytes are one too many */
	snprintf(body + strlen(body), 70, "%064d", 0);
	strcat(body, "\"}");
	result = look(state, body);
	assert_true(result->valid);
	assert_int_equal(result->keep_alive, PEEK_KEEP_ALIVE_ABSENT);
	assert_string_equal(result->keep_alive_text, "");
}

static void test_durations_as_go_reads_them(void **state)
{
	static const char *const zero[] = {"0", "+0", "-0", "0s", "0m", "0h", "0ms", "0us", "0ns",
		"0\xc2\xb5s", "0\xce\xbcs", "-0s", "0.0s", ".0s", "0.s", "0h0m0s", "0.5ns"};
	static const char *const other[] = {"", "+", "-", "1", "00", "s", "0x", ".s", "0 s", " 0",
		"0s ", "1ns", "5m", "0h1m", "-1s", "0s1", "0d", "1e-9s", "0.0.0s", "--0"};
	static const char *const number_other[] = {"1", "-1", "-1e-12", "1e-9", "1e300"};

	for (size_t i = 0; i < ARRAY_LENGTH(zero); i++)
		assert_true(duration_text_is_zero(zero[i]));
	for (size_t i = 0; i < ARRAY_LENGTH(other); i++)
		assert_false(duration_text_is_zero(other[i]));
	assert_true(duration_number_is_zero("0"));
	assert_true(duration_number_is_zero("-0"));
	assert_true(duration_number_is_zero("1e-10"));
	for (size_t i = 0; i < ARRAY_LENGTH(number_other); i++)
		assert_false(duration_number_is_zero(number_other[i]));
}

/* A PNG header of 800 x 600 and of 64 x 32, and a GIF of 3 x 5. */
#define PNG_800_600 "iVBORw0KGgoAAAANSUhEUgAAAyAAAAJY"
#define PNG_64_32 "iVBORw0KGgoAAAANSUhEUgAAAEAAAAAg"
#define GIF_3_5 "R0lGODlhAwAFAA=="

static void test_images_of_generate_and_chat(void **state)
{
	const struct peek_result *result = look(state,
		"{\"images\":[\"" PNG_64_32 "\"],\"messages\":[{\"images\":[\"" GIF_3_5
		"\",\"" PNG_800_600 "\"]},{\"role\":\"user\",\"images\":[\"bm90aGluZw==\"]}]}");

	assert_true(result->valid);
	assert_int_equal(result->images_count, 4);
	assert_int_equal(result->images_bytes, 24 + 10 + 24 + 7);
	assert_int_equal(result->images_pixels, 64 * 32 + 3 * 5 + 800 * 600);
	assert_int_equal(result->largest_width, 800);
	assert_int_equal(result->largest_height, 600);
}

static void test_images_of_openai_parts(void **state)
{
	const struct peek_result *result = look(state,
		"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\"},"
		"{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64," PNG_64_32
		"\",\"detail\":\"low\"}},{\"type\":\"image_url\",\"image_url\":\"data:image/"
		"gif;base64," GIF_3_5 "\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://"
		"example/x.png\"}}]}]}");

	assert_int_equal(result->images_count, 2);
	assert_int_equal(result->images_bytes, 34);
	assert_int_equal(result->images_pixels, 64 * 32 + 15);
	assert_int_equal(result->largest_width, 64);
}

static void test_images_of_responses_input(void **state)
{
	const struct peek_result *result = look(state,
		"{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_"
		"text\","
		"\"text\":\"x\"},{\"type\":\"input_image\",\"image_url\":\"data:image/"
		"png;base64," PNG_64_32 "\"}]},{\"role\":\"assistant\",\"content\":\"y\"}]}");

	assert_true(result->has_input);
	assert_int_equal(result->messages_count, 2);
	assert_int_equal(result->images_count, 1);
	assert_int_equal(result->images_pixels, 64 * 32);
}

static void test_images_of_anthropic_sources(void **state)
{
	const struct peek_result *result = look(state,
		"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":"
		"{\"data\":\"" PNG_64_32 "\",\"media_type\":\"image/png\",\"type\":\"base64\"}},"
		"{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://x\"}},"
		"{\"type\":\"document\",\"source\":{\"type\":\"text\",\"data\":\"QUJD\"}},"
		"{\"type\":\"document\",\"source\":{\"type\":\"base64\",\"media_type\":"
		"\"application/pdf\","
		"\"data\":\"QUJD\"}},{\"type\":\"tool_result\",\"content\":[{\"type\":\"image\","
		"\"source\":{\"type\":\"base64\",\"data\":\"" GIF_3_5 "\"}}]}]}]}");

	assert_true(result->valid);
	assert_int_equal(result->images_count, 2);
	assert_int_equal(result->images_bytes, 34);
	assert_int_equal(result->images_pixels, 64 * 32 + 15);
}

static void test_images_elsewhere_do_not_count(void **state)
{
	const struct peek_result *result =
		look(state, "{\"x\":{\"images\":[\"QUJD\"]},\"images\":\"QUJD\",\"tools\":[{"
			    "\"images\":[\"QUJD\"]}],"
			    "\"messages\":[{\"images\":[[\"QUJD\"],{\"url\":\"data:,QUJD\"},5,null]"
			    "},[\"QUJD\"]],"
			    "\"prompt\":\"data:image/png;base64,QUJD\"}");

	assert_true(result->valid);
	assert_int_equal(result->images_count, 0);
	assert_int_equal(result->messages_count, 2);
}

static void test_escaped_base64_is_read(void **state)
{
	/* slashes as PHP writes them, plus signs as .NET does, line ends as MIME does */
	const uint8_t gif[] = {'G', 'I', 'F', '8', '9', 'a', 0xff, 0xef, 0xbf, 0xfb};
	char *base64 = base64_encode(gif, sizeof(gif));
	char body[256] = "{\"images\":[\"";
	const struct peek_result *result;

	for (const char *at = base64; *at; at++) {
		if (*at == '/')
			strcat(body, "\\/");
		else if (*at == '+')
			strcat(body, "\\u002B");
		else
			strncat(body, at, 1);
		strcat(body, "\\r\\n");
	}
	assert_non_null(strstr(body, "\\/"));
	assert_non_null(strstr(body, "\\u002B"));
	strcat(body, "\"]}");
	result = look(state, body);
	assert_true(result->valid);
	assert_int_equal(result->images_bytes, sizeof(gif));
	assert_int_equal(result->largest_width, 0xefff);
	assert_int_equal(result->largest_height, 0xfbbf);
	free(base64);
}

static void test_model_last_after_megabytes_of_base64(void **state)
{
	enum { DIGITS = 5 * 1024 * 1024 };
	static const char begin[] =
		"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\","
		"\"image_url\":{\"url\":\"data:image/png;base64," PNG_800_600;
	static const char end[] = "\"}}]}],\"model\":\"qwen2.5vl:7b\"}";
	char *body = malloc(sizeof(begin) + DIGITS + sizeof(end));
	const struct peek_result *result;
	size_t length = sizeof(begin) - 1;

	memcpy(body, begin, length);
	memset(body + length, 'A', DIGITS);
	length += DIGITS;
	memcpy(body + length, end, sizeof(end));
	length += sizeof(end) - 1;
	*state = peek_pieces(body, length, 4096);
	free(body);
	result = peek_finish(*state);
	assert_true(result->valid);
	assert_string_equal(result->model, "qwen2.5vl:7b");
	assert_int_equal(result->images_count, 1);
	assert_int_equal(result->images_bytes, DIGITS / 4 * 3 + 24);
	assert_int_equal(result->largest_width, 800);
	assert_int_equal(result->images_pixels, 480000);
}

static void test_a_million_brackets_end_the_look(void **state)
{
	enum { MILLION = 1000000 };
	static const char begin[] = "{\"model\":\"a\",\"x\":";
	size_t length = sizeof(begin) - 1;
	char *body = malloc(length + MILLION);

	memcpy(body, begin, length);
	memset(body + length, '[', MILLION);
	*state = peek_pieces(body, length + MILLION, 65536);
	free(body);
	assert_false(peek_finish(*state)->valid);
	assert_string_equal(peek_finish(*state)->model, "a");
}

static void test_nesting_that_go_accepts_is_valid(void **state)
{
	enum { DEPTH = 9999 };
	static const char begin[] = "{\"messages\":";
	size_t length = sizeof(begin) - 1;
	char *body = malloc(length + 2 * DEPTH + 2);

	memcpy(body, begin, length);
	memset(body + length, '[', DEPTH);
	memset(body + length + DEPTH, ']', DEPTH);
	memcpy(body + length + 2 * DEPTH, "}", 2);
	assert_true(look(state, body)->valid);
	assert_int_equal(look(state, body)->messages_count, 1);
	free(body);
}

static void test_content_in_content_ends_at_some_depth(void **state)
{
	enum { DEPTH = 100 };
	char body[DEPTH * 20 + 100] = "{\"messages\":[{\"content\":[";

	for (int i = 0; i < DEPTH; i++)
		strcat(body, "{\"content\":[");
	strcat(body, "{\"image_url\":\"data:,QUJD\"}");
	for (int i = 0; i < DEPTH; i++)
		strcat(body, "]}");
	strcat(body, "]}],\"model\":\"a\"}");
	assert_true(look(state, body)->valid);
	assert_int_equal(look(state, body)->images_count, 0);
	assert_string_equal(look(state, body)->model, "a");
}

static void check_same(const struct peek_result *a, const struct peek_result *b)
{
	assert_int_equal(a->valid, b->valid);
	assert_int_equal(a->model == NULL, b->model == NULL);
	if (a->model)
		assert_string_equal(a->model, b->model);
	assert_int_equal(a->has_stream, b->has_stream);
	assert_int_equal(a->stream, b->stream);
	assert_int_equal(a->keep_alive, b->keep_alive);
	assert_string_equal(a->keep_alive_text, b->keep_alive_text);
	assert_int_equal(a->keep_alive_is_string, b->keep_alive_is_string);
	assert_int_equal(a->keep_alive_is_zero, b->keep_alive_is_zero);
	for (int i = 0; i < PEEK_OPTION_COUNT; i++) {
		assert_int_equal(a->has_option[i], b->has_option[i]);
		assert_int_equal(a->option[i], b->option[i]);
	}
	assert_int_equal(a->has_prompt, b->has_prompt);
	assert_int_equal(a->has_input, b->has_input);
	assert_int_equal(a->messages_count, b->messages_count);
	assert_int_equal(a->images_count, b->images_count);
	assert_int_equal(a->images_bytes, b->images_bytes);
	assert_int_equal(a->images_pixels, b->images_pixels);
	assert_int_equal(a->largest_width, b->largest_width);
	assert_int_equal(a->largest_height, b->largest_height);
}

static void test_result_does_not_depend_on_the_pieces(void **state)
{
	static const char *const bodies[] = {
		"{\"model\": \"tin\\u0079\", \"prompt\": \"hi\", \"stream\": false, "
		"\"keep_alive\": "
		"\"0s\", \"options\": {\"num_ctx\": 8192, \"use_mmap\": true, \"num_gpu\": -12e1}}",
		("{\"Messages\":[{\"images\":[\"" PNG_64_32 "\",\"" GIF_3_5
		 "\"]},{\"content\":[{\"image_url\":{\"url\":\"data:image/png;base64," PNG_800_600
		 "\"}},{\"source\":{\"type\":\"base64\",\"data\":\"QUJD\"}}]}],\"model\":\"m\"}"),
		"{\"model\":\"a\",\"keep_alive\":1e2,\"x\":[1,2,{\"y\":\"\\ud834\\udd1e\"}],"
		"\"stream\":tru}",
		"{\"input\":[\"a\",\"b\\",
		"{\"model\":\"a\"} {",
	};

	for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
		size_t length = strlen(bodies[i]);
		const struct peek_result *whole = look(state, bodies[i]);

		for (size_t split = 0; split <= length; split++) {
			struct peek *peek = peek_create();

			peek_feed(peek, bodies[i], split);
			peek_feed(peek, NULL, 0);
			peek_feed(peek, bodies[i] + split, length - split);
			check_same(peek_finish(peek), whole);
			peek_destroy(peek);
		}
		for (size_t piece = 1; piece < 20; piece++) {
			struct peek *peek = peek_pieces(bodies[i], length, piece);

			check_same(peek_finish(peek), whole);
			peek_destroy(peek);
		}
	}
}

static void test_destroying_nothing_is_allowed(void **state)
{
	peek_destroy(NULL);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, create_nothing, destroy_peek)
	const struct CMUnitTest tests[] = {
		TEST(test_generate),
		TEST(test_chat),
		TEST(test_nothing_and_other_values_are_not_a_body),
		TEST(test_broken_body_gives_what_was_seen_before),
		TEST(test_last_of_duplicate_keys_counts),
		TEST(test_images_of_a_key_that_comes_again_are_forgotten),
		TEST(test_null_clears_what_go_clears),
		TEST(test_keys_are_matched_without_case),
		TEST(test_keys_fold_as_go_folds),
		TEST(test_keys_that_only_begin_alike_are_others),
		TEST(test_escaped_keys_and_values_are_read),
		TEST(test_nested_keys_are_not_top_level),
		TEST(test_model_up_to_255_bytes),
		TEST(test_the_older_name_counts_where_model_is_empty),
		TEST(test_model_that_is_no_name_is_none),
		TEST(test_bytes_that_are_not_utf8_and_lone_surrogates_are_valid),
		TEST(test_prompt_and_input_of_each_type),
		TEST(test_long_prompt_is_one),
		TEST(test_options_are_read),
		TEST(test_options_that_come_again_are_merged_as_a_map),
		TEST(test_options_of_the_wrong_type_or_case_are_not_set),
		TEST(test_huge_numbers_are_capped),
		TEST(test_option_names),
		TEST(test_keep_alive_as_number_and_text),
		TEST(test_keep_alive_zero_unloads),
		TEST(test_keep_alive_null_absent_or_unreadable),
		TEST(test_durations_as_go_reads_them),
		TEST(test_images_of_generate_and_chat),
		TEST(test_images_of_openai_parts),
		TEST(test_images_of_responses_input),
		TEST(test_images_of_anthropic_sources),
		TEST(test_images_elsewhere_do_not_count),
		TEST(test_escaped_base64_is_read),
		TEST(test_model_last_after_megabytes_of_base64),
		TEST(test_a_million_brackets_end_the_look),
		TEST(test_nesting_that_go_accepts_is_valid),
		TEST(test_content_in_content_ends_at_some_depth),
		TEST(test_result_does_not_depend_on_the_pieces),
		TEST(test_destroying_nothing_is_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
