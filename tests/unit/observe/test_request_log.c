#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "base/ticker.h"
#include "observe/request_log.h"
#include "schema.h"
#include "json/writer.h"

/* 2026-11-24T15:04:05.678901Z */
#define WALL_US INT64_C(1795532645678901)
#define NOW_US INT64_C(20000000)

struct fixture {
	struct request_log *log;
	struct record record;
};

static int set_up(void **state)
{
	struct fixture *fixture = mem_zalloc(sizeof(*fixture));

	ticker_set_for_test(NOW_US, WALL_US);
	fixture->log = request_log_create("", LOG_OPERATIONS_DEFAULT);
	assert_non_null(fixture->log);
	record_init(&fixture->record);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	request_log_destroy(fixture->log);
	record_finish(&fixture->record);
	free(fixture);
	return 0;
}

/* A chat of the batch project, as the old service's log had them. */
static void fill(struct record *record)
{
	record->is_job = true;
	record->operation = OPERATION_CHAT;
	strcpy(record->request_id, "4b9b70a5e3f04d50a51cbd4d3f8a0f11");
	strcpy(record->client_ip, "192.0.2.7");
	record->project = mem_strdup("Docling_Machine");
	record->model = mem_strdup("qwen2.5vl:7b");
	record->method = mem_strdup("POST");
	record->path = mem_strdup("/v1/chat/completions");
	record->user_agent = mem_strdup("python-requests/2.34");
	record->arrived_us = NOW_US - 11000500;
	record->body_complete_us = record->arrived_us + 1000;
	record->dispatched_us = record->arrived_us + 501000;
	record->first_byte_us = record->arrived_us + 9000250;
	record->ended_us = NOW_US;
	record->queue_wait_us = 500000;
	record->outcome = OUTCOME_SUCCESS;
	record->http_status = 200;
	record->stream = KNOWN_FALSE;
	record->warm = KNOWN_TRUE;
	record->attempts = 1;
	record->request_bytes = 434123;
	record->images_count = 1;
	record->images_bytes = 325000;
	record->images_pixels = 2073600;
	record->images_width = 1920;
	record->images_height = 1080;
	record->response_bytes = 1203;
	record->total_duration = 10400000000;
	record->load_duration = 25670123;
	record->prompt_eval_count = 1500;
	record->prompt_eval_duration = 8000000000;
	record->eval_count = 120;
	record->eval_duration = 2300000000;
}

static void test_line_of_a_success(void **state)
{
	struct fixture *fixture = *state;

	fill(&fixture->record);
	assert_string_equal(request_log_line(fixture->log, &fixture->record),
		"{\"event\":\"api_request\",\"client_type\":\"rest_api\",\"operation\":\"chat\","
		"\"status\":\"success\",\"model\":\"qwen2.5vl:7b\","
		"\"request_id\":\"4b9b70a5e3f04d50a51cbd4d3f8a0f11\",\"client_ip\":\"192.0.2.7\","
		"\"project_name\":\"Docling_Machine\",\"latency_ms\":11000.500,"
		"\"model_load_ms\":25.670,\"model_warm_start\":true,\"error_type\":null,"
		"\"error_message\":null,\"http_status\":200,\"method\":\"POST\","
		"\"path\":\"/v1/chat/completions\",\"stream\":false,\"queue_wait_ms\":500.000,"
		"\"load_wait_ms\":null,\"ttft_ms\":9000.250,\"total_duration_ms\":10400.000,"
		"\"prompt_eval_count\":1500,\"prompt_eval_ms\":8000.000,"
		"\"generation_eval_count\":120,\"generation_eval_ms\":2300.000,"
		"\"upstream_wait_ms\":74.330,\"context_length\":null,\"prompt_truncated\":null,"
		"\"priority\":null,\"runner\":null,\"images_count\":1,\"images_bytes\":325000,"
		"\"images_pixels\":2073600,\"images_max\":\"1920x1080\",\"request_bytes\":434123,"
		"\"response_bytes\":1203,\"user_agent\":\"python-requests/2.34\","
		"\"traceparent\":null,\"attempts\":1,"
		"\"timestamp\":\"2026-11-24T15:04:05.678Z\"}");
	schema_check("request-log", request_log_line(fixture->log, &fixture->record));
}

static void test_all_that_is_unknown_is_null(void **state)
{
	static const char *const known[] = {
		"event", "client_type", "operation", "attempts", "timestamp"};
	struct fixture *fixture = *state;
	const char *line = request_log_line(fixture->log, &fixture->record);
	size_t nulls = 0;

	schema_check("request-log", line);
	for (const char *at = strstr(line, ":null"); at; at = strstr(at + 1, ":null"))
		nulls++;
	/* PRODUCT 6.1 names 40 keys. */
	assert_int_equal(nulls, 40 - ARRAY_LENGTH(known));
}

static void check_status(struct fixture *fixture, enum outcome outcome, int http_status,
	const char *status, const char *error_type)
{
	char wanted[64];
	const char *line;

	fixture->record.outcome = outcome;
	fixture->record.http_status = http_status;
	line = request_log_line(fixture->log, &fixture->record);
	snprintf(wanted, sizeof(wanted), "\"status\":\"%s\",", status);
	assert_non_null(strstr(line, wanted));
	if (error_type)
		snprintf(wanted, sizeof(wanted), "\"error_type\":\"%s\",", error_type);
	else
		snprintf(wanted, sizeof(wanted), "\"error_type\":null,");
	assert_non_null(strstr(line, wanted));
	schema_check("request-log", line);
}

