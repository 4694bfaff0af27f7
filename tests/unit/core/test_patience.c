/* Each sentence of PRODUCT 3.5 that is arithmetic. */
#include "core/patience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/job.h"

static const int64_t S = 1000000;

static struct tally tally;
static struct job job;

/* Its head was complete at 100 s, its body a second later; its client waits 20 s. */
static int setup(void **state)
{
	tally = (struct tally){0};
	job_init(&job, &tally);
	job.record.arrived_us = 100 * S;
	job.record.body_complete_us = 101 * S;
	job.policy.patience_us = 20 * S;
	return 0;
}

static int teardown(void **state)
{
	job_finish(&job);
	return 0;
}

static void test_patience_counts_from_the_head(void **state)
{
	patience_update(&job, 4 * S);
	assert_int_equal(job.patience_due_us, 116 * S);
	assert_false(job.record.patience_doubted);
}

static void test_without_patience_nobody_is_late(void **state)
{
	job.policy.patience_us = 0;
	patience_update(&job, 4 * S);
	assert_int_equal(job.patience_due_us, 0);
	assert_false(job.record.patience_doubted);
	assert_false(patience_is_late(&job, 101 * S, 1000 * S, 4 * S));
}

/* 1.2 * start + service > what is left of 20 s */
static void test_late_by_the_forecast(void **state)
{
	patience_update(&job, 4 * S);
	assert_false(patience_is_late(&job, 101 * S, 12 * S, 4 * S));
	assert_true(patience_is_late(&job, 101 * S, 13 * S, 4 * S));
	assert_true(patience_is_late(&job, 104 * S, 12 * S, 4 * S));
}

static void test_one_that_can_start_now_is_not_refused(void **state)
{
	patience_update(&job, 4 * S);
	assert_false(patience_is_late(&job, 118 * S, 0, 4 * S));
	assert_true(patience_is_late(&job, 118 * S, 1, 4 * S));
}

static void test_a_patience_that_cannot_be_true_is_none(void **state)
{
	patience_update(&job, 21 * S);
	assert_int_equal(job.patience_due_us, 0);
	assert_true(job.record.patience_doubted);
	assert_false(patience_is_late(&job, 101 * S, 1000 * S, 21 * S));
	/* what is left when the body has come counts: no retry would help */
	patience_update(&job, 19 * S);
	assert_int_equal(job.patience_due_us, 101 * S);
	patience_update(&job, 19 * S + 1);
	assert_int_equal(job.patience_due_us, 0);
}

/* The first answer was slow, the following ones are not. */
static void test_a_doubt_goes_when_its_reason_goes(void **state)
{
	patience_update(&job, 21 * S);
	assert_true(job.record.patience_doubted);
	patience_update(&job, 4 * S);
	assert_false(job.record.patience_doubted);
	assert_int_equal(job.patience_due_us, 116 * S);
	patience_update(&job, 21 * S);
	assert_true(job.record.patience_doubted);
}

static void test_retry_after_leaves_half_of_what_is_spare(void **state)
{
	assert_int_equal(patience_retry_after(&job, 20 * S, 4 * S), 12);
	assert_int_equal(patience_retry_after(&job, 20 * S + 1, 4 * S), 13);
	assert_int_equal(patience_retry_after(&job, 5 * S, 4 * S), 1);
	assert_int_equal(patience_retry_after(&job, 0, 4 * S), 1);
	assert_int_equal(patience_retry_after(&job, 68 * S, 4 * S), 60);
	assert_int_equal(patience_retry_after(&job, INT64_MAX / 2, 4 * S), 60);
	assert_int_equal(patience_retry_after(&job, 7 * S, 40 * S), 7);
}

static void test_the_sooner_bound_ends_the_wait(void **state)
{
	assert_int_equal(job_wait_end_us(&job), 0);
	job.deadline_us = 161 * S;
	assert_int_equal(job_wait_end_us(&job), 161 * S);
	patience_update(&job, 4 * S);
	assert_int_equal(job_wait_end_us(&job), 116 * S);
	job.deadline_us = 110 * S;
	assert_int_equal(job_wait_end_us(&job), 110 * S);
	assert_false(job_is_over(&job, 110 * S - 1));
	assert_true(job_is_over(&job, 110 * S));
}

static void test_a_load_stops_the_queues_bound_only(void **state)
{
	job.deadline_us = 110 * S;
	patience_update(&job, 4 * S);
	job_load_begun(&job, 105 * S);
	assert_int_equal(job_wait_end_us(&job), 116 * S);
	job_load_ended(&job, 112 * S);
	assert_int_equal(job.deadline_us, 117 * S);
	assert_int_equal(job_wait_end_us(&job), 116 * S);
}

/* However many wait and come, most of the time is left for others. */
static void test_dear_tests_are_followed_by_a_rest(void **state)
{
	assert_int_equal(patience_rest_us(60), 0);
	assert_int_equal(patience_rest_us(500), 0);
	assert_int_equal(patience_rest_us(5000), 45000);
}

int main(void)
{
#define UNIT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		UNIT(test_dear_tests_are_followed_by_a_rest),
		UNIT(test_patience_counts_from_the_head),
		UNIT(test_without_patience_nobody_is_late),
		UNIT(test_late_by_the_forecast),
		UNIT(test_one_that_can_start_now_is_not_refused),
		UNIT(test_a_patience_that_cannot_be_true_is_none),
		UNIT(test_a_doubt_goes_when_its_reason_goes),
		UNIT(test_retry_after_leaves_half_of_what_is_spare),
		UNIT(test_the_sooner_bound_ends_the_wait),
		UNIT(test_a_load_stops_the_queues_bound_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
