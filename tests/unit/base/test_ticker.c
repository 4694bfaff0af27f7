#include "base/ticker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "base/compiler.h"

static int64_t monotonic_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* Runs first: later tests stop the clock. */
static void test_time_stands_still_within_a_turn(void **state)
{
	int64_t first, wall_us;

	ticker_new_turn();
	first = ticker_now_us();
	wall_us = ticker_wall_us();
	while (monotonic_us() <= first + 1)
		;
	assert_int_equal(ticker_now_us(), first);
	assert_int_equal(ticker_wall_us(), wall_us);
}

static void test_new_turn_reads_the_clocks_again(void **state)
{
	int64_t before = ticker_now_us();
	int64_t low, high;

	while (monotonic_us() <= before + 1)
		;
	low = monotonic_us();
	ticker_new_turn();
	assert_true(ticker_now_us() >= low);
	high = monotonic_us();
	assert_true(ticker_now_us() <= high);
	/* Between 2020 and 2100. */
	assert_in_range(ticker_wall_us(), 1577836800000000, 4102444800000000);
}

static void test_milliseconds_are_whole(void **state)
{
	ticker_set_for_test(1999, 0);
	assert_int_equal(ticker_now_ms(), 1);
}

static void test_set_time_outlasts_turns(void **state)
{
	ticker_set_for_test(5000000, 77);
	ticker_new_turn();
	assert_int_equal(ticker_now_us(), 5000000);
	assert_int_equal(ticker_wall_us(), 77);
	ticker_set_for_test(6000000, 78);
	assert_int_equal(ticker_now_us(), 6000000);
}

static void test_now_is_never_zero(void **state)
{
	ticker_set_for_test(0, 0);
	assert_int_not_equal(ticker_now_us(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time_stands_still_within_a_turn),
		cmocka_unit_test(test_new_turn_reads_the_clocks_again),
		cmocka_unit_test(test_milliseconds_are_whole),
		cmocka_unit_test(test_set_time_outlasts_turns),
		cmocka_unit_test(test_now_is_never_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
