#include "core/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/memory.h"

static void assert_all_unknown(const struct record *record)
{
	assert_int_equal(record->load_wait_us, -1);
	assert_int_equal(record->request_bytes, -1);
	assert_int_equal(record->images_count, -1);
	assert_int_equal(record->images_bytes, -1);
	assert_int_equal(record->images_pixels, -1);
	assert_int_equal(record->images_width, 0);
	assert_int_equal(record->images_height, 0);
	assert_int_equal(record->response_bytes, -1);
	assert_int_equal(record->total_duration, -1);
	assert_int_equal(record->load_duration, -1);
	assert_int_equal(record->prompt_eval_count, -1);
	assert_int_equal(record->prompt_eval_duration, -1);
	assert_int_equal(record->eval_count, -1);
	assert_int_equal(record->eval_duration, -1);
	assert_int_equal(record->context_length, -1);
	assert_int_equal(record->prompt_truncated, KNOWN_NOT);
	assert_int_equal(record->stream, KNOWN_NOT);
	assert_int_equal(record->warm, KNOWN_NOT);
	assert_int_equal(record->outcome, OUTCOME_NONE);
	assert_int_equal(record->http_status, 0);
	assert_int_equal(record->attempts, 0);
	assert_int_equal(record->queue_wait_us, 0);
	assert_string_equal(record->request_id, "");
	assert_null(record->project);
	assert_null(record->model);
	assert_null(record->method);
	assert_null(record->path);
	assert_null(record->user_agent);
	assert_null(record->traceparent);
	assert_null(record->error_message);
	assert_null(record->priority);
	assert_null(record->runner);
}

static void test_nothing_is_known_at_first(void **state)
{
	struct record record;

	memset(&record, 0x5a, sizeof(record));
	record_init(&record);
	assert_all_unknown(&record);
	assert_false(record.is_job);
	assert_false(record.is_poll);
}

/* Leak detection sees a string that is forgotten. */
static void test_finish_frees_every_string_and_may_be_repeated(void **state)
{
	struct record record;

	record_init(&record);
	record.project = mem_strdup("Docling_Machine");
	record.model = mem_strdup("qwen2.5vl:7b");
	record.method = mem_strdup("POST");
	record.path = mem_strdup("/api/chat");
	record.user_agent = mem_strdup("python-requests/2.32");
	record.traceparent = mem_strdup("00-0-0-00");
	record.error_message = mem_strdup("Ollama refuses connections");
	record.priority = mem_strdup("batch");
	record.runner = mem_strdup("qwen2.5vl:7b");
	record.eval_count = 7;
	record_finish(&record);
	assert_all_unknown(&record);
	record_finish(&record);
	assert_all_unknown(&record);
}

static int64_t upstream_wait(int64_t total, int64_t load, int64_t prompt_eval, int64_t eval)
{
	struct record record;

	record_init(&record);
	record.total_duration = total;
	record.load_duration = load;
	record.prompt_eval_duration = prompt_eval;
	record.eval_duration = eval;
	return record_upstream_wait(&record);
}

/* PRODUCT 3.7: total - load - prompt_eval - eval. */
static void test_wait_inside_ollama_is_what_the_parts_leave(void **state)
{
	assert_int_equal(upstream_wait(1835000000, 900000, 34100000, 300000000), 1500000000);
	assert_int_equal(upstream_wait(100, 40, 30, 20), 10);
	assert_int_equal(upstream_wait(100, 40, 30, 30), 0);
}

/* A zero is absent in Ollama's answers; one that generates nothing has no eval_duration. */
static void test_answer_without_generation_has_a_wait_too(void **state)
{
	assert_int_equal(upstream_wait(100, 40, 30, -1), 30);
	assert_int_equal(upstream_wait(100, 40, 30, 0), 30);
}

static void test_wait_inside_ollama_is_never_negative(void **state)
{
	assert_int_equal(upstream_wait(100, 60, 30, 20), 0);
	assert_int_equal(upstream_wait(0, 0, 0, 0), 0);
}

static void test_wait_is_unknown_where_the_answer_does_not_say(void **state)
{
	assert_int_equal(upstream_wait(-1, 40, 30, 20), -1);
	assert_int_equal(upstream_wait(100, -1, 30, 20), -1);
	assert_int_equal(upstream_wait(100, 40, -1, 20), -1);
	assert_int_equal(upstream_wait(-1, -1, -1, -1), -1);
}

static void test_latency_runs_from_complete_head_to_end(void **state)
{
	struct record record;

	record_init(&record);
	record.arrived_us = 5000000;
	record.body_complete_us = 6000000;
	record.dispatched_us = 7000000;
	record.ended_us = 16003500;
	assert_int_equal(record_latency_us(&record), 11003500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_known_at_first),
		cmocka_unit_test(test_finish_frees_every_string_and_may_be_repeated),
		cmocka_unit_test(test_wait_inside_ollama_is_what_the_parts_leave),
		cmocka_unit_test(test_answer_without_generation_has_a_wait_too),
		cmocka_unit_test(test_wait_inside_ollama_is_never_negative),
		cmocka_unit_test(test_wait_is_unknown_where_the_answer_does_not_say),
		cmocka_unit_test(test_latency_runs_from_complete_head_to_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
