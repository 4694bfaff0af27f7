/*
 * The search for Ollama's parallelism against a small model of it: so many places, first come first
 * served, speed 1 / (1 + 0.15 (b - 1)) with b served at once; there is always work.
 */
#include "core/concurrency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "box.h"

enum {
	START = 3,
	MOST = 16,
	API_JOBS = 100,
	V1_JOBS = 200,
	LONG_RUN = 3000,
	STALLED_SEEDS = 200,
	STALLED_JOBS = 400
};

#define GOAL 0.95
#define GOAL_WITHOUT_SIZES 0.85
#define STALLS 0.1
/* A tenth of the run may pass until more places are seen. */
#define GOAL_UNTOLD 0.8

static const void *name_of(int who)
{
	static const char names[1 << 16];

	return &names[who % (int)sizeof(names)];
}

static int send_one(struct box *box)
{
	static int last_who;

	send_sized(box, ++last_who, draw_size(box));
	return last_who;
}

static struct flight next_end(struct box *box)
{
	struct flight ended;

	assert_true(pass_until(box, INFINITY, &ended));
	return ended;
}

static void step(struct box *box, struct concurrency *concurrency)
{
	enum { TOKENS = 300 };
	struct gauge_end end = {.is_good = true, .wait_us = -1};
	struct flight ended;

	while (box->count < concurrency_limit(concurrency, START, MOST) &&
		(!box->clients || box->count < box->clients))
		concurrency_sent(concurrency, name_of(send_one(box)), (int64_t)box->now_us);
	ended = next_end(box);
	end.now_us = (int64_t)box->now_us;
	if (box->tells == TELLS_WAIT)
		end.wait_us = (int64_t)(ended.begun_us - ended.sent_us);
	if (box->tells == TELLS_STREAM)
		end.first_byte_us = (int64_t)(ended.begun_us + MEAN_US / 50);
	if (box->tells != TELLS_NOTHING)
		end.work = 1 + floor(TOKENS * ended.size);
	concurrency_ended(concurrency, name_of(ended.who), &end);
}

/* After how many jobs the limit is the box's and settled. */
static int jobs_until_found(struct box *box, struct concurrency *concurrency, int most_jobs)
{
	int begun = box->ended;

	do
		step(box, concurrency);
	while (box->ended - begun < most_jobs &&
		!(concurrency->is_settled && concurrency->limit == box->places));
	return box->ended - begun;
}

/* Work a microsecond over so many jobs with the best fixed limit: the box's own places. */
static double best_rate(const struct box *like, int jobs)
{
	struct box box = *like;

	box.now_us = box.work = box.count = box.ended = 0;
	while (box.ended < jobs) {
		while (box.count < (box.places < MOST ? box.places : MOST))
			send_one(&box);
		next_end(&box);
	}
	return box.work / box.now_us;
}

enum { PLACES_KINDS = 4, SEEDS = 5 };

static const int all_places[PLACES_KINDS] = {1, 2, 4, 8};

static struct box new_box(int places, enum tells tells, enum sizes sizes, uint64_t seed)
{
	return (struct box){
		.places = places, .tells = tells, .sizes = sizes, .noise = NOISE, .random = seed};
}

static void expect(const struct box *box, const struct concurrency *concurrency, int jobs, int most)
{
	if (concurrency->limit == box->places && jobs <= most)
		return;
	fail_msg("%d places, kind %d, sizes %d: %d after %d jobs (%s)", box->places,
		(int)box->tells, (int)box->sizes, concurrency->limit, jobs,
		concurrency_reason(concurrency));
}

/* From now on nearly as much is done as with the best fixed limit, looks at other levels
 * included. */
static void expect_throughput(struct box *box, struct concurrency *concurrency, double goal)
{
	double begun_us = box->now_us;
	double work = box->work;
	double rate;

	for (int i = 0; i < LONG_RUN; i++)
		step(box, concurrency);
	rate = (box->work - work) / (box->now_us - begun_us);
	if (rate < goal * best_rate(box, LONG_RUN))
		fail_msg("%d places, kind %d, sizes %d: %.3f of the best throughput", box->places,
			(int)box->tells, (int)box->sizes, rate / best_rate(box, LONG_RUN));
}

static void find(enum tells tells, enum sizes sizes, int most_jobs)
{
	for (int kind = 0; kind < PLACES_KINDS; kind++) {
		for (uint64_t seed = 1; seed <= SEEDS; seed++) {
			struct box box = new_box(all_places[kind], tells, sizes, seed);
			struct concurrency concurrency = {0};
			int jobs = jobs_until_found(&box, &concurrency, LONG_RUN);

			expect(&box, &concurrency, jobs, most_jobs);
			expect_throughput(&box, &concurrency, GOAL);
		}
	}
}

