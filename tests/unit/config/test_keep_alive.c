#include "config/keep_alive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/compiler.h"

static void assert_read(const char *text, const char *expected)
{
	char *read = keep_alive_read(text);

	if (expected)
		assert_string_equal(read, expected);
	else
		assert_null(read);
	free(read);
}

static void test_what_go_takes_stays(void **state)
{
	static const char *const taken[] = {"30m", "1h30m", "0", "0s", "-1s", "1.5h", "+3m", "90s"};

	for (size_t i = 0; i < ARRAY_LENGTH(taken); i++)
		assert_read(taken[i], taken[i]);
}

/* Ollama takes numbers as seconds, but a string only with its unit. */
static void test_bare_numbers_get_their_unit(void **state)
{
	assert_read("3600", "3600s");
	assert_read("-1", "-1s");
	assert_read("00", "00s");
}

static void test_what_ollama_would_refuse_is_refused(void **state)
{
	static const char *const refused[] = {"", "-", "m", "30 m", "30min", "1d", "forever", "1.5",
		"--1", "300000h30000000h", "999999999999999999999",
		"0000000000000000000000000000000000000000000000000000000000001s"};

	for (size_t i = 0; i < ARRAY_LENGTH(refused); i++)
		assert_read(refused[i], NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_go_takes_stays),
		cmocka_unit_test(test_bare_numbers_get_their_unit),
		cmocka_unit_test(test_what_ollama_would_refuse_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
