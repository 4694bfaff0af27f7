#include "core/admission.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "config/settings.h"
#include "core/job.h"

static struct settings settings;
static struct tally tally;
static struct admission admission;

static const int64_t SECOND_US = 1000000;

/* The defaults of PRODUCT 1.7, 3.1. */
static int setup(void **state)
{
	memset(&settings, 0, sizeof(settings));
	memset(&tally, 0, sizeof(tally));
	settings.max_concurrent = 3;
	settings.max_queue_size = 50;
	settings.max_reading = 200;
	settings.body_max = 100 << 20;
	settings.body_total = (int64_t)2 << 30;
	admission = (struct admission){.settings = &settings, .tally = &tally};
	return 0;
}

static void test_idle_lets_everybody_in(void **state)
{
	assert_int_equal(admission_at_head(&admission, 0), OUTCOME_NONE);
	assert_int_equal(admission_at_body(&admission, 0), OUTCOME_NONE);
	assert_int_equal(admission_at_queue(&admission), OUTCOME_NONE);
}

static void test_announced_body_over_body_max_is_too_large(void **state)
{
	assert_int_equal(admission_at_head(&admission, 100 << 20), OUTCOME_NONE);
	assert_int_equal(admission_at_head(&admission, (100 << 20) + 1), OUTCOME_BODY_TOO_LARGE);
	assert_int_equal(admission_at_head(&admission, UINT64_MAX), OUTCOME_BODY_TOO_LARGE);
}

static void test_growing_body_over_body_max_is_too_large(void **state)
{
	assert_int_equal(admission_at_body(&admission, 100 << 20), OUTCOME_NONE);
	assert_int_equal(admission_at_body(&admission, (100 << 20) + 1), OUTCOME_BODY_TOO_LARGE);
}

/* The one who asks is counted among the reading ones already. */
static void test_more_than_max_reading_find_the_queue_full(void **state)
{
	tally.reading = 200;
	assert_int_equal(admission_at_head(&admission, 0), OUTCOME_NONE);
	tally.reading = 201;
	assert_int_equal(admission_at_head(&admission, 0), OUTCOME_QUEUE_FULL);
}

static void test_bodies_over_body_total_find_the_queue_full(void **state)
{
	uint64_t total = (uint64_t)settings.body_total;

	admission.bodies_bytes = total - 1000;
	assert_int_equal(admission_at_head(&admission, 1000), OUTCOME_NONE);
	assert_int_equal(admission_at_head(&admission, 1001), OUTCOME_QUEUE_FULL);
	/* While it grows its bytes are part of bodies_bytes. */
	admission.bodies_bytes = total;
	assert_int_equal(admission_at_body(&admission, 1000), OUTCOME_NONE);
	admission.bodies_bytes = total + 1;
	assert_int_equal(admission_at_body(&admission, 1000), OUTCOME_QUEUE_FULL);
}

/* 413 is for good, 503 passes: the lasting answer is the one to give. */
static void test_too_large_is_said_before_full(void **state)
{
	tally.reading = 201;
	admission.bodies_bytes = UINT64_MAX;
	assert_int_equal(admission_at_head(&admission, (100 << 20) + 1), OUTCOME_BODY_TOO_LARGE);
	assert_int_equal(admission_at_body(&admission, (100 << 20) + 1), OUTCOME_BODY_TOO_LARGE);
}

static void test_zero_is_no_limit(void **state)
{
	settings.body_max = 0;
	settings.body_total = 0;
	settings.max_reading = 0;
	tally.reading = 1000000;
	admission.bodies_bytes = UINT64_MAX / 2;
	assert_int_equal(admission_at_head(&admission, UINT64_MAX), OUTCOME_NONE);
	assert_int_equal(admission_at_body(&admission, UINT64_MAX), OUTCOME_NONE);
}

/* Without body_max an announced length can be anything: the sum with what is kept must not wrap. */
static void test_announced_length_does_not_wrap_the_total(void **state)
{
	settings.body_max = 0;
	admission.bodies_bytes = 10;
	assert_int_equal(admission_at_head(&admission, UINT64_MAX), OUTCOME_QUEUE_FULL);
	assert_int_equal(admission_at_head(&admission, UINT64_MAX - 5), OUTCOME_QUEUE_FULL);
}

