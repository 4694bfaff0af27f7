#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "ask/printable.h"

static void check(const char *text, bool utf8, const char *expected)
{
	char *safe = printable_text(text, utf8);

	assert_string_equal(safe, expected);
	free(safe);
}

static void test_control_characters_are_escaped(void **state)
{
	check("a\x1b[2Jb\r\n\x7f", false, "a\\x1b[2Jb\\x0d\\x0a\\x7f");
	/* CSI of one byte, in its UTF-8 form */
	check("\xc2\x9b", true, "\\u009b");
}

static void test_what_turns_the_line_is_escaped(void **state)
{
	check("a\xe2\x80\xae"
	      "b\xe2\x81\xa6",
		true, "a\\u202eb\\u2066");
}

static void test_bytes_that_are_no_utf8_are_escaped(void **state)
{
	check("a\xff\xc3", true, "a\\xff\\xc3");
	check("\xf4\x90\x80\x80", true, "\\xf4\\x90\\x80\\x80");
}

static void test_other_characters_stay_or_become_a_question_mark(void **state)
{
	check("Z\xc3\xbcrich \xe7\x8c\xab", true, "Z\xc3\xbcrich \xe7\x8c\xab");
	check("Z\xc3\xbcrich \xe7\x8c\xab", false, "Z?rich ?");
}

static void test_wide_characters_take_two_columns_and_are_never_split(void **state)
{
	size_t columns;

	assert_int_equal(printable_columns("a\xe7\x8c\xab", true), 3);
	assert_int_equal(printable_fit("a\xe7\x8c\xab", 2, true, &columns), 1);
	assert_int_equal(columns, 1);
	assert_int_equal(printable_fit("a\xe7\x8c\xab", 3, true, &columns), 4);
	assert_int_equal(columns, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_control_characters_are_escaped),
		cmocka_unit_test(test_what_turns_the_line_is_escaped),
		cmocka_unit_test(test_bytes_that_are_no_utf8_are_escaped),
		cmocka_unit_test(test_other_characters_stay_or_become_a_question_mark),
		cmocka_unit_test(test_wide_characters_take_two_columns_and_are_never_split),
	};

	/* Debian's libc has it without any package of locales. */
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
