#include "report/line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static struct line_reader *reader;

static bool read_line(const char *json, struct line *ret_line)
{
	return line_read(reader, json, strlen(json), ret_line);
}

static void assert_text(struct text text, const char *expected)
{
	assert_non_null(text.at);
	assert_int_equal(text.length, strlen(expected));
	assert_memory_equal(text.at, expected, text.length);
}

static void test_a_line_of_our_writer(void **state)
{
	struct line line;

	assert_true(read_line(
		"{\"event\":\"api_request\",\"client_type\":\"rest_api\",\"operation\":\"chat\","
		"\"status\":\"success\",\"model\":\"llama3\",\"request_id\":\"r\",\"client_ip\":"
		"\"127.0.0.1\",\"project_name\":\"P\",\"latency_ms\":467.631,\"model_load_ms\":"
		"null,"
		"\"model_warm_start\":true,\"error_type\":null,\"http_status\":200,\"path\":\"/x\","
		"\"stream\":false,\"queue_wait_ms\":0.000,\"prompt_eval_count\":1317,"
		"\"images_max\":\"827x1169\",\"attempts\":1,"
		"\"timestamp\":\"2026-11-24T13:43:47.685Z\"}",
		&line));
	assert_text(line.operation, "chat");
	assert_text(line.status, "success");
	assert_text(line.model, "llama3");
	assert_text(line.project, "P");
	assert_text(line.images_max, "827x1169");
	assert_null(line.error_type.at);
	assert_true(line.latency_ms == 467.631);
	assert_true(isnan(line.load_ms));
	assert_true(line.queue_wait_ms == 0);
	assert_true(line.prompt_tokens == 1317);
	assert_int_equal(line.is_warm, TRUTH_YES);
	assert_int_equal(line.is_stream, TRUTH_NO);
	assert_int_equal(line.is_truncated, TRUTH_UNKNOWN);
	assert_true(line.ended_us == 1795527827685000);
}

static void test_any_order_blanks_and_escapes_are_fine(void **state)
{
	struct line line;

	assert_true(
		read_line("{ \"timestamp\" : \"2026-11-24 13:43:47\", \"other\": {\"model\": "
			  "\"no\", \"deep\": [1, {\"operation\": \"x\"}]},\"model\":\"a\\u00e4\","
			  " \"latency_ms\": 1e3, \"operation\":\"embed\" }",
			&line));
	assert_text(line.operation, "embed");
	assert_text(line.model, "a\u00e4");
	assert_true(line.latency_ms == 1000);
	assert_true(line.ended_us == 1795527827000000);
}

static void test_wrong_types_are_unknown(void **state)
{
	struct line line;

	assert_true(read_line("{\"operation\":\"chat\",\"latency_ms\":\"12\",\"model\":7,"
			      "\"model_warm_start\":\"yes\",\"timestamp\":12,\"ttft_ms\":-1,"
			      "\"queue_wait_ms\":1e13}",
		&line));
	assert_true(isnan(line.latency_ms));
	assert_true(isnan(line.ttft_ms));
	assert_true(isnan(line.queue_wait_ms));
	assert_null(line.model.at);
	assert_int_equal(line.is_warm, TRUTH_UNKNOWN);
	assert_true(line.ended_us == -1);
}

static void test_numbers_are_what_strtod_says(void **state)
{
	static const char *const numbers[] = {"0", "0.001", "12.345", "123456789012.125",
		"99999999999.999", "1000000000000", "0.1234567890123456789", "1.5e-3", "467.631",
		"0.3"};

	for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
		char *json = mem_printf("{\"operation\":\"chat\",\"latency_ms\":%s}", numbers[i]);
		struct line line;

		assert_true(read_line(json, &line));
		assert_true(line.latency_ms == strtod(numbers[i], NULL));
		free(json);
	}
}

static void test_what_is_no_log_line(void **state)
{
	static const char *const lines[] = {"", "{", "{}", "[]", "null", "\"operation\"",
		"{\"operation\":\"chat\"", "{\"operation\":\"chat\"}}",
		"{\"operation\":\"chat\"} x", "{\"operation\":null}", "{\"status\":\"success\"}",
		"[{\"operation\":\"chat\"}]"};
	struct line line;

	for (size_t i = 0; i < ARRAY_LENGTH(lines); i++)
		assert_false(read_line(lines[i], &line));
}

static void test_a_line_that_is_too_long_is_refused(void **state)
{
	char *text = mem_zalloc(LINE_BYTES_MOST + 1);
	struct line line;
	char *json;

	memset(text, 'a', LINE_BYTES_MOST);
	json = mem_printf("{\"operation\":\"chat\",\"model\":\"%s\"}", text);
	assert_false(read_line(json, &line));
	free(json);
	text[LINE_BYTES_MOST - 64] = '\0';
	json = mem_printf("{\"operation\":\"chat\",\"model\":\"%s\"}", text);
	assert_true(read_line(json, &line));
	assert_int_equal(line.model.length, LINE_BYTES_MOST - 64);
	free(json);
	free(text);
}

static int create_reader(void **state)
{
	reader = line_reader_create();
	return 0;
}

static int destroy_reader(void **state)
{
	line_reader_destroy(reader);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line_of_our_writer),
		cmocka_unit_test(test_any_order_blanks_and_escapes_are_fine),
		cmocka_unit_test(test_wrong_types_are_unknown),
		cmocka_unit_test(test_numbers_are_what_strtod_says),
		cmocka_unit_test(test_what_is_no_log_line),
		cmocka_unit_test(test_a_line_that_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, create_reader, destroy_reader);
}
