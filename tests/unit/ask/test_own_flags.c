#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "ask/own_flags.h"
#include "base/compiler.h"

struct taken {
	bool is_once;
	char *key;
	char *error;
	bool is_good;
};

static struct taken take(int *count, char **arguments)
{
	struct taken taken = {0};
	const struct own_flag flags[] = {
		{.name = "--once", .ret_is_set = &taken.is_once},
		{.name = "--key", .ret_value = &taken.key, .is_secret = true},
	};

	taken.is_good = own_flags_take(count, arguments, flags, ARRAY_LENGTH(flags), &taken.error);
	return taken;
}

static void test_own_flags_go_and_the_rest_stays_in_order(void **state)
{
	char secret[] = "sesame";
	const char *arguments[] = {"so", "top", "--once", "-c", "f", "--key", secret, "http://x"};
	int count = ARRAY_LENGTH(arguments);
	struct taken taken = take(&count, (char **)arguments);

	assert_true(taken.is_good);
	assert_true(taken.is_once);
	assert_string_equal(taken.key, "sesame");
	assert_string_equal(secret, "******");
	assert_int_equal(count, 5);
	assert_string_equal(arguments[2], "-c");
	assert_string_equal(arguments[4], "http://x");
	own_flags_forget_key(taken.key);
}

static void test_a_value_may_follow_an_equals_sign(void **state)
{
	char key[] = "--key=sesame";
	const char *arguments[] = {"so", "top", key};
	int count = ARRAY_LENGTH(arguments);
	struct taken taken = take(&count, (char **)arguments);

	assert_string_equal(taken.key, "sesame");
	assert_string_equal(key, "--key=******");
	assert_int_equal(count, 2);
	own_flags_forget_key(taken.key);
}

static void test_what_follows_two_dashes_is_no_flag(void **state)
{
	const char *arguments[] = {"so", "top", "--", "--once"};
	int count = ARRAY_LENGTH(arguments);
	struct taken taken = take(&count, (char **)arguments);

	assert_false(taken.is_once);
	assert_int_equal(count, 4);
}

static void check_refused(char *flag)
{
	const char *arguments[] = {"so", "top", flag};
	int count = ARRAY_LENGTH(arguments);
	struct taken taken = take(&count, (char **)arguments);

	assert_false(taken.is_good);
	assert_non_null(strstr(taken.error, "value"));
	free(taken.error);
	own_flags_forget_key(taken.key);
}

static void test_values_that_are_missing_or_too_many_are_refused(void **state)
{
	char once[] = "--once=yes", key[] = "--key", empty[] = "--key=";

	check_refused(once);
	check_refused(key);
	check_refused(empty);
}

static void test_the_variable_is_the_key_where_no_flag_is(void **state)
{
	char *key, *error = NULL;

	setenv("SHARED_OLLAMA_KEY", "from-outside", 1);
	assert_true(own_flags_key(NULL, &key, &error));
	assert_string_equal(key, "from-outside");
	own_flags_forget_key(key);
	assert_true(own_flags_key(strdup("given"), &key, &error));
	assert_string_equal(key, "given");
	own_flags_forget_key(key);
	unsetenv("SHARED_OLLAMA_KEY");
	assert_true(own_flags_key(NULL, &key, &error));
	assert_null(key);
}

static void test_a_key_cannot_bring_a_field_of_its_own(void **state)
{
	char *key = NULL, *error = NULL;

	assert_false(own_flags_key(strdup("a\r\nX: y"), &key, &error));
	assert_null(key);
	free(error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_flags_go_and_the_rest_stays_in_order),
		cmocka_unit_test(test_a_value_may_follow_an_equals_sign),
		cmocka_unit_test(test_what_follows_two_dashes_is_no_flag),
		cmocka_unit_test(test_values_that_are_missing_or_too_many_are_refused),
		cmocka_unit_test(test_the_variable_is_the_key_where_no_flag_is),
		cmocka_unit_test(test_a_key_cannot_bring_a_field_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
