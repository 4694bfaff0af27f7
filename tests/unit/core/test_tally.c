#include "core/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_empty_tallies_add_up(void **state)
{
	assert_true(tally_adds_up(&(struct tally){0}));
	assert_true(pass_tally_adds_up(&(struct pass_tally){0}));
}

/* I7: each place in which a job can be counted is in the sum. */
static void test_every_place_of_a_job_is_in_the_sum(void **state)
{
	struct tally tally = {
		.reading = 1,
		.queued = 2,
		.in_progress = 4,
		.flushing = 8,
		.ended = {16, 32, 64, 128, 256},
	};

	tally.received = 1 + 2 + 4 + 8 + 16 + 32 + 64 + 128 + 256;
	assert_int_equal(COUNTER_COUNT, 5);
	assert_true(tally_adds_up(&tally));
}

static void test_a_job_missing_anywhere_is_noticed(void **state)
{
	struct tally tally = {.received = 9, 1, 1, 1, 1, {1, 1, 1, 1, 1}};
	uint64_t *places[] = {&tally.received, &tally.reading, &tally.queued, &tally.in_progress,
		&tally.flushing, &tally.ended[COUNTER_COMPLETED], &tally.ended[COUNTER_FAILED],
		&tally.ended[COUNTER_REJECTED], &tally.ended[COUNTER_TIMEOUT],
		&tally.ended[COUNTER_CANCELLED]};

	assert_true(tally_adds_up(&tally));
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		(*places[i])--;
		assert_false(tally_adds_up(&tally));
		(*places[i]) += 2;
		assert_false(tally_adds_up(&tally));
		(*places[i])--;
	}
	assert_true(tally_adds_up(&tally));
}

static void test_passes_have_a_line_of_their_own(void **state)
{
	struct pass_tally tally = {.received = 17, .in_progress = 2, .ended = {1, 2, 3, 4, 5}};

	assert_true(pass_tally_adds_up(&tally));
	for (int i = 0; i < COUNTER_COUNT; i++) {
		tally.ended[i]++;
		assert_false(pass_tally_adds_up(&tally));
		tally.ended[i]--;
	}
	tally.in_progress--;
	assert_false(pass_tally_adds_up(&tally));
	tally.ended[COUNTER_CANCELLED]++;
	assert_true(pass_tally_adds_up(&tally));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_tallies_add_up),
		cmocka_unit_test(test_every_place_of_a_job_is_in_the_sum),
		cmocka_unit_test(test_a_job_missing_anywhere_is_noticed),
		cmocka_unit_test(test_passes_have_a_line_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
