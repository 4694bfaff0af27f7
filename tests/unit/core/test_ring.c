#include "core/ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "aborts.h"
#include "core/job.h"

enum { PLACES = 7 };

static struct job jobs[PLACES + 1];

static int setup(void **state)
{
	memset(jobs, 0, sizeof(jobs));
	*state = ring_create(PLACES);
	return 0;
}

static int teardown(void **state)
{
	while (ring_count(*state) > 0)
		ring_remove(*state, ring_at(*state, 0));
	ring_destroy(*state);
	return 0;
}

/* `ring` holds exactly jobs[ids[0]], jobs[ids[1]], ... and each job knows whether it is inside. */
static void assert_order(const struct ring *ring, const char *ids)
{
	bool inside[PLACES + 1] = {false};

	assert_int_equal(ring_count(ring), strlen(ids));
	for (size_t i = 0; ids[i]; i++) {
		inside[ids[i] - '0'] = true;
		assert_ptr_equal(ring_at(ring, i), &jobs[ids[i] - '0']);
	}
	for (size_t i = 0; i <= PLACES; i++)
		assert_int_equal(jobs[i].in_ring, inside[i]);
}

static void put_all(struct ring *ring, const char *ids)
{
	for (; *ids; ids++)
		assert_true(ring_put(ring, &jobs[*ids - '0']));
}

static void test_new_ring_is_empty(void **state)
{
	assert_int_equal(ring_places(*state), PLACES);
	assert_order(*state, "");
}

static void test_order_is_that_of_arrival(void **state)
{
	put_all(*state, "3140265");
	assert_order(*state, "3140265");
}

static void test_full_only_when_every_place_is_taken(void **state)
{
	put_all(*state, "0123456");
	assert_false(ring_put(*state, &jobs[7]));
	assert_order(*state, "0123456");
	ring_remove(*state, &jobs[3]);
	assert_true(ring_put(*state, &jobs[7]));
	assert_order(*state, "0124567");
	assert_false(ring_put(*state, &jobs[3]));
}

static void test_ring_of_one_place(void **state)
{
	struct ring *ring = ring_create(1);

	for (int i = 0; i < 3; i++) {
		assert_true(ring_put(ring, &jobs[i]));
		assert_false(ring_put(ring, &jobs[i + 1]));
		assert_ptr_equal(ring_at(ring, 0), &jobs[i]);
		ring_remove(ring, &jobs[i]);
	}
	ring_destroy(ring);
}

/*
 * Each count of jobs, each position of the leaver, each place in the array where the oldest can
 * stand: the gap is closed and the order of the others stays.
 */
static void test_gap_closes_at_each_position_wherever_the_ring_begins(void **state)
{
	static const char ids[] = "0123456";

	for (int begin = 0; begin < PLACES; begin++) {
		for (int count = 1; count <= PLACES; count++) {
			for (int leaver = 0; leaver < count; leaver++) {
				struct ring *ring = ring_create(PLACES);
				char left[PLACES + 1] = "";
				char present[PLACES + 1] = "";

				/* Moves the ring's beginning. */
				for (int i = 0; i < begin; i++) {
					assert_true(ring_put(ring, &jobs[PLACES]));
					ring_remove(ring, &jobs[PLACES]);
				}
				memcpy(present, ids, (size_t)count);
				put_all(ring, present);
				ring_remove(ring, &jobs[leaver]);
				memcpy(left, ids, (size_t)leaver);
				memcpy(left + leaver, ids + leaver + 1,
					(size_t)(count - leaver - 1));
				assert_order(ring, left);
				while (ring_count(ring) > 0)
					ring_remove(ring, ring_at(ring, 0));
				ring_destroy(ring);
			}
		}
	}
}

static void test_order_survives_many_turns_round_the_array(void **state)
{
	struct ring *ring = *state;

	/* 3 inside, the middle leaves, a new one comes: 100 times round. */
	put_all(ring, "012");
	for (int i = 0; i < 100 * PLACES; i++) {
		struct job *first = ring_at(ring, 0);
		struct job *middle = ring_at(ring, 1);
		struct job *last = ring_at(ring, 2);

		ring_remove(ring, middle);
		assert_true(ring_put(ring, middle));
		assert_ptr_equal(ring_at(ring, 0), first);
		assert_ptr_equal(ring_at(ring, 1), last);
		assert_ptr_equal(ring_at(ring, 2), middle);
		ring_remove(ring, first);
		assert_true(ring_put(ring, first));
		assert_ptr_equal(ring_at(ring, 0), last);
	}
}

