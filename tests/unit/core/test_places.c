#include "core/places.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "config/settings.h"
#include "core/ring.h"
#include "core/scheduler.h"

enum { JOBS = 8 };

static const int64_t S = 1000000;

static struct tally tally;
static struct job jobs[JOBS];
static size_t count;
static struct places places;

static int setup(void **state)
{
	tally = (struct tally){0};
	memset(&places, 0, sizeof(places));
	count = 0;
	return 0;
}

static int teardown(void **state)
{
	for (size_t i = 0; i < count; i++)
		job_finish(&jobs[i]);
	return 0;
}

static struct job *job_of(const char *ip, const char *model, uint64_t body, int64_t came_s)
{
	struct job *job = &jobs[count++];

	assert_true(count <= JOBS);
	job_init(job, &tally);
	snprintf(job->record.client_ip, sizeof(job->record.client_ip), "%s", ip);
	job->record.model = mem_strdup(model);
	job->record.project = mem_strdup("p");
	job->came_us = job->record.body_complete_us = came_s * S;
	job->body_hash = body;
	return job;
}

static void test_it_is_known_who_comes_back(void **state)
{
	struct job *refused = job_of("10.0.0.1", "m", 7, 100);
	struct job *other = job_of("10.0.0.2", "m", 7, 100);
	struct job *another = job_of("10.0.0.1", "m", 8, 100);

	assert_false(places_are_kept_for(&places, refused, 100 * S));
	places_keep(&places, refused, 12, 100 * S);
	assert_true(places_are_kept_for(&places, refused, 101 * S));
	assert_true(places_are_kept_for(&places, refused, 116 * S));
	assert_false(places_are_kept_for(&places, other, 101 * S));
	assert_false(places_are_kept_for(&places, another, 101 * S));
	assert_false(places_are_kept_for(&places, refused, 117 * S));
}

static void test_who_comes_back_has_its_old_place(void **state)
{
	struct job *refused = job_of("10.0.0.1", "m", 7, 100);
	struct job *back = job_of("10.0.0.1", "m", 7, 112);

	places_keep(&places, refused, 12, 100 * S);
	places_claim(&places, back, 112 * S);
	assert_int_equal(back->came_us, 100 * S);
	assert_int_equal(places.count, 0);
	/* refused again: still its first arrival */
	places_keep(&places, back, 3, 113 * S);
	assert_int_equal(places.all[0].first_us, 100 * S);
	assert_int_equal(places.all[0].back_us, 116 * S);
}

static void test_address_model_and_body_must_be_the_same(void **state)
{
	struct job *other;

	places_keep(&places, job_of("10.0.0.1", "m", 7, 100), 12, 100 * S);
	other = job_of("10.0.0.2", "m", 7, 112);
	places_claim(&places, other, 112 * S);
	assert_true(other->came_us >= 112 * S);
	other = job_of("10.0.0.1", "n", 7, 112);
	places_claim(&places, other, 112 * S);
	assert_true(other->came_us >= 112 * S);
	other = job_of("10.0.0.1", "m", 8, 112);
	places_claim(&places, other, 112 * S);
	assert_true(other->came_us >= 112 * S);
	assert_int_equal(places.count, 1);
}

static void test_a_place_is_kept_until_shortly_after(void **state)
{
	struct job *back = job_of("10.0.0.1", "m", 7, 116);
	struct job *late = job_of("10.0.0.1", "m", 7, 118);
	struct job *refused = job_of("10.0.0.1", "m", 7, 100);

	places_keep(&places, refused, 12, 100 * S);
	places_claim(&places, back, 116 * S);
	assert_int_equal(back->came_us, 100 * S);
	places_keep(&places, refused, 12, 100 * S);
	places_claim(&places, late, 118 * S);
	assert_int_equal(late->came_us, 118 * S);
	assert_int_equal(places.count, 0);
}

static void test_the_oldest_of_two_alike_is_first(void **state)
{
	struct job *back = job_of("10.0.0.1", "m", 7, 112);

	places_keep(&places, job_of("10.0.0.1", "m", 7, 101), 12, 101 * S);
	places_keep(&places, job_of("10.0.0.1", "m", 7, 100), 12, 101 * S);
	places_claim(&places, back, 112 * S);
	assert_int_equal(back->came_us, 100 * S);
	assert_int_equal(places.count, 1);
}

