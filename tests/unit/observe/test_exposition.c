#include "observe/exposition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include <event2/buffer.h>

#include "observe/ladder.h"

static struct exposition exposition;

static int set_up(void **state)
{
	exposition.out = evbuffer_new();
	exposition_begin(&exposition, "x", METRIC_GAUGE, "Help.");
	return 0;
}

static int tear_down(void **state)
{
	evbuffer_free(exposition.out);
	return 0;
}

static void expect(const char *lines)
{
	static const char begin[] = "# HELP x Help.\n# TYPE x gauge\n";
	const char *text;

	evbuffer_add(exposition.out, "", 1);
	text = (const char *)evbuffer_pullup(exposition.out, -1);
	assert_int_equal(strncmp(text, begin, strlen(begin)), 0);
	assert_string_equal(text + strlen(begin), lines);
}

static void test_numbers(void **state)
{
	exposition_put(&exposition, NO_LABELS, 0.001234567);
	exposition_put(&exposition, NO_LABELS, 1e15);
	exposition_put(&exposition, NO_LABELS, INFINITY);
	exposition_put_count(&exposition, NO_LABELS, UINT64_MAX);
	expect("x 0.001234567\nx 1e+15\nx +Inf\nx 18446744073709551615\n");
}

static void test_labels_are_escaped(void **state)
{
	exposition_put_count(&exposition, LABEL("a", "\\ \" \n \xff\xc3\xa4 {}"), 1);
	exposition_put_count(&exposition, LABELS("a", "", "b", "\""), 2);
	expect("x{a=\"\\\\ \\\" \\n \xef\xbf\xbd\xc3\xa4 {}\"} 1\nx{a=\"\",b=\"\\\"\"} 2\n");
}

static void test_a_ladder_counts_what_is_at_most_each_bound(void **state)
{
	struct ladder ladder = {0};
	const char *text;

	ladder_add(&ladder, &ladder_gaps, 1000);
	ladder_add(&ladder, &ladder_gaps, 1001);
	ladder_add(&ladder, &ladder_gaps, 9000000);
	ladder_add(&ladder, &ladder_gaps, -5);
	exposition_put_ladder(&exposition, LABEL("m", "a"), &ladder, &ladder_gaps);
	evbuffer_add(exposition.out, "", 1);
	text = (const char *)evbuffer_pullup(exposition.out, -1);
	assert_non_null(strstr(text, "\nx_bucket{m=\"a\",le=\"0.001\"} 2\n"
				     "x_bucket{m=\"a\",le=\"0.002\"} 3\n"));
	assert_non_null(strstr(text, "\nx_bucket{m=\"a\",le=\"5\"} 3\n"
				     "x_bucket{m=\"a\",le=\"+Inf\"} 4\n"
				     "x_sum{m=\"a\"} 9.002001\nx_count{m=\"a\"} 4\n"));
}

int main(void)
{
#define WITH_TEXT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_TEXT(test_numbers),
		WITH_TEXT(test_labels_are_escaped),
		WITH_TEXT(test_a_ladder_counts_what_is_at_most_each_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