static void test_time_inside_ollama_finds_it_within_100(void **state)
{
	find(TELLS_WAIT, EQUAL, API_JOBS);
	find(TELLS_WAIT, MIXED, API_JOBS);
	find(TELLS_WAIT, EXPONENTIAL, API_JOBS);
}

static void test_order_and_times_of_the_ends_find_it_within_200(void **state)
{
	find(TELLS_TOKENS, EQUAL, V1_JOBS);
	find(TELLS_TOKENS, MIXED, V1_JOBS);
	find(TELLS_TOKENS, EXPONENTIAL, V1_JOBS);
}

static void test_first_bytes_of_streams_find_it_within_200(void **state)
{
	find(TELLS_STREAM, EQUAL, V1_JOBS);
	find(TELLS_STREAM, MIXED, V1_JOBS);
	find(TELLS_STREAM, EXPONENTIAL, V1_JOBS);
}

/* Nothing tells how large a job is. Equal ones are compared all the same; of mixed ones only the
 * throughput is promised, and less of it. */
static void test_jobs_without_sizes(void **state)
{
	find(TELLS_NOTHING, EQUAL, V1_JOBS);
	for (int kind = 0; kind < PLACES_KINDS; kind++) {
		struct box box = new_box(all_places[kind], TELLS_NOTHING, MIXED, 1);
		struct concurrency concurrency = {0};

		expect_throughput(&box, &concurrency, GOAL_WITHOUT_SIZES);
	}
}

/* Ollama is started again with other places: what runs breaks. */
static void restart(struct box *box, struct concurrency *concurrency, int places)
{
	const struct gauge_end broken = {.now_us = (int64_t)box->now_us, .wait_us = -1};

	for (int i = 0; i < box->count; i++)
		concurrency_ended(concurrency, name_of(box->flights[i].who), &broken);
	box->count = 0;
	box->places = places;
	concurrency_forget(concurrency);
}

static void change(enum tells tells, int from, int to, int most_jobs)
{
	struct box box = new_box(from, tells, MIXED, 7);
	struct concurrency concurrency = {0};
	int jobs = jobs_until_found(&box, &concurrency, LONG_RUN);

	expect(&box, &concurrency, jobs, most_jobs);
	restart(&box, &concurrency, to);
	assert_non_null(strstr(concurrency_reason(&concurrency), "anew"));
	jobs = jobs_until_found(&box, &concurrency, LONG_RUN);
	expect(&box, &concurrency, jobs, most_jobs);
	expect_throughput(&box, &concurrency, GOAL);
}

static void test_a_restart_with_other_places_is_followed(void **state)
{
	for (int from = 0; from < PLACES_KINDS; from++) {
		for (int to = 0; to < PLACES_KINDS; to++) {
			change(TELLS_WAIT, all_places[from], all_places[to], API_JOBS);
			change(TELLS_TOKENS, all_places[from], all_places[to], V1_JOBS);
		}
	}
}

/* Nobody tells of the change: more places are found by the look that is due now and then, fewer by
 * the waits at once. */
static void test_a_change_that_nobody_tells_is_found(void **state)
{
	struct box box = new_box(2, TELLS_WAIT, MIXED, 3);
	struct concurrency concurrency = {0};

	jobs_until_found(&box, &concurrency, LONG_RUN);
	box.places = 8;
	expect_throughput(&box, &concurrency, GOAL_UNTOLD);
	jobs_until_found(&box, &concurrency, LONG_RUN); /* a look may be under way */
	expect(&box, &concurrency, 0, 0);
	box.places = 4;
	for (int i = 0; i < API_JOBS; i++)
		step(&box, &concurrency);
	assert_true(concurrency.limit <= 5);
	box = new_box(2, TELLS_TOKENS, MIXED, 3);
	concurrency = (struct concurrency){0};
	jobs_until_found(&box, &concurrency, LONG_RUN);
	box.places = 8;
	expect_throughput(&box, &concurrency, GOAL_UNTOLD);
	jobs_until_found(&box, &concurrency, LONG_RUN); /* a look may be under way */
	expect(&box, &concurrency, 0, 0);
}

/* Times that sizes do not show: it may err, but it comes to an end, and to no great loss. */
static void test_stalls_do_not_keep_it_searching(void **state)
{
	for (int kind = 0; kind < PLACES_KINDS; kind++) {
		for (uint64_t seed = 1; seed <= STALLED_SEEDS; seed++) {
			struct box box = new_box(all_places[kind], TELLS_TOKENS, MIXED, seed);
			struct concurrency concurrency = {0};
			int jobs = 0;

			box.stalls = STALLS;
			while (!concurrency.is_settled && jobs++ < STALLED_JOBS)
				step(&box, &concurrency);
			if (!concurrency.is_settled)
				fail_msg("%d places, seed %d: %s after %d jobs", box.places,
					(int)seed, concurrency_reason(&concurrency), jobs);
		}
	}
}

