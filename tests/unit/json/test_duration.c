#include "json/duration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)

static void check(const char *text, int64_t expected)
{
	int64_t seen = -1;

	assert_true(duration_read(text, &seen));
	assert_true(seen == expected);
}

static void test_numbers_are_seconds(void **state)
{
	check("0", 0);
	check("90", 90 * SECOND);
	check("1.5", SECOND * 3 / 2);
	assert_true(duration_is_number("90"));
	assert_true(duration_is_number("-1"));
	assert_false(duration_is_number("5m"));
	assert_false(duration_is_number("1."));
	assert_false(duration_is_number(".5"));
	assert_false(duration_is_number(""));
	assert_false(duration_is_number("-"));
}

static void test_texts_are_gos(void **state)
{
	check("30m", 1800 * SECOND);
	check("2h45m10s", (2 * 3600 + 45 * 60 + 10) * SECOND);
	check("1.5s", SECOND * 3 / 2);
	check("+5m", 300 * SECOND);
	check("0s", 0);
}

static void test_below_zero_is_for_ever(void **state)
{
	check("-1", DURATION_FOR_EVER);
	check("-1m", DURATION_FOR_EVER);
	check("999999999h", DURATION_FOR_EVER);
}

static void test_what_is_none(void **state)
{
	static const char *const wrong[] = {"", "-", "m", "bogus", "30 m", "30x", "1e3", "true"};
	int64_t seen = 7;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(duration_read(wrong[i], &seen));
	assert_int_equal(seen, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_are_seconds),
		cmocka_unit_test(test_texts_are_gos),
		cmocka_unit_test(test_below_zero_is_for_ever),
		cmocka_unit_test(test_what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
