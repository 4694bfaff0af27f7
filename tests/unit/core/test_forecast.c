/* The replay by itself: what starts when. Times in seconds. */
#include "core/forecast/forecast.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/fits.h"
#include "core/job.h"

enum { JOBS = 16 };

#define S 1e6

static struct forecast *forecast;
static int64_t starts[JOBS];
static size_t count;
static struct forecast_box box;

static int setup(void **state)
{
	forecast = forecast_create();
	count = 0;
	box = (struct forecast_box){.slots = 2,
		.max_turn_wait_us = 45 * S,
		.floor_loads = 4,
		.growth = 2,
		.growth_most = 4};
	return 0;
}

static int teardown(void **state)
{
	forecast_destroy(forecast);
	return 0;
}

/* A runner that serves two at once, in 4 s each, and is loaded in 10 s. */
static size_t add_key(uint32_t id, const char *model, bool is_resident)
{
	const struct forecast_key key = {
		.id = id,
		.model = model,
		.load_us = 10 * S,
		.service_us = 4 * S,
		.parallel = 2,
		.is_resident = is_resident,
		.grow = 1,
	};

	return forecast_add_key(forecast, &key);
}

static struct forecast_job job_of(size_t key, int64_t first)
{
	assert_true(count < JOBS);
	starts[count] = -1;
	return (struct forecast_job){.key = key,
		.weight = 1,
		.first_us = first,
		.ends_us = -1,
		.ret_start_us = &starts[count++]};
}

static void add(size_t key, int64_t first)
{
	struct forecast_job job = job_of(key, first);

	forecast_add_job(forecast, &job);
}

static void expect(size_t at, double seconds)
{
	assert_int_equal(starts[at], (int64_t)(seconds * S));
}

static void test_free_slots_are_used_at_once(void **state)
{
	forecast_begin(forecast, &box);
	add_key(1, "a", true);
	for (int i = 0; i < 5; i++)
		add(0, i);
	forecast_run(forecast);
	expect(0, 0);
	expect(1, 0);
	expect(2, 4);
	expect(3, 4);
	expect(4, 8);
}

static void test_those_that_run_have_run_for_a_while(void **state)
{
	forecast_begin(forecast, &box);
	add_key(1, "a", true);
	forecast_add_running(forecast, &(struct forecast_running){.key = 0, .held_us = 1 * S});
	forecast_add_running(forecast, &(struct forecast_running){.key = 0, .held_us = 12 * S});
	add(0, 0);
	add(0, 1);
	forecast_run(forecast);
	expect(0, 3);
	expect(1, 3);
}

static void test_what_is_left(void **state)
{
	assert_true(forecast_left_us(4 * S, 0) == 4 * S);
	assert_true(forecast_left_us(4 * S, 1 * S) == 3 * S);
	assert_true(forecast_left_us(4 * S, 8 * S) == 2 * S);
}

static void test_order_is_that_of_first_arrivals(void **state)
{
	box.slots = 1;
	forecast_begin(forecast, &box);
	add_key(1, "a", true);
	add(0, 5);
	add(0, 3);
	add(0, 5);
	forecast_run(forecast);
	expect(0, 4);
	expect(1, 0);
	expect(2, 8);
}

static void test_a_load_comes_first(void **state)
{
	forecast_begin(forecast, &box);
	add_key(1, "a", false);
	add(0, 0);
	forecast_run(forecast);
	expect(0, 10);
}

static void test_a_load_that_is_under_way(void **state)
{
	forecast_begin(forecast, &box);
	add_key(1, "a", false);
	forecast_set_loading(forecast, 0, 7 * S);
	add(0, 0);
	forecast_run(forecast);
	expect(0, 3);
	count = 0;
	forecast_begin(forecast, &box);
	add_key(1, "a", false);
	forecast_set_loading(forecast, 0, -1);
	add(0, 0);
	forecast_run(forecast);
	expect(0, 10);
}

/* The loaded one runs dry, then the other is loaded in its place. */
static void test_a_loaded_one_is_served_until_it_runs_dry(void **state)
{
	forecast_begin(forecast, &box);
	add_key(1, "a", true);
	add_key(2, "b", false);
	add(1, 0);
	for (int i = 1; i < 4; i++)
		add(0, i);
	forecast_run(forecast);
	expect(1, 0);
	expect(3, 4);
	expect(0, 18);
}

