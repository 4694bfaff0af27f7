#include "base/moment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "base/compiler.h"

enum { US_PER_S = 1000000 };

static bool read_text(const char *text, int64_t *ret_us)
{
	return moment_read(text, strlen(text), ret_us);
}

static void test_forms_of_one_moment(void **state)
{
	static const char *const texts[] = {"2026-11-24T13:43:47.500Z", "2026-11-24T13:43:47.5Z",
		"2026-11-24 13:43:47.5", "2026-11-24T14:43:47.500000+01:00",
		"2026-11-24T08:13:47.5-0530", "2026-11-24T13:43:47.5000001Z"};

	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
		int64_t us = 0;

		assert_true(read_text(texts[i], &us));
		assert_true(us == INT64_C(1795527827500000));
	}
}

static void test_days_are_those_of_the_calendar(void **state)
{
	/* Every third day of 130 years, leap days and centuries among them. */
	for (int64_t day = 0; day < 47500; day += 3) {
		time_t seconds = (time_t)(day * 86400);
		struct tm parts;
		char text[MOMENT_BYTES];
		int64_t us = -1;

		gmtime_r(&seconds, &parts);
		strftime(text, sizeof(text), "%Y-%m-%d", &parts);
		assert_true(read_text(text, &us));
		assert_true(us == day * 86400 * US_PER_S);
		moment_write(us + 3723 * (int64_t)US_PER_S, text);
		assert_true(read_text(text, &us));
		assert_true(us == (day * 86400 + 3723) * US_PER_S);
	}
}

static void test_what_is_no_moment(void **state)
{
	static const char *const texts[] = {"", "2026", "2026-13-01", "2026-00-10", "2026-01-32",
		"2026-01-01T", "2026-01-01T25:00", "2026-01-01T10:00:00.Z", "2026-01-01T10:00:00ZZ",
		"1969-12-31", "1970-01-01T00:00:00+01:00", "2026-01-01x10:00",
		"2026-01-01T10:00:00+1"};
	int64_t us = 7;

	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
		assert_false(read_text(texts[i], &us));
	assert_true(us == 7);
}

static void test_a_time_ago(void **state)
{
	int64_t now = INT64_C(1795527827000000), us = 0;

	assert_true(moment_read_argument("30s", now, &us));
	assert_true(us == now - 30 * (int64_t)US_PER_S);
	assert_true(moment_read_argument("1.5h", now, &us));
	assert_true(us == now - 5400 * (int64_t)US_PER_S);
	assert_true(moment_read_argument("7d", now, &us));
	assert_true(us == now - 7 * 86400 * (int64_t)US_PER_S);
	assert_true(moment_read_argument("2026-11-24", now, &us));
	assert_false(moment_read_argument("7w", now, &us));
	assert_false(moment_read_argument("-7d", now, &us));
	assert_false(moment_read_argument("1e9d", now, &us));
	assert_false(moment_read_argument("d", now, &us));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms_of_one_moment),
		cmocka_unit_test(test_days_are_those_of_the_calendar),
		cmocka_unit_test(test_what_is_no_moment),
		cmocka_unit_test(test_a_time_ago),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
