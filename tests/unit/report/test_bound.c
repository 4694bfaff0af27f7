#include "report/bound.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "base/compiler.h"

enum { US_PER_S = 1000000, JOBS = 60, RUNS = 400, SLOTS_MOST = 6 };

struct job {
	int64_t arrived_us;
	int64_t service_us;
	bool is_done;
};

static double bound_of(const struct job *jobs, size_t count, unsigned slots)
{
	struct bound *bound = bound_create(slots);
	double sum;

	for (size_t i = 0; i < count; i++)
		assert_true(bound_add(bound, jobs[i].arrived_us, jobs[i].service_us));
	sum = bound_wait_sum(bound);
	bound_destroy(bound);
	return sum;
}

/* What a real scheduler does: slots, no interruption; by arrival or the shortest first. Seconds. */
static double waits_of(struct job *jobs, size_t count, unsigned slots, bool is_shortest_first)
{
	int64_t free_us[SLOTS_MOST] = {0};
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		jobs[i].is_done = false;
	for (size_t done = 0; done < count; done++) {
		struct job *next = NULL;
		unsigned slot = 0;
		int64_t now;

		for (unsigned i = 1; i < slots; i++) {
			if (free_us[i] < free_us[slot])
				slot = i;
		}
		now = free_us[slot];
		for (size_t i = 0; i < count; i++) {
			struct job *job = &jobs[i];

			if (job->is_done)
				continue;
			if (!next)
				next = job;
			else if (is_shortest_first && job->arrived_us <= now &&
				 job->service_us < next->service_us)
				next = job;
		}
		if (now < next->arrived_us)
			now = next->arrived_us;
		next->is_done = true;
		sum += (double)(now - next->arrived_us) / US_PER_S;
		free_us[slot] = now + next->service_us;
	}
	return sum;
}

static void test_one_at_a_time_is_exact_for_a_batch(void **state)
{
	struct job jobs[] = {{0, 3 * US_PER_S}, {0, 1 * US_PER_S}, {0, 2 * US_PER_S}};

	/* shortest first: 0 + 1 + 3 */
	assert_true(fabs(bound_of(jobs, 3, 1) - 4) < 1e-6);
}

static void test_a_burst_on_three_slots(void **state)
{
	struct job jobs[5];

	for (int i = 0; i < 5; i++)
		jobs[i] = (struct job){0, 8 * US_PER_S};
	/* The best is 16: two wait for 8 s. The bound by hand: 40 * 6 / 2 / 3 + 40 / 3 - 40. */
	assert_true(fabs(bound_of(jobs, 5, 3) - (120.0 / 3 + 40.0 / 3 - 40)) < 1e-6);
}

static void test_who_is_alone_never_waits(void **state)
{
	struct job jobs[20];

	for (int i = 0; i < 20; i++)
		jobs[i] = (struct job){(int64_t)i * 10 * US_PER_S, 9 * US_PER_S};
	assert_true(bound_of(jobs, 20, 1) < 1e-6);
	assert_true(bound_of(jobs, 20, 3) == 0);
}

static void test_no_schedule_is_below_it(void **state)
{
	unsigned seed = 1;
	int above = 0;

	for (int run = 0; run < RUNS; run++) {
		unsigned slots = 1 + (unsigned)run % SLOTS_MOST;
		struct job jobs[JOBS];
		int64_t now = 0;
		double bound;

		for (int i = 0; i < JOBS; i++) {
			if (rand_r(&seed) % 4 == 0)
				now += rand_r(&seed) % (20 * US_PER_S);
			jobs[i] = (struct job){now, 1 + rand_r(&seed) % (10 * US_PER_S)};
		}
		bound = bound_of(jobs, JOBS, slots);
		assert_true(bound <= waits_of(jobs, JOBS, slots, false) + 1e-6);
		assert_true(bound <= waits_of(jobs, JOBS, slots, true) + 1e-6);
		above += bound > 0.5 * waits_of(jobs, JOBS, slots, true);
	}
	/* And it is not idle talk: mostly above half of what a good scheduler does. */
	assert_true(above > RUNS / 2);
}

static void test_too_many_are_left_out(void **state)
{
	struct bound *bound = bound_create(1);
	int refused = 0;

	for (int i = 0; i < 20000; i++)
		refused += !bound_add(bound, 0, US_PER_S);
	assert_int_equal(refused, 20000 - 16384);
	assert_true(bound_wait_sum(bound) > 0);
	bound_destroy(bound);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_at_a_time_is_exact_for_a_batch),
		cmocka_unit_test(test_a_burst_on_three_slots),
		cmocka_unit_test(test_who_is_alone_never_waits),
		cmocka_unit_test(test_no_schedule_is_below_it),
		cmocka_unit_test(test_too_many_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