static void test_two_that_fit_need_no_unload(void **state)
{
	struct fits fits = {0};
	const struct fits_set both = {.ids = {1, 2}, .count = 2};

	fits_saw(&fits, &both);
	box.fits = &fits;
	box.slots = 4;
	forecast_begin(forecast, &box);
	add_key(1, "a", true);
	add_key(2, "b", false);
	add(1, 0);
	for (int i = 1; i < 8; i++)
		add(0, i);
	forecast_run(forecast);
	expect(0, 10);
	expect(7, 12);
}

/* Two keys of one model never do, whatever was seen. */
static void test_a_model_with_other_options_takes_its_place(void **state)
{
	struct fits fits = {0};
	const struct fits_set both = {.ids = {1, 2}, .count = 2};

	fits_saw(&fits, &both);
	box.fits = &fits;
	forecast_begin(forecast, &box);
	add_key(1, "a", true);
	add_key(2, "a", false);
	add(1, 0);
	add(0, 1);
	forecast_run(forecast);
	expect(0, 14);
}

/* Overdue after 20 s, the floor is 40 s: the turn is cut at the end of what runs then. */
static void test_one_that_is_overdue_cuts_after_the_floor(void **state)
{
	box.max_turn_wait_us = 20 * S;
	box.slots = 1;
	forecast_begin(forecast, &box);
	add_key(1, "a", true);
	add_key(2, "b", false);
	for (int i = 0; i < 14; i++)
		add(0, i);
	add(1, 14);
	forecast_run(forecast);
	expect(9, 36);
	expect(14, 50);
	/* then it has run dry, and the first one is loaded again */
	expect(10, 64);
}

static void test_without_max_turn_wait_nobody_cuts(void **state)
{
	box.max_turn_wait_us = 0;
	box.slots = 1;
	forecast_begin(forecast, &box);
	add_key(1, "a", true);
	add_key(2, "b", false);
	for (int i = 0; i < 14; i++)
		add(0, i);
	add(1, 14);
	forecast_run(forecast);
	expect(13, 52);
	expect(14, 66);
}

static void test_the_higher_class_goes_first(void **state)
{
	struct forecast_job high;

	box.slots = 1;
	forecast_begin(forecast, &box);
	add_key(1, "a", true);
	add(0, 0);
	add(0, 1);
	high = job_of(0, 2);
	high.rank = 1;
	forecast_add_job(forecast, &high);
	forecast_run(forecast);
	expect(2, 0);
	expect(0, 4);
	expect(1, 8);
}

/* A job rises by one class for each time that it waits. */
static void test_who_waits_long_rises(void **state)
{
	struct forecast_job job;

	box.slots = 1;
	box.rank_most = 3;
	box.ageing_us = 10 * S;
	forecast_begin(forecast, &box);
	add_key(1, "a", true);
	for (int i = 0; i < 4; i++) {
		job = job_of(0, i);
		job.rank = i == 3 ? 1 : 2;
		job.age_us = i == 3 ? 13 * S : 0;
		forecast_add_job(forecast, &job);
	}
	forecast_run(forecast);
	expect(0, 0);
	expect(1, 4);
	expect(3, 8);
	expect(2, 12);
}

/* Of the others one more than runs, and only the floor of one load. */
static void test_the_highest_class_is_overdue_at_once(void **state)
{
	struct forecast_job high;

	box.slots = 1;
	box.rank_most = 3;
	box.floor_loads_outranked = 1;
	forecast_begin(forecast, &box);
	add_key(1, "a", true);
	add_key(2, "b", false);
	for (int i = 0; i < 10; i++)
		add(0, i);
	high = job_of(1, 10);
	high.rank = 3;
	forecast_add_job(forecast, &high);
	forecast_run(forecast);
	expect(2, 8);
	expect(10, 22);
	expect(3, 36);
}

static void test_what_a_class_counts_chooses_the_next(void **state)
{
	static const double worth[] = {1, 1, 4};
	struct forecast_job high;

	box.worth = worth;
	box.rank_most = 3;
	forecast_begin(forecast, &box);
	add_key(1, "a", false);
	add_key(2, "b", false);
	for (int i = 0; i < 2; i++)
		add(0, i);
	high = job_of(1, 2);
	high.rank = 2;
	forecast_add_job(forecast, &high);
	forecast_run(forecast);
	expect(2, 10);
	expect(0, 24);
}

