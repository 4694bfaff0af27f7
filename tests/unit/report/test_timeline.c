#include "report/timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

enum { US_PER_S = 1000000 };

static void test_it_widens_and_loses_nothing(void **state)
{
	struct timeline timeline = {0};
	unsigned seed = 3;

	for (int i = 0; i < 5000; i++) {
		/* within a growing span, now before and now after what was there */
		int64_t us = INT64_C(1795527827000000) +
			     (rand_r(&seed) % 2000 - 1000) * (int64_t)US_PER_S * (i + 1) / 10;
		uint64_t total = 0;

		timeline_at(&timeline, us)->arrivals++;
		if (i % 100)
			continue;
		assert_in_range(timeline.used, 1, TIMELINE_COLUMNS);
		for (size_t j = 0; j < timeline.used; j++)
			total += timeline.columns[j].arrivals;
		assert_int_equal(total, i + 1);
	}
	assert_true(timeline.width_us > US_PER_S);
}

static void test_a_column_holds_its_moment(void **state)
{
	struct timeline timeline = {0};
	struct timeline_column *column;

	timeline_at(&timeline, 100 * (int64_t)US_PER_S);
	column = timeline_at(&timeline, 90 * (int64_t)US_PER_S);
	assert_ptr_equal(column, &timeline.columns[0]);
	assert_int_equal(timeline.first, 90);
	assert_int_equal(timeline.used, 11);
	column = timeline_at(&timeline, 10000 * (int64_t)US_PER_S);
	assert_int_equal(timeline.width_us, 64 * (int64_t)US_PER_S);
	assert_int_equal(timeline.first + (column - timeline.columns), 10000 / 64);
	/* before 1970 is 1970 */
	assert_non_null(timeline_at(&timeline, -5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_widens_and_loses_nothing),
		cmocka_unit_test(test_a_column_holds_its_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
