#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "observe/stats.h"

enum { ARRIVED_US = 1000000, MS = 1000 };

static struct record job(enum outcome outcome, int64_t wait_ms, int64_t latency_ms)
{
	struct record record;

	record_init(&record);
	record.is_job = true;
	record.outcome = outcome;
	record.arrived_us = ARRIVED_US;
	record.dispatched_us = ARRIVED_US + wait_ms * MS;
	record.queue_wait_us = wait_ms * MS;
	record.ended_us = ARRIVED_US + latency_ms * MS;
	return record;
}

static void add(struct stats *stats, struct record record)
{
	stats_add(stats, &record);
}

static void test_waits_are_of_dispatched_jobs(void **state)
{
	static struct stats stats;
	struct record expired = job(OUTCOME_QUEUE_TIMEOUT, 60000, 60000);
	struct record refused = job(OUTCOME_QUEUE_FULL, 70000, 70000);

	memset(&stats, 0, sizeof(stats));
	expired.dispatched_us = 0;
	refused.dispatched_us = 0;
	add(&stats, job(OUTCOME_SUCCESS, 1000, 2000));
	add(&stats, job(OUTCOME_UPSTREAM_STATUS, 3000, 4000));
	assert_int_equal(stats.max_wait_us, 3000 * MS);
	add(&stats, expired);
	add(&stats, refused);
	assert_int_equal(stats.wait_us.count, 2);
	assert_true(histogram_mean(&stats.wait_us) == 2000.0 * MS);
	/* the maximum includes the expired one, not what was never in the queue */
	assert_int_equal(stats.max_wait_us, 60000 * MS);
}

static void test_latencies_are_of_successes_by_warm_and_cold(void **state)
{
	static struct stats stats;
	struct record warm = job(OUTCOME_SUCCESS, 0, 1000);
	struct record cold = job(OUTCOME_SUCCESS, 0, 9000);
	struct record failed = job(OUTCOME_UPSTREAM_RESET, 0, 1);

	memset(&stats, 0, sizeof(stats));
	warm.warm = KNOWN_TRUE;
	cold.warm = KNOWN_FALSE;
	cold.load_duration = 7000000000;
	cold.is_load = true;
	failed.warm = KNOWN_FALSE;
	failed.is_load = true;
	add(&stats, warm);
	add(&stats, cold);
	add(&stats, failed);
	add(&stats, job(OUTCOME_SUCCESS, 0, 2000)); /* nobody knows */
	cold.is_load = false;			    /* it shared a load that was counted */
	cold.outcome = OUTCOME_UPSTREAM_TRUNCATED;
	add(&stats, cold);
	assert_int_equal(stats.latency_us.count, 3);
	assert_true(histogram_mean(&stats.latency_us) == 4000.0 * MS);
	assert_int_equal(stats.latency_warm_us.count, 1);
	assert_int_equal(stats.latency_warm_us.max, 1000 * MS);
	assert_int_equal(stats.latency_cold_us.count, 1);
	assert_int_equal(stats.latency_cold_us.max, 9000 * MS);
	assert_int_equal(stats.warm, 1);
	assert_int_equal(stats.cold, 1);
	/* the failed one loaded the model too; only one answer said how long */
	assert_int_equal(stats.model_loads, 2);
	assert_int_equal(stats.load_us.count, 1);
	assert_int_equal(stats.load_us.max, 7000 * MS);
}

static void test_passes_do_not_count(void **state)
{
	static struct stats stats, empty;
	struct record pass = job(OUTCOME_SUCCESS, 0, 1000);

	memset(&stats, 0, sizeof(stats));
	pass.is_job = false;
	pass.warm = KNOWN_TRUE;
	add(&stats, pass);
	assert_memory_equal(&stats, &empty, sizeof(stats));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waits_are_of_dispatched_jobs),
		cmocka_unit_test(test_latencies_are_of_successes_by_warm_and_cold),
		cmocka_unit_test(test_passes_do_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
