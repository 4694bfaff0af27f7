#include "core/fits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { NOW_US = 1000 };

static const struct fits_set ab = {{1, 2}, 2};
static const struct fits_set ba = {{2, 1}, 2};
static const struct fits_set abc = {{3, 1, 2}, 3};
static const struct fits_set only = {{7}, 1};

static void test_one_always_fits_and_others_are_to_be_tried(void **state)
{
	struct fits fits = {0};

	assert_int_equal(fits_ask(&fits, &only, NOW_US), FITS_YES);
	assert_int_equal(fits_ask(&fits, &ab, NOW_US), FITS_UNTRIED);
}

static void test_what_was_seen_fits_and_so_does_a_part_of_it(void **state)
{
	struct fits fits = {0};

	fits_saw(&fits, &abc);
	assert_int_equal(fits_ask(&fits, &ba, NOW_US), FITS_YES);
	fits_saw(&fits, &ab);
	assert_int_equal(fits.count, 1);
}

static void test_what_evicted_does_not_fit_nor_does_more(void **state)
{
	struct fits fits = {0};

	fits_saw(&fits, &abc);
	fits_disprove(&fits, &ab, NOW_US);
	assert_int_equal(fits_ask(&fits, &ba, NOW_US), FITS_NO);
	assert_int_equal(fits_ask(&fits, &abc, NOW_US), FITS_NO);
	assert_int_equal(fits.count, 1);
	fits_disprove(&fits, &only, NOW_US);
	assert_int_equal(fits_ask(&fits, &only, NOW_US), FITS_YES);
	/* It was seen all the same: a smaller model, more memory. */
	fits_saw(&fits, &abc);
	assert_int_equal(fits_ask(&fits, &ab, NOW_US), FITS_YES);
}

/* 30 min, then 1, 2, 4 and again 4 hours later. */
static void test_what_did_not_fit_is_tried_again_ever_more_rarely(void **state)
{
	static const int64_t times[] = {1, 2, 4, 8, 8};
	struct fits fits = {0};
	int64_t now_us = NOW_US;

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		int64_t again_us = now_us + times[i] * FITS_AGAIN_US;

		fits_disprove(&fits, &ab, now_us);
		assert_int_equal(fits.count, 1);
		assert_int_equal(fits_ask(&fits, &abc, again_us - 1), FITS_NO);
		assert_int_equal(fits_ask(&fits, &abc, again_us), FITS_UNTRIED);
		now_us = again_us;
	}
	fits_saw(&fits, &ab);
	assert_int_equal(fits_ask(&fits, &ab, now_us), FITS_YES);
	assert_int_equal(fits_ask(&fits, &abc, now_us), FITS_UNTRIED);
}

static void test_the_oldest_knowledge_makes_room(void **state)
{
	struct fits fits = {0};

	for (uint32_t i = 0; i < FITS_SETS_MOST + 1; i++)
		fits_saw(&fits, &(struct fits_set){{2 * i, 2 * i + 1}, 2});
	assert_int_equal(fits.count, FITS_SETS_MOST);
	assert_int_equal(fits_ask(&fits, &(struct fits_set){{0, 1}, 2}, NOW_US), FITS_UNTRIED);
	assert_int_equal(fits_ask(&fits, &(struct fits_set){{2, 3}, 2}, NOW_US), FITS_YES);
}

static void test_a_set_has_room_for_so_many(void **state)
{
	struct fits_set set = {0};

	for (uint32_t i = 0; i < FITS_RUNNERS_MOST; i++)
		assert_true(fits_set_add(&set, i));
	assert_true(fits_set_add(&set, 0));
	assert_false(fits_set_add(&set, FITS_RUNNERS_MOST));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_always_fits_and_others_are_to_be_tried),
		cmocka_unit_test(test_what_was_seen_fits_and_so_does_a_part_of_it),
		cmocka_unit_test(test_what_evicted_does_not_fit_nor_does_more),
		cmocka_unit_test(test_what_did_not_fit_is_tried_again_ever_more_rarely),
		cmocka_unit_test(test_the_oldest_knowledge_makes_room),
		cmocka_unit_test(test_a_set_has_room_for_so_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
