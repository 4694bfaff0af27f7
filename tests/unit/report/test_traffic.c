#include "report/traffic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "base/compiler.h"

enum { US_PER_S = 1000000, REQUESTS = 3000 };

struct request {
	int64_t arrived_us;
	int64_t ended_us;
};

static int compare_ends(const void *one, const void *other)
{
	const struct request *a = one, *b = other;

	return (a->ended_us > b->ended_us) - (a->ended_us < b->ended_us);
}

static int compare_arrivals(const void *one, const void *other)
{
	const struct request *a = one, *b = other;

	return (a->arrived_us > b->arrived_us) - (a->arrived_us < b->arrived_us);
}

static uint64_t peak_of(const struct request *requests)
{
	uint64_t peak = 0;
	int begin = 0;

	for (int i = 0; i < REQUESTS; i++) {
		while (requests[i].arrived_us - requests[begin].arrived_us >=
			60 * (int64_t)US_PER_S)
			begin++;
		if ((uint64_t)(i - begin) + 1 > peak)
			peak = (uint64_t)(i - begin) + 1;
	}
	return peak;
}

static void test_the_order_of_ends_does_not_matter(void **state)
{
	static struct request requests[REQUESTS];
	struct traffic *traffic = traffic_create(0);
	const struct traffic_result *result;
	uint64_t bursts = 0, size = 1;
	unsigned seed = 7;
	int64_t now = 1000 * (int64_t)US_PER_S;

	for (int i = 0; i < REQUESTS; i++) {
		now += rand_r(&seed) % 5 ? rand_r(&seed) % US_PER_S
					 : rand_r(&seed) % (40 * US_PER_S);
		requests[i] = (struct request){now, now + rand_r(&seed) % (100 * US_PER_S)};
	}
	qsort(requests, REQUESTS, sizeof(*requests), compare_ends);
	for (int i = 0; i < REQUESTS; i++)
		traffic_add_arrival(traffic, requests[i].arrived_us, requests[i].ended_us);
	result = traffic_finish(traffic);
	qsort(requests, REQUESTS, sizeof(*requests), compare_arrivals);
	for (int i = 1; i <= REQUESTS; i++) {
		if (i < REQUESTS && requests[i].arrived_us - requests[i - 1].arrived_us <=
					    5 * (int64_t)US_PER_S) {
			size++;
			continue;
		}
		bursts += size > 1;
		size = 1;
	}
	assert_int_equal(result->arrivals, REQUESTS);
	assert_int_equal(result->late, 0);
	assert_int_equal(result->peak_a_minute, peak_of(requests));
	assert_int_equal(result->bursts, bursts);
	traffic_destroy(traffic);
}

static void test_bursts_and_pauses(void **state)
{
	static const int arrivals_s[] = {0, 1, 2, 30, 60, 61};
	struct traffic *traffic = traffic_create(0);
	const struct traffic_result *result;

	for (size_t i = 0; i < ARRAY_LENGTH(arrivals_s); i++)
		traffic_add_arrival(traffic, (int64_t)arrivals_s[i] * US_PER_S,
			(int64_t)(arrivals_s[i] + 1) * US_PER_S);
	result = traffic_finish(traffic);
	assert_int_equal(result->bursts, 2);
	assert_int_equal(result->burst_requests, 5);
	assert_int_equal(result->largest_burst, 3);
	assert_true(spread_most(&result->burst_ms) == 2);
	assert_true(spread_mean(&result->pause_ms) == 28);
	/* 0 and 60 are a minute apart, 1 and 61 too */
	assert_int_equal(result->peak_a_minute, 4);
	traffic_destroy(traffic);
}

static void test_how_many_ran_at_once(void **state)
{
	struct traffic *traffic = traffic_create(5000);
	const struct traffic_result *result;

	/* Three slots, handed over at once: the next begins 1 ms before the last is noted. */
	for (int64_t i = 0; i < 300; i++) {
		int64_t began = (i / 3) * 8 * US_PER_S - (i / 3) * 1000;

		traffic_add_run(traffic, 0, began, began + 8 * US_PER_S, 8 * US_PER_S);
	}
	result = traffic_finish(traffic);
	assert_int_equal(result->at_once, 3);
	assert_true(result->least_wait_sum_s > 0);
	assert_true(result->least_wait_sum_more_s < result->least_wait_sum_s);
	traffic_destroy(traffic);
}

static void test_nothing_ran(void **state)
{
	struct traffic *traffic = traffic_create(0);
	const struct traffic_result *result = traffic_finish(traffic);

	assert_int_equal(result->at_once, 0);
	assert_true(isnan(result->least_wait_sum_s));
	assert_int_equal(result->bursts, 0);
	traffic_destroy(traffic);
}

static void test_what_comes_hours_late_is_told(void **state)
{
	struct traffic *traffic = traffic_create(0);

	traffic_add_arrival(traffic, 100 * (int64_t)US_PER_S, 101 * (int64_t)US_PER_S);
	traffic_add_arrival(traffic, 20000 * (int64_t)US_PER_S, 20001 * (int64_t)US_PER_S);
	traffic_add_arrival(traffic, 90 * (int64_t)US_PER_S, 91 * (int64_t)US_PER_S);
	assert_int_equal(traffic_finish(traffic)->late, 1);
	assert_int_equal(traffic_finish(traffic)->arrivals, 2);
	traffic_destroy(traffic);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_order_of_ends_does_not_matter),
		cmocka_unit_test(test_bursts_and_pauses),
		cmocka_unit_test(test_how_many_ran_at_once),
		cmocka_unit_test(test_nothing_ran),
		cmocka_unit_test(test_what_comes_hours_late_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