/* One that runs and one that waits are all that a project may have; nobody else waits for them. */
static void test_no_more_run_than_may(void **state)
{
	const struct job_group group = {.running_most = 1};
	struct forecast_job capped;

	forecast_begin(forecast, &box);
	add_key(1, "a", true);
	forecast_add_running(
		forecast, &(struct forecast_running){.held_us = 1 * S, .caps = {&group}});
	for (int i = 0; i < 2; i++) {
		capped = job_of(0, i);
		capped.caps[0] = &group;
		forecast_add_job(forecast, &capped);
	}
	add(0, 2);
	forecast_run(forecast);
	expect(2, 0);
	expect(0, 3);
	expect(1, 7);
}

/* What a cap keeps back has no model loaded and prolongs no turn. */
static void test_what_may_not_run_makes_no_turn(void **state)
{
	const struct job_group group = {.running_most = 1};
	struct forecast_job capped;

	forecast_begin(forecast, &box);
	add_key(1, "a", true);
	add_key(2, "b", false);
	add_key(3, "c", false);
	forecast_add_running(forecast, &(struct forecast_running){.held_us = 0, .caps = {&group}});
	capped = job_of(1, 0);
	capped.age_us = 20 * S;
	capped.caps[1] = &group;
	forecast_add_job(forecast, &capped);
	add(2, 1);
	forecast_run(forecast);
	expect(1, 14);
	expect(0, 28);
}

static void test_projects_take_turns_by_what_they_had(void **state)
{
	box.slots = 1;
	forecast_begin(forecast, &box);
	add_key(1, "a", true);
	for (int i = 0; i < 3; i++)
		add(0, i);
	for (int i = 3; i < 5; i++) {
		struct forecast_job other = job_of(0, i);

		other.project = 1;
		other.served_us = 2 * S;
		forecast_add_job(forecast, &other);
	}
	forecast_run(forecast);
	expect(0, 0);
	expect(3, 4);
	expect(1, 8);
	expect(4, 12);
	expect(2, 16);
}

static void test_what_has_no_turn_goes_first(void **state)
{
	const struct forecast_key loose = {
		.service_us = S, .parallel = 1, .goes_first = true, .is_resident = true};

	box.slots = 1;
	forecast_begin(forecast, &box);
	forecast_add_key(forecast, &loose);
	add_key(1, "a", true);
	add(1, 0);
	add(0, 1);
	forecast_run(forecast);
	expect(1, 0);
	expect(0, 1);
}

/* A place that is kept counts at its first arrival, from when its client is to come. */
static void test_a_kept_place_counts_from_when_its_client_comes(void **state)
{
	struct forecast_job kept;

	box.slots = 1;
	forecast_begin(forecast, &box);
	add_key(1, "a", true);
	for (int i = 1; i < 4; i++)
		add(0, i);
	kept = job_of(0, 0);
	kept.comes_us = 3 * S;
	forecast_add_job(forecast, &kept);
	forecast_run(forecast);
	expect(0, 0);
	expect(3, 4);
	expect(1, 8);
	expect(2, 12);
}

static void test_nothing_is_loaded_for_one_that_is_not_back(void **state)
{
	struct forecast_job kept;

	forecast_begin(forecast, &box);
	add_key(1, "a", true);
	add_key(2, "b", false);
	add_key(3, "c", false);
	kept = job_of(1, 0);
	kept.comes_us = 30 * S;
	forecast_add_job(forecast, &kept);
	add(2, 1);
	forecast_run(forecast);
	expect(1, 10);
	expect(0, 40);
}

static void test_one_whose_wait_ends_takes_no_slot(void **state)
{
	struct forecast_job short_one;

	box.slots = 1;
	forecast_begin(forecast, &box);
	add_key(1, "a", true);
	add(0, 0);
	short_one = job_of(0, 1);
	short_one.ends_us = 3 * S;
	forecast_add_job(forecast, &short_one);
	add(0, 2);
	forecast_run(forecast);
	expect(1, 4);
	expect(2, 4);
}

/* The queue's bound stands still while its own runner is loaded. */
static void test_a_load_prolongs_the_wait_of_its_own(void **state)
{
	struct forecast_job short_one;

	box.slots = 1;
	forecast_begin(forecast, &box);
	add_key(1, "a", false);
	short_one = job_of(0, 0);
	short_one.ends_us = 3 * S;
	forecast_add_job(forecast, &short_one);
	add(0, 1);
	forecast_run(forecast);
	expect(0, 10);
	expect(1, 14);
}