static void test_the_first_to_end_makes_room(void **state)
{
	struct job *job = job_of("10.0.0.1", "m", 0, 100);

	for (uint64_t i = 0; i < PLACES_MOST; i++) {
		job->body_hash = i;
		places_keep(&places, job, i == 5 ? 10 : 20, 100 * S);
	}
	job->body_hash = PLACES_MOST;
	places_keep(&places, job, 20, 100 * S);
	assert_int_equal(places.count, PLACES_MOST);
	job->body_hash = 5;
	job->came_us = 105 * S;
	places_claim(&places, job, 105 * S);
	assert_int_equal(job->came_us, 105 * S);
	job->body_hash = PLACES_MOST;
	places_claim(&places, job, 105 * S);
	assert_int_equal(job->came_us, 100 * S);
}

static void test_those_of_one_moment_differ(void **state)
{
	struct job *one = job_of("10.0.0.1", "m", 1, 100);
	struct job *two = job_of("10.0.0.1", "m", 2, 100);
	struct job *later = job_of("10.0.0.1", "m", 3, 101);

	places_claim(&places, one, 100 * S);
	places_claim(&places, two, 100 * S);
	places_claim(&places, later, 101 * S);
	assert_int_equal(one->came_us, 100 * S);
	assert_int_equal(two->came_us, 100 * S + 1);
	assert_int_equal(later->came_us, 101 * S);
}

static void test_who_waits_behind_it(void **state)
{
	struct job *behind = job_of("10.0.0.2", "m", 9, 101);
	struct job *before = job_of("10.0.0.2", "m", 9, 99);
	struct job *elsewhere = job_of("10.0.0.2", "n", 9, 101);
	struct job *above = job_of("10.0.0.2", "m", 9, 101);

	above->policy.job_class = CLASS_INTERACTIVE;
	places_keep(&places, job_of("10.0.0.1", "m", 7, 100), 10, 100 * S);
	assert_int_equal(places_before(&places, behind, 102 * S), 115 * S);
	assert_int_equal(places_before(&places, before, 102 * S), 0);
	assert_int_equal(places_before(&places, elsewhere, 102 * S), 0);
	assert_int_equal(places_before(&places, above, 102 * S), 0);
	assert_int_equal(places_before(&places, behind, 115 * S), 0);
}

/* Arrival order is that of first arrivals; one that is gone holds up nobody. */
static void test_fifo_goes_by_first_arrival(void **state)
{
	struct settings settings = {.max_concurrent = 1};
	struct ring *ring = ring_create(JOBS);
	struct scheduler *scheduler = scheduler_create();
	struct scheduler_view view = {
		.now_us = 112 * S,
		.upstream_usable = true,
		.ring = ring,
		.settings = &settings,
		.places = &places,
	};
	struct job *later = job_of("10.0.0.2", "m", 9, 105);
	struct job *back = job_of("10.0.0.1", "m", 7, 112);

	places_keep(&places, job_of("10.0.0.1", "m", 7, 100), 12, 100 * S);
	assert_true(ring_put(ring, later));
	job_set_state(later, JOB_QUEUED);
	assert_ptr_equal(scheduler_next(scheduler, &view).job, later);
	places_claim(&places, back, 112 * S);
	assert_true(ring_put(ring, back));
	job_set_state(back, JOB_QUEUED);
	assert_ptr_equal(scheduler_next(scheduler, &view).job, back);
	ring_remove(ring, later);
	ring_remove(ring, back);
	scheduler_destroy(scheduler);
	ring_destroy(ring);
}

int main(void)
{
#define UNIT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		UNIT(test_it_is_known_who_comes_back),
		UNIT(test_who_comes_back_has_its_old_place),
		UNIT(test_address_model_and_body_must_be_the_same),
		UNIT(test_a_place_is_kept_until_shortly_after),
		UNIT(test_the_oldest_of_two_alike_is_first),
		UNIT(test_the_first_to_end_makes_room),
		UNIT(test_those_of_one_moment_differ),
		UNIT(test_who_waits_behind_it),
		UNIT(test_fifo_goes_by_first_arrival),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
