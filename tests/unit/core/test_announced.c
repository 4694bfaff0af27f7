#include "core/announced.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "http/fields.h"

static const int64_t S = 1000000;
static const int64_t NONE = -1;

static int64_t parsed(const char *text)
{
	int64_t us = NONE;

	return announced_parse(text, strlen(text), &us) ? us : NONE;
}

static void test_values(void **state)
{
	assert_int_equal(parsed("20"), 20 * S);
	assert_int_equal(parsed("600"), 600 * S);
	assert_int_equal(parsed("600.0"), 600 * S);
	assert_int_equal(parsed("0.5"), S / 2);
	assert_int_equal(parsed("20s"), 20 * S);
	assert_int_equal(parsed("20S"), 20 * S);
	assert_int_equal(parsed("1500ms"), 3 * S / 2);
	assert_int_equal(parsed("2m"), 120 * S);
	assert_int_equal(parsed("1.5h"), 5400 * S);
	assert_int_equal(parsed("24h"), 86400 * S);
	assert_int_equal(parsed("7."), 7 * S);
}

static void test_what_is_no_patience(void **state)
{
	static const char *const wrong[] = {"", "0", "0.0", "-1", "+5", " 5", "5 ", "s", ".5", "5x",
		"5sec", "1e3", "None", "inf", "nan", "NOT_GIVEN", "25h", "86401",
		"9999999999999999999999", "0.0000001", "1.2.3", "5,5"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(parsed(wrong[i]), NONE);
}

/* The slice ends where its length says. */
static void test_slices(void **state)
{
	int64_t us = NONE;

	assert_true(announced_parse("205", 2, &us));
	assert_int_equal(us, 20 * S);
	assert_false(announced_parse("20", 0, &us));
}

static int64_t announced(
	const char *first, const char *value, const char *second, const char *second_value)
{
	struct fields fields = {0};
	int64_t us;

	if (first)
		fields_add_text(&fields, first, value);
	if (second)
		fields_add_text(&fields, second, second_value);
	us = announced_patience_us(&fields);
	fields_finish(&fields);
	return us;
}

static void test_fields(void **state)
{
	assert_int_equal(announced(NULL, NULL, NULL, NULL), 0);
	assert_int_equal(announced("x-request-timeout", "20", NULL, NULL), 20 * S);
	assert_int_equal(announced("x-stainless-read-timeout", "600", NULL, NULL), 600 * S);
	assert_int_equal(announced("X-Stainless-Timeout", "300", NULL, NULL), 300 * S);
	assert_int_equal(announced("X-Timeout", "300", NULL, NULL), 0);
	/* our own name first, then the read time-out */
	assert_int_equal(
		announced("X-Stainless-Timeout", "300", "X-Request-Timeout", "20"), 20 * S);
	assert_int_equal(
		announced("X-Stainless-Timeout", "300", "x-stainless-read-timeout", "60"), 60 * S);
	/* one that cannot be read is none */
	assert_int_equal(
		announced("X-Request-Timeout", "soon", "X-Stainless-Timeout", "300"), 300 * S);
}

static void test_the_last_try_is_held(void **state)
{
	static const char timeout[] = "x-stainless-read-timeout";
	static const char count[] = "X-Stainless-Retry-Count";

	assert_int_equal(announced(timeout, "20", count, "0"), 20 * S);
	assert_int_equal(announced(timeout, "20", count, "1"), 20 * S);
	assert_int_equal(announced(timeout, "20", count, "2"), 0);
	assert_int_equal(announced(timeout, "20", count, "10"), 0);
	assert_int_equal(announced(timeout, "20", count, "many"), 20 * S);
	assert_int_equal(announced(timeout, "20", count, ""), 20 * S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_what_is_no_patience),
		cmocka_unit_test(test_slices),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_the_last_try_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
