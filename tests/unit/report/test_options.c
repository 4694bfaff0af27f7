#include "report/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static const int64_t NOW = INT64_C(1795527827000000);

static char *error;

static bool read_words(struct report_options *options, char *const *words)
{
	int count = 0;

	while (words[count])
		count++;
	error = NULL;
	return report_options_read(options, count, words, NOW, &error);
}

#define WORDS(...) ((char *const *)(const char *const[]){__VA_ARGS__, NULL})

static void test_the_log_of_the_service_is_the_default(void **state)
{
	struct report_options options;

	assert_true(read_words(&options, (char *const *)(const char *const[]){NULL}));
	assert_int_equal(options.files_count, 1);
	assert_string_equal(options.files[0], "logs/requests.jsonl");
	assert_int_equal(options.form, FORM_TEXT);
	assert_true(options.filter.since_us == -1 && options.filter.until_us == -1);
	report_options_finish(&options);
}

static void test_flags_and_files_in_any_order(void **state)
{
	struct report_options options;

	assert_true(read_words(
		&options, WORDS("a", "--json", "--since=1h", "-", "--until", "2026-11-25",
				  "--project", "P", "--model=m", "--show", "m=f", "--", "--html")));
	assert_int_equal(options.files_count, 3);
	assert_string_equal(options.files[1], "-");
	assert_string_equal(options.files[2], "--html");
	assert_int_equal(options.form, FORM_JSON);
	assert_true(options.filter.since_us == NOW - INT64_C(3600000000));
	assert_string_equal(options.filter.project, "P");
	assert_string_equal(options.filter.model, "m");
	assert_string_equal(options.shows[0], "m=f");
	report_options_finish(&options);
}

static void test_wrong_usage_is_told(void **state)
{
	static const char *const cases[][4] = {
		{"--nothing", NULL, NULL, "--nothing"},
		{"--since", NULL, NULL, "--since needs a value"},
		{"--since", "yesterday", NULL, "yesterday"},
		{"--time-scale", "0", NULL, "--time-scale 0"},
		{"--json=1", NULL, NULL, "--json"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct report_options options;

		assert_false(read_words(&options, (char *const *)cases[i]));
		assert_non_null(strstr(error, cases[i][3]));
		free(error);
		report_options_finish(&options);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_log_of_the_service_is_the_default),
		cmocka_unit_test(test_flags_and_files_in_any_order),
		cmocka_unit_test(test_wrong_usage_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