static void test_success_is_an_answer_below_400(void **state)
{
	check_status(*state, OUTCOME_SUCCESS, 200, "success", NULL);
	check_status(*state, OUTCOME_SUCCESS, 301, "success", NULL);
	check_status(*state, OUTCOME_UPSTREAM_CLIENT_ERROR, 404, "error", "upstream_status");
	check_status(*state, OUTCOME_UPSTREAM_STATUS, 500, "error", "upstream_status");
	check_status(*state, OUTCOME_UPSTREAM_TRUNCATED, 200, "error", "upstream_truncated");
	check_status(*state, OUTCOME_CLIENT_GONE, 200, "error", "client_gone");
}

static void test_every_outcome_has_a_line_of_the_schema(void **state)
{
	struct fixture *fixture = *state;

	for (int i = 0; i < OUTCOME_COUNT; i++) {
		fixture->record.outcome = (enum outcome)i;
		fixture->record.http_status = outcome_status((enum outcome)i);
		schema_check("request-log", request_log_line(fixture->log, &fixture->record));
	}
	for (int i = 0; i < OPERATION_COUNT; i++) {
		fixture->record.operation = (enum operation)i;
		schema_check("request-log", request_log_line(fixture->log, &fixture->record));
	}
}

static void test_what_clients_write_is_escaped(void **state)
{
	struct fixture *fixture = *state;
	const char *line;

	fixture->record.model = mem_strdup("a\"b\\c\n{\"event\":1}\x01");
	fixture->record.user_agent = mem_strdup("bad \xff byte");
	line = request_log_line(fixture->log, &fixture->record);
	assert_null(strchr(line, '\n'));
	assert_non_null(strstr(line, "\"model\":\"a\\\"b\\\\c\\n{\\\"event\\\":1}\\u0001\""));
	assert_non_null(strstr(line, "\"user_agent\":\"bad \xef\xbf\xbd byte\""));
	schema_check("request-log", line);
}

static void test_a_pass_has_no_queue_wait(void **state)
{
	struct fixture *fixture = *state;

	fill(&fixture->record);
	fixture->record.is_job = false;
	assert_non_null(
		strstr(request_log_line(fixture->log, &fixture->record), "\"queue_wait_ms\":null"));
}

static void test_a_wait_for_a_load_is_told(void **state)
{
	struct fixture *fixture = *state;

	fill(&fixture->record);
	fixture->record.load_wait_us = 250125;
	fixture->record.warm = KNOWN_FALSE;
	assert_non_null(strstr(
		request_log_line(fixture->log, &fixture->record), "\"load_wait_ms\":250.125"));
	assert_non_null(strstr(
		request_log_line(fixture->log, &fixture->record), "\"model_warm_start\":false"));
}

static void test_timestamp_is_the_moment_of_the_end(void **state)
{
	struct fixture *fixture = *state;

	fixture->record.ended_us = NOW_US - 700000;
	assert_non_null(strstr(request_log_line(fixture->log, &fixture->record),
		"\"timestamp\":\"2026-11-24T15:04:04.978Z\""));
}

static size_t lines_written(enum log_operations operations, const struct record *record)
{
	char path[] = "/tmp/request_log_XXXXXX";
	int fd = mkstemp(path);
	struct request_log *log;
	FILE *file;
	size_t count = 0;
	int byte;

	assert_true(fd >= 0);
	close(fd);
	log = request_log_create(path, operations);
	assert_non_null(log);
	request_log_add(log, record);
	request_log_flush(log);
	request_log_add(log, record);
	request_log_destroy(log);
	file = fopen(path, "r");
	assert_non_null(file);
	while ((byte = fgetc(file)) != EOF)
		count += byte == '\n';
	fclose(file);
	unlink(path);
	return count;
}

static void test_polls_are_written_only_when_all_is_logged(void **state)
{
	struct fixture *fixture = *state;

	fill(&fixture->record);
	assert_int_equal(lines_written(LOG_OPERATIONS_DEFAULT, &fixture->record), 2);
	fixture->record.is_poll = true;
	assert_int_equal(lines_written(LOG_OPERATIONS_DEFAULT, &fixture->record), 0);
	assert_int_equal(lines_written(LOG_OPERATIONS_ALL, &fixture->record), 2);
}

static void test_a_log_that_is_off_takes_everything(void **state)
{
	struct fixture *fixture = *state;

	request_log_add(fixture->log, &fixture->record);
	request_log_flush(fixture->log);
	request_log_reopen(fixture->log);
	assert_int_equal(request_log_dropped(fixture->log), 0);
	request_log_destroy(NULL);
}

static void test_a_path_that_cannot_be_opened_is_told(void **state)
{
	assert_null(request_log_create("/dev/null/requests.jsonl", LOG_OPERATIONS_DEFAULT));
}

int main(void)
{
#define WITH_LOG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_LOG(test_line_of_a_success),
		WITH_LOG(test_all_that_is_unknown_is_null),
		WITH_LOG(test_success_is_an_answer_below_400),
		WITH_LOG(test_every_outcome_has_a_line_of_the_schema),
		WITH_LOG(test_what_clients_write_is_escaped),
		WITH_LOG(test_a_pass_has_no_queue_wait),
		WITH_LOG(test_a_wait_for_a_load_is_told),
		WITH_LOG(test_timestamp_is_the_moment_of_the_end),
		WITH_LOG(test_polls_are_written_only_when_all_is_logged),
		WITH_LOG(test_a_log_that_is_off_takes_everything),
		WITH_LOG(test_a_path_that_cannot_be_opened_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
