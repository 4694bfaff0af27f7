#include "core/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { S = 1000 * 1000, START_US = 7 * S };

static void take(struct rate *rate, int64_t per_minute, int64_t now_us, int times)
{
	for (int i = 0; i < times; i++)
		assert_int_equal(rate_take(rate, per_minute, now_us), 0);
}

static void test_a_minutes_worth_may_come_at_once(void **state)
{
	struct rate rate = {0};

	take(&rate, 30, START_US, 30);
	assert_int_equal(rate_take(&rate, 30, START_US), 2);
}

static void test_tokens_come_back_evenly(void **state)
{
	struct rate rate = {0};

	take(&rate, 30, START_US, 30);
	assert_int_equal(rate_take(&rate, 30, START_US + 2 * S - 1), 1);
	take(&rate, 30, START_US + 2 * S, 1);
	assert_int_equal(rate_take(&rate, 30, START_US + 2 * S), 2);
	take(&rate, 30, START_US + 8 * S, 3);
	assert_int_equal(rate_take(&rate, 30, START_US + 8 * S + S / 2), 2);
}

static void test_refusals_cost_nothing(void **state)
{
	struct rate rate = {0};

	take(&rate, 1, START_US, 1);
	for (int i = 0; i < 59; i++)
		assert_int_equal(rate_take(&rate, 1, START_US + (int64_t)i * S), 60 - i);
	take(&rate, 1, START_US + 60 * S, 1);
}

static void test_a_long_rest_saves_no_more_than_a_minutes_worth(void **state)
{
	struct rate rate = {0};

	take(&rate, 2, START_US, 2);
	take(&rate, 2, START_US + INT64_C(86400) * S, 2);
	assert_int_equal(rate_take(&rate, 2, START_US + INT64_C(86400) * S), 30);
}

/* Whoever obeys Retry-After gets in. */
static void test_after_the_seconds_told_there_is_one(void **state)
{
	static const int64_t rates[] = {1, 7, 59, 60, 61, 1000, 60000};

	for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct rate rate = {0};
		int64_t now_us = START_US;
		int passed = 0;

		for (int asked = 0; asked < 100000; asked++) {
			int seconds = rate_take(&rate, rates[i], now_us);

			passed += seconds == 0;
			if (seconds == 0)
				continue;
			assert_true(seconds <= 60);
			now_us += (int64_t)seconds * S;
			assert_int_equal(rate_take(&rate, rates[i], now_us), 0);
			passed++;
			if (now_us > START_US + 600 * S)
				break;
		}
		/* a full bucket, and what came in the time */
		assert_true(passed <= rates[i] + (now_us - START_US) * rates[i] / (60 * S) +
					      rates[i] / 1000 + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_minutes_worth_may_come_at_once),
		cmocka_unit_test(test_tokens_come_back_evenly),
		cmocka_unit_test(test_refusals_cost_nothing),
		cmocka_unit_test(test_a_long_rest_saves_no_more_than_a_minutes_worth),
		cmocka_unit_test(test_after_the_seconds_told_there_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
