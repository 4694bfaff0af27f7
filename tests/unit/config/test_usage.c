#include "config/usage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "config/keys.h"

static void test_every_flag_and_its_default_is_there(void **state)
{
	char *text = usage_text();

	for (size_t i = 0; i < keys_count; i++) {
		char *flag = key_flag(&keys[i]);
		const char *at = strstr(text, flag);

		assert_non_null(at);
		assert_non_null(strstr(at, "(default "));
		free(flag);
	}
	free(text);
}

static void test_lines_fit_a_terminal(void **state)
{
	char *text = usage_text();

	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
		assert_true(strcspn(line, "\n") <= 80);
	assert_int_not_equal(text[strlen(text) - 1], '\n');
	free(text);
}

static void test_defaults_carry_units(void **state)
{
	char *text = usage_text();

	assert_non_null(strstr(text, "(default 600 seconds)"));
	assert_non_null(strstr(text, "(default 64k)"));
	assert_non_null(strstr(text, "error|warn|info|debug"));
	assert_non_null(strstr(text, "$TMPDIR, else /var/tmp"));
	assert_non_null(strstr(text, "health [URL]"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_flag_and_its_default_is_there),
		cmocka_unit_test(test_lines_fit_a_terminal),
		cmocka_unit_test(test_defaults_carry_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
