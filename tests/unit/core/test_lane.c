#include "core/lane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/settings.h"
#include "core/job.h"

enum { P = 3, LIMIT = 8, MANY = 40, LEFT_MOST = 16 };

static const int64_t S = 1000000;
static const int64_t MS = 1000;
static const int64_t NS_PER_MS = 1000000;
static const int64_t BATCH = 512;

static struct settings settings;
static struct lane *lane;
static int64_t now_us;

static int setup(void **state)
{
	settings = (struct settings){.max_concurrent = P,
		.max_concurrent_limit = LIMIT,
		.concurrency = CONCURRENCY_ADAPTIVE};
	lane = lane_create();
	now_us = 1000 * S;
	return 0;
}

static int teardown(void **state)
{
	lane_destroy(lane);
	return 0;
}

static struct job new_job(int64_t request_bytes, int64_t images)
{
	struct job job = {0};

	job.record.request_bytes = request_bytes;
	job.record.images_count = images;
	return job;
}

/* Prompts of 100 tokens in so many milliseconds. */
static void measure_prompts(int64_t took_ms)
{
	struct job job = new_job(1000, 0);
	const struct lane_answer answer = {.wait_ns = -1,
		.prompt_tokens = 100,
		.prompt_ns = took_ms * NS_PER_MS,
		.tokens = -1};

	lane_answered(lane, &job, &answer);
}

static void expect_left_for(const struct job *job, int64_t batch, int64_t span_us)
{
	lane_left(lane, job, batch, now_us);
	assert_int_equal(lane_busy(lane, 2, now_us), 3);
	assert_int_equal(lane_look_again_us(lane), now_us + span_us);
	assert_int_equal(lane_busy(lane, 2, now_us + span_us - 1), 3);
	assert_int_equal(lane_busy(lane, 2, now_us + span_us), 2);
	assert_int_equal(lane_look_again_us(lane), 0);
}

static void test_who_left_in_prefill_counts_for_one_batch(void **state)
{
	struct job text = new_job(100000, 0);
	struct job short_text = new_job(200, 0);
	struct job picture = new_job(200, 1);

	/* unknown speed */
	expect_left_for(&text, 0, BATCH * 2 * MS);
	measure_prompts(300);
	expect_left_for(&text, 0, BATCH * 3 * MS);
	expect_left_for(&text, 64, INT64_C(64) * 3 * MS);
	/* no more tokens than bytes, but a picture's are not in its bytes */
	expect_left_for(&short_text, 0, INT64_C(200) * 3 * MS);
	expect_left_for(&picture, 0, BATCH * 3 * MS);
	/* whatever was measured, not for ever */
	expect_left_for(&text, 1000000, 10 * S);
}

static void test_many_who_left_are_counted_up_to_a_bound(void **state)
{
	struct job job = new_job(100000, 0);

	for (int i = 0; i < MANY; i++)
		lane_left(lane, &job, 0, now_us + i);
	assert_int_equal(lane_busy(lane, 0, now_us), LEFT_MOST);
	assert_int_equal(lane_look_again_us(lane), now_us + BATCH * 2 * MS);
	assert_int_equal(lane_busy(lane, 0, now_us + BATCH * 2 * MS), LEFT_MOST - 1);
	lane_forget(lane);
	assert_int_equal(lane_busy(lane, 0, now_us), 0);
}

static void test_fixed_is_max_concurrent(void **state)
{
	struct lane_report report;

	settings.concurrency = CONCURRENCY_FIXED;
	assert_int_equal(lane_limit(lane, &settings), P);
	assert_int_equal(lane_total(&settings), P);
	assert_int_equal(lane_start(&settings), P);
	report = lane_report(lane, &settings);
	assert_int_equal(report.limit, P);
	assert_int_equal(report.least, P);
	assert_int_equal(report.most, P);
	assert_string_equal(report.reason, "fixed by max_concurrent");
}

/* One is served at a time: the others wait inside. */
static void test_adaptive_follows_what_answers_tell(void **state)
{
	static struct job jobs[MANY];
	int sent = 0;
	struct lane_report report;

	assert_int_equal(lane_total(&settings), LIMIT);
	assert_int_equal(lane_limit(lane, &settings), P);
	for (int ended = 0; ended < MANY; ended++) {
		struct lane_answer answer = {.was_loaded = true, .tokens = 10};

		for (; sent < MANY && sent - ended < lane_limit(lane, &settings); sent++) {
			jobs[sent] = new_job(100, 0);
			jobs[sent].record.dispatched_us = now_us;
			lane_sent(lane, &jobs[sent]);
		}
		now_us += S;
		answer.now_us = now_us;
		answer.wait_ns = (now_us - S - jobs[ended].record.dispatched_us) * 1000;
		lane_answered(lane, &jobs[ended], &answer);
		lane_released(lane, &jobs[ended], now_us);
	}
	report = lane_report(lane, &settings);
	assert_int_equal(report.limit, 1);
	assert_int_equal(report.least, 1);
	assert_in_range(report.most, P, LIMIT);
	assert_string_equal(report.reason, "time inside Ollama at 2: one is served at a time");
}

/* max_concurrent over the limit begins at the limit. */
static void test_it_begins_at_max_concurrent_within_the_limit(void **state)
{
	settings.max_concurrent = INT64_C(2) * LIMIT;
	assert_int_equal(lane_start(&settings), LIMIT);
	assert_int_equal(lane_limit(lane, &settings), LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_who_left_in_prefill_counts_for_one_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_many_who_left_are_counted_up_to_a_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fixed_is_max_concurrent, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_adaptive_follows_what_answers_tell, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_it_begins_at_max_concurrent_within_the_limit, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