/* Where the box is never full nothing is known and nothing is changed. */
static void test_one_at_a_time_changes_nothing(void **state)
{
	struct box box = new_box(1, TELLS_WAIT, EQUAL, 1);
	struct concurrency concurrency = {0};

	assert_int_equal(concurrency_limit(&concurrency, START, MOST), START);
	for (int i = 0; i < LONG_RUN; i++) {
		struct gauge_end end = {.is_good = true};

		concurrency_sent(&concurrency, name_of(send_one(&box)), (int64_t)box.now_us);
		end.now_us = (int64_t)box.now_us;
		concurrency_ended(&concurrency, name_of(next_end(&box).who), &end);
	}
	assert_int_equal(concurrency_limit(&concurrency, START, MOST), START);
	assert_false(concurrency.is_settled);
}

/* There are too few clients to fill the levels above: the search does not stay there, where what
 * waits would wait in Ollama. */
static void test_few_clients_do_not_leave_the_limit_high(void **state)
{
	static const enum tells tells[] = {TELLS_WAIT, TELLS_TOKENS, TELLS_STREAM};

	for (size_t i = 0; i < sizeof(tells) / sizeof(tells[0]); i++) {
		struct box box = new_box(4, tells[i], MIXED, 1);
		struct concurrency concurrency = {0};
		int jobs;

		box.clients = 7;
		jobs = jobs_until_found(&box, &concurrency, LONG_RUN);
		expect(&box, &concurrency, jobs, V1_JOBS);
	}
}

static void test_the_ceiling_holds(void **state)
{
	struct box box = new_box(8, TELLS_WAIT, MIXED, 1);
	struct concurrency concurrency = {0};

	assert_int_equal(concurrency_limit(&concurrency, 20, 6), 6);
	assert_int_equal(concurrency_limit(&concurrency, 20, 2), 2);
	concurrency = (struct concurrency){0};
	assert_int_equal(concurrency_limit(&concurrency, 1000, 1000), GAUGE_MOST);
	concurrency = (struct concurrency){0};
	jobs_until_found(&box, &concurrency, LONG_RUN);
	assert_int_equal(concurrency_limit(&concurrency, START, MOST), 8);
	assert_int_equal(concurrency_limit(&concurrency, START, 5), 5);
}

static void test_the_reason_and_the_range_are_told(void **state)
{
	struct box box = new_box(4, TELLS_WAIT, MIXED, 1);
	struct concurrency concurrency = {0};

	jobs_until_found(&box, &concurrency, LONG_RUN);
	assert_string_equal(concurrency_reason(&concurrency), "time inside Ollama at 5, none at 4");
	assert_int_equal(concurrency.least_seen, 3);
	assert_in_range(concurrency.most_seen, 5, MOST);
	box = new_box(4, TELLS_TOKENS, MIXED, 1);
	concurrency = (struct concurrency){0};
	jobs_until_found(&box, &concurrency, LONG_RUN);
	assert_string_equal(concurrency_reason(&concurrency),
		"no more is done a second by more than 4 at once");
}

/* Broken answers and those that waited for a load say nothing; unknown ones are no harm. */
static void test_bad_ends_say_nothing(void **state)
{
	struct concurrency concurrency = {0};
	struct gauge_end end = {.wait_us = 400000};
	int64_t now_us = 1;

	assert_int_equal(concurrency_limit(&concurrency, START, MOST), START);
	for (int i = 0; i < LONG_RUN; i++) {
		for (int j = 0; j < START; j++)
			concurrency_sent(&concurrency, name_of(j), now_us);
		now_us += 500000;
		end.now_us = now_us;
		for (int j = 0; j < START; j++)
			concurrency_ended(&concurrency, name_of(j), &end);
		concurrency_ended(&concurrency, name_of(START), &end);
	}
	assert_int_equal(concurrency_limit(&concurrency, START, MOST), START);
	assert_int_equal(concurrency.gauge.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time_inside_ollama_finds_it_within_100),
		cmocka_unit_test(test_order_and_times_of_the_ends_find_it_within_200),
		cmocka_unit_test(test_first_bytes_of_streams_find_it_within_200),
		cmocka_unit_test(test_jobs_without_sizes),
		cmocka_unit_test(test_a_restart_with_other_places_is_followed),
		cmocka_unit_test(test_a_change_that_nobody_tells_is_found),
		cmocka_unit_test(test_stalls_do_not_keep_it_searching),
		cmocka_unit_test(test_one_at_a_time_changes_nothing),
		cmocka_unit_test(test_few_clients_do_not_leave_the_limit_high),
		cmocka_unit_test(test_the_ceiling_holds),
		cmocka_unit_test(test_the_reason_and_the_range_are_told),
		cmocka_unit_test(test_bad_ends_say_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