static void test_draining_refuses_whoever_comes_but_not_whoever_is_reading(void **state)
{
	admission.draining = true;
	assert_int_equal(admission_at_head(&admission, 0), OUTCOME_SHUTTING_DOWN);
	assert_int_equal(admission_at_head(&admission, (100 << 20) + 1), OUTCOME_SHUTTING_DOWN);
	assert_int_equal(admission_at_body(&admission, 1), OUTCOME_NONE);
	assert_int_equal(admission_at_queue(&admission), OUTCOME_NONE);
}

/* PRODUCT 3.1: it is full only when that many wait; those that run do not count. */
static void test_queue_is_full_when_max_queue_size_wait(void **state)
{
	tally.in_progress = 16;
	tally.reading = 200;
	tally.flushing = 100;
	tally.queued = 49;
	assert_int_equal(admission_at_queue(&admission), OUTCOME_NONE);
	tally.queued = 50;
	assert_int_equal(admission_at_queue(&admission), OUTCOME_QUEUE_FULL);
	/* Retries came back to their places. */
	tally.queued = 53;
	assert_int_equal(admission_at_queue(&admission), OUTCOME_QUEUE_FULL);
	tally.queued = 0;
	settings.max_queue_size = 1;
	assert_int_equal(admission_at_queue(&admission), OUTCOME_NONE);
	tally.queued = 1;
	assert_int_equal(admission_at_queue(&admission), OUTCOME_QUEUE_FULL);
}

/* Three that come in one turn to an idle proxy with one slot and two places all get in: one starts
 * in the turn's tail. */
static void test_jobs_that_start_in_this_turn_take_no_place_from_others(void **state)
{
	admission.startable = 1;
	tally.queued = 50;
	assert_int_equal(admission_at_queue(&admission), OUTCOME_NONE);
	tally.queued = 51;
	assert_int_equal(admission_at_queue(&admission), OUTCOME_QUEUE_FULL);
}

static enum outcome ask_groups(uint64_t waiting, uint64_t running, int64_t waiting_most,
	int64_t running_most, bool is_project)
{
	struct job_group group = {.waiting = waiting, .running = running};
	struct job_group empty = {0};
	struct policy policy = {0};

	*(is_project ? &policy.project_max_queue_size : &policy.model_max_queue_size) =
		waiting_most;
	*(is_project ? &policy.project_max_concurrent : &policy.model_max_concurrent) =
		running_most;
	return admission_at_groups(
		&admission, &policy, is_project ? &group : &empty, is_project ? &empty : &group);
}

/* PRODUCT 2: a project's max_queue_size reached; a model's too. */
static void test_a_project_and_a_model_have_places_of_their_own(void **state)
{
	for (int is_project = 0; is_project < 2; is_project++) {
		assert_int_equal(ask_groups(1, 0, 2, 0, is_project), OUTCOME_NONE);
		assert_int_equal(ask_groups(2, 0, 2, 0, is_project), OUTCOME_QUEUE_FULL);
		assert_int_equal(ask_groups(1000, 0, 0, 0, is_project), OUTCOME_NONE);
	}
}

static void test_who_has_no_jobs_yet_has_places(void **state)
{
	struct policy policy = {.project_max_queue_size = 1, .model_max_queue_size = 1};

	assert_int_equal(admission_at_groups(&admission, &policy, NULL, NULL), OUTCOME_NONE);
}

/* Those that start in this turn's tail do not wait, as far as their cap lets them. */
static void test_jobs_that_start_in_this_turn_take_no_place_of_their_project(void **state)
{
	admission.startable = 3;
	assert_int_equal(ask_groups(4, 0, 2, 0, true), OUTCOME_NONE);
	assert_int_equal(ask_groups(5, 0, 2, 0, true), OUTCOME_QUEUE_FULL);
	assert_int_equal(ask_groups(2, 1, 2, 2, true), OUTCOME_NONE);
	assert_int_equal(ask_groups(3, 1, 2, 2, true), OUTCOME_QUEUE_FULL);
	assert_int_equal(ask_groups(2, 2, 2, 2, true), OUTCOME_QUEUE_FULL);
	assert_int_equal(ask_groups(2, 3, 2, 2, true), OUTCOME_QUEUE_FULL);
	assert_int_equal(ask_groups(4, 0, 2, 9, true), OUTCOME_NONE);
}

