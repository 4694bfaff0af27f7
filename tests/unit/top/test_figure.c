#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "top/figure.h"

static void test_times_are_short(void **state)
{
	char text[FIGURE_BYTES];

	assert_string_equal(figure_time(85.4, text), "85 ms");
	assert_string_equal(figure_time(8123, text), "8.1 s");
	assert_string_equal(figure_time(125e3, text), "2:05");
	assert_string_equal(figure_time(3723e3, text), "1:02:03");
	assert_string_equal(figure_time(76 * 3600e3, text), "3 d 4 h");
	assert_string_equal(figure_time(NAN, text), "-");
	assert_string_equal(figure_time(1e300, text), "-");
}

static void test_other_figures(void **state)
{
	char text[FIGURE_BYTES];

	assert_string_equal(figure_count(12, text), "12");
	assert_string_equal(figure_count(NAN, text), "-");
	assert_string_equal(figure_rate(41.24, text), "41.2");
	assert_string_equal(figure_share(0.571, text), "57 %");
	assert_string_equal(figure_bytes(8356944198.0, text), "7.8 GiB");
	assert_string_equal(figure_bytes(12, text), "12 B");
	assert_string_equal(figure_bytes(NAN, text), "-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times_are_short),
		cmocka_unit_test(test_other_figures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