/* Nobody is there but the one that fell idle, and is held for its client. */
static void test_one_that_is_held_is_not_sent_away_before(void **state)
{
	box.held_until_us = 3 * S;
	forecast_begin(forecast, &box);
	add_key(1, "a", true);
	add(add_key(2, "b", false), 0);
	add(0, 1);
	forecast_run(forecast);
	expect(1, 0);
	/* It serves its client for 4 s, by then nobody is held any more. */
	expect(0, 14);
	forecast_begin(forecast, &box);
	add_key(1, "a", true);
	add(add_key(2, "b", false), 0);
	forecast_run(forecast);
	expect(2, 13);
}

enum { MANY = 2000 };

/* Each of its own project, of a runner that is loaded and of one that is not. */
static void forecast_many(int64_t many[MANY], uint64_t slots)
{
	box.slots = slots;
	forecast_begin(forecast, &box);
	add_key(1, "a", true);
	add_key(2, "b", false);
	for (int i = 0; i < MANY; i++) {
		const struct forecast_job job = {
			.key = (size_t)(i % 2),
			.project = (uint64_t)i,
			.weight = 1,
			.first_us = i,
			.ends_us = -1,
			.ret_start_us = &many[i],
		};

		many[i] = -1;
		forecast_add_job(forecast, &job);
	}
	forecast_run(forecast);
}

/* With all steps it would be exactly that: two at a time, one runner after the other. */
static void test_beyond_so_many_steps_a_coarser_rule_goes_on(void **state)
{
	static int64_t many[MANY];
	const double first_runs_dry_us = MANY / 2 / 2 * 4 * S;

	box.max_turn_wait_us = 0;
	forecast_many(many, 2);
	/* the last event may take some more */
	assert_true(forecast_steps(forecast) >= FORECAST_STEPS_MOST);
	assert_true(forecast_steps(forecast) < FORECAST_STEPS_MOST + 10 * MANY);
	for (int i = 0; i < MANY; i++) {
		double exact_us = i / 4 * 4 * S + (i % 2 ? first_runs_dry_us + 10 * S : 0);

		assert_true((double)many[i] > exact_us - 4.1 * S);
		assert_true((double)many[i] < exact_us + 4.1 * S);
	}
}

static void test_few_take_few_steps(void **state)
{
	forecast_begin(forecast, &box);
	add_key(1, "a", true);
	for (int i = 0; i < JOBS; i++)
		add(0, i);
	forecast_run(forecast);
	assert_true(forecast_steps(forecast) > 0);
	assert_true(forecast_steps(forecast) < 10 * JOBS);
	forecast_begin(forecast, &box);
	assert_int_equal(forecast_steps(forecast), 0);
}

static void test_nothing_waits_and_no_slots(void **state)
{
	forecast_begin(forecast, &box);
	forecast_run(forecast);
	box.slots = 0;
	forecast_begin(forecast, &box);
	add_key(1, "a", true);
	add(0, 0);
	forecast_run(forecast);
	expect(0, 0);
}

int main(void)
{
#define UNIT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		UNIT(test_free_slots_are_used_at_once),
		UNIT(test_those_that_run_have_run_for_a_while),
		UNIT(test_what_is_left),
		UNIT(test_order_is_that_of_first_arrivals),
		UNIT(test_a_load_comes_first),
		UNIT(test_a_load_that_is_under_way),
		UNIT(test_a_loaded_one_is_served_until_it_runs_dry),
		UNIT(test_two_that_fit_need_no_unload),
		UNIT(test_a_model_with_other_options_takes_its_place),
		UNIT(test_one_that_is_overdue_cuts_after_the_floor),
		UNIT(test_without_max_turn_wait_nobody_cuts),
		UNIT(test_the_higher_class_goes_first),
		UNIT(test_who_waits_long_rises),
		UNIT(test_the_highest_class_is_overdue_at_once),
		UNIT(test_what_a_class_counts_chooses_the_next),
		UNIT(test_no_more_run_than_may),
		UNIT(test_what_may_not_run_makes_no_turn),
		UNIT(test_projects_take_turns_by_what_they_had),
		UNIT(test_what_has_no_turn_goes_first),
		UNIT(test_a_kept_place_counts_from_when_its_client_comes),
		UNIT(test_nothing_is_loaded_for_one_that_is_not_back),
		UNIT(test_one_whose_wait_ends_takes_no_slot),
		UNIT(test_a_load_prolongs_the_wait_of_its_own),
		UNIT(test_one_that_is_held_is_not_sent_away_before),
		UNIT(test_beyond_so_many_steps_a_coarser_rule_goes_on),
		UNIT(test_few_take_few_steps),
		UNIT(test_nothing_waits_and_no_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