static struct job *next_outside(void)
{
	for (size_t i = 0; i < PLACES; i++) {
		if (!jobs[i].in_ring)
			return &jobs[i];
	}
	return NULL;
}

/* However the ring lies in its array, the stretches are all jobs in order. */
static void test_stretches_are_the_order_of_arrival(void **state)
{
	struct ring *ring = *state;

	for (size_t turn = 0; turn < 3 * ring_places(ring); turn++) {
		size_t seen = 0;

		while (ring_count(ring) < ring_places(ring))
			assert_true(ring_put(ring, next_outside()));
		while (seen < ring_count(ring)) {
			size_t count;
			struct job *const *jobs_there = ring_stretch(ring, seen, &count);

			assert_in_range(count, 1, ring_count(ring) - seen);
			for (size_t i = 0; i < count; i++)
				assert_ptr_equal(jobs_there[i], ring_at(ring, seen++));
		}
		ring_remove(ring, ring_at(ring, 0));
	}
}

/* Wherever the ring lies in its array. */
static void test_a_resize_keeps_the_jobs_and_their_order(void **state)
{
	for (int begin = 0; begin < PLACES; begin++) {
		struct ring *ring = ring_create(5);

		for (int i = 0; i < begin; i++) {
			assert_true(ring_put(ring, &jobs[PLACES]));
			ring_remove(ring, &jobs[PLACES]);
		}
		put_all(ring, "01234");
		ring_resize(ring, PLACES);
		assert_int_equal(ring_places(ring), PLACES);
		assert_order(ring, "01234");
		put_all(ring, "56");
		assert_false(ring_put(ring, &jobs[7]));
		assert_order(ring, "0123456");
		while (ring_count(ring) > 0)
			ring_remove(ring, ring_at(ring, 0));
		ring_destroy(ring);
	}
}

static void test_a_smaller_ring_takes_none_until_it_fits(void **state)
{
	put_all(*state, "0123456");
	ring_resize(*state, 3);
	assert_int_equal(ring_places(*state), 3);
	assert_order(*state, "0123456");
	for (int leaver = 0; leaver < 4; leaver++) {
		assert_false(ring_put(*state, &jobs[7]));
		ring_remove(*state, &jobs[leaver]);
	}
	assert_order(*state, "456");
	assert_false(ring_put(*state, &jobs[7]));
	ring_remove(*state, &jobs[5]);
	put_all(*state, "7");
	assert_false(ring_put(*state, &jobs[0]));
	assert_order(*state, "467");
	/* and large again */
	ring_resize(*state, 4);
	put_all(*state, "0");
	assert_order(*state, "4670");
}

static void test_destroying_nothing_is_fine(void **state)
{
	ring_destroy(NULL);
}

static void put_twice(void *ring)
{
	(void)!ring_put(ring, &jobs[0]);
}

static void remove_stranger(void *ring)
{
	ring_remove(ring, &jobs[1]);
}

static void remove_from_other(void *ring)
{
	jobs[1].in_ring = true; /* of another ring */
	ring_remove(ring, &jobs[1]);
}

static void look_behind_the_last(void *ring)
{
	ring_at(ring, 1);
}

static void create_without_places(void *ring)
{
	ring_destroy(ring_create(0));
}

static void test_misuse_is_a_failed_assertion(void **state)
{
	put_all(*state, "0");
	assert_true(aborts(put_twice, *state));
	assert_true(aborts(remove_stranger, *state));
	assert_true(aborts(remove_from_other, *state));
	assert_true(aborts(look_behind_the_last, *state));
	assert_true(aborts(create_without_places, *state));
	assert_true(aborts((void (*)(void *))ring_destroy, *state));
}

#define RING_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RING_TEST(test_new_ring_is_empty),
		RING_TEST(test_order_is_that_of_arrival),
		RING_TEST(test_full_only_when_every_place_is_taken),
		RING_TEST(test_ring_of_one_place),
		RING_TEST(test_gap_closes_at_each_position_wherever_the_ring_begins),
		RING_TEST(test_order_survives_many_turns_round_the_array),
		RING_TEST(test_stretches_are_the_order_of_arrival),
		RING_TEST(test_a_resize_keeps_the_jobs_and_their_order),
		RING_TEST(test_a_smaller_ring_takes_none_until_it_fits),
		RING_TEST(test_destroying_nothing_is_fine),
		RING_TEST(test_misuse_is_a_failed_assertion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