static int retry_after(uint64_t queued, uint64_t in_progress, int64_t service_us)
{
	tally.queued = queued;
	tally.in_progress = in_progress;
	return admission_retry_after(&admission, service_us);
}

static void test_retry_after_is_half_the_time_the_queue_takes(void **state)
{
	/* (50 + 3) jobs of 2 s through 3 slots: 35.3 s; half of it, in whole seconds. */
	assert_int_equal(retry_after(50, 3, 2 * SECOND_US), 18);
	assert_int_equal(retry_after(9, 3, SECOND_US), 2);
	assert_int_equal(retry_after(9, 3, SECOND_US + 1), 3);
	/* as many as run at once just now */
	admission.slots = 1;
	assert_int_equal(retry_after(9, 3, SECOND_US), 6);
	admission.slots = 0;
	settings.max_concurrent = 1;
	assert_int_equal(retry_after(9, 1, SECOND_US), 5);
	/* A setting of 0 counts as one slot. */
	settings.max_concurrent = 0;
	assert_int_equal(retry_after(9, 1, SECOND_US), 5);
}

static void test_retry_after_without_a_measured_time_takes_a_second_a_job(void **state)
{
	assert_int_equal(retry_after(50, 3, 0), retry_after(50, 3, SECOND_US));
	assert_int_equal(retry_after(50, 3, -1), retry_after(50, 3, SECOND_US));
	assert_int_equal(retry_after(50, 3, 0), 9);
}

static void test_retry_after_is_1_to_60(void **state)
{
	static const uint64_t counts[] = {0, 1, 2, 50, 1000, 100000};
	static const int64_t services[] = {
		INT64_MIN, -1, 0, 1, 999999, 1000000, 60000000, 60000001, 3600000000, INT64_MAX};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		int before = 0;

		for (size_t k = 2; k < sizeof(services) / sizeof(services[0]); k++) {
			int seconds = retry_after(counts[i], 3, services[k]);

			assert_in_range(seconds, 1, 60);
			/* A longer service never means an earlier return (0: unknown). */
			assert_true(seconds >= before || services[k] <= 1);
			before = services[k] > 0 ? seconds : 0;
		}
		assert_in_range(retry_after(counts[i], 0, services[0]), 1, 60);
		assert_in_range(retry_after(counts[i], 0, services[1]), 1, 60);
	}
	assert_int_equal(retry_after(0, 0, 1), 1);
	assert_int_equal(retry_after(0, 0, INT64_MAX), 1);
	assert_int_equal(retry_after(50, 3, INT64_MAX), 60);
	/* 6 jobs of 60 s through 3 slots: exactly 60 s. */
	assert_int_equal(retry_after(3, 3, 60 * SECOND_US), 60);
	assert_int_equal(retry_after(3, 2, 60 * SECOND_US), 50);
}

#define ADMISSION_TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ADMISSION_TEST(test_idle_lets_everybody_in),
		ADMISSION_TEST(test_announced_body_over_body_max_is_too_large),
		ADMISSION_TEST(test_growing_body_over_body_max_is_too_large),
		ADMISSION_TEST(test_more_than_max_reading_find_the_queue_full),
		ADMISSION_TEST(test_bodies_over_body_total_find_the_queue_full),
		ADMISSION_TEST(test_too_large_is_said_before_full),
		ADMISSION_TEST(test_zero_is_no_limit),
		ADMISSION_TEST(test_announced_length_does_not_wrap_the_total),
		ADMISSION_TEST(test_draining_refuses_whoever_comes_but_not_whoever_is_reading),
		ADMISSION_TEST(test_jobs_that_start_in_this_turn_take_no_place_from_others),
		ADMISSION_TEST(test_queue_is_full_when_max_queue_size_wait),
		ADMISSION_TEST(test_a_project_and_a_model_have_places_of_their_own),
		ADMISSION_TEST(test_who_has_no_jobs_yet_has_places),
		ADMISSION_TEST(test_jobs_that_start_in_this_turn_take_no_place_of_their_project),
		ADMISSION_TEST(test_retry_after_is_half_the_time_the_queue_takes),
		ADMISSION_TEST(test_retry_after_without_a_measured_time_takes_a_second_a_job),
		ADMISSION_TEST(test_retry_after_is_1_to_60),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
