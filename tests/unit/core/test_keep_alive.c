#include "core/keep_alive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/policy.h"

static struct keep_alive keep_alive;

static int setup(void **state)
{
	keep_alive = (struct keep_alive){0};
	return 0;
}

static int teardown(void **state)
{
	keep_alive_finish(&keep_alive);
	return 0;
}

static void expect_due(const char *value)
{
	const char *due = keep_alive_due(&keep_alive);

	if (!value) {
		assert_null(due);
		return;
	}
	assert_non_null(due);
	assert_string_equal(due, value);
	keep_alive_note_told(&keep_alive);
	assert_null(keep_alive_due(&keep_alive));
}

static void test_it_is_told_once(void **state)
{
	expect_due(NULL);
	keep_alive_want(&keep_alive, NULL);
	keep_alive_want(&keep_alive, "");
	keep_alive_want(&keep_alive, "soon");
	expect_due(NULL);
	keep_alive_want(&keep_alive, "30m");
	expect_due("30m");
	keep_alive_want(&keep_alive, "30m");
	keep_alive_want(&keep_alive, "1800");
	expect_due(NULL);
}

static void test_again_only_when_it_grew(void **state)
{
	keep_alive_want(&keep_alive, "30m");
	expect_due("30m");
	keep_alive_want(&keep_alive, "5m");
	keep_alive_want(&keep_alive, "60");
	expect_due(NULL);
	keep_alive_want(&keep_alive, "60m");
	expect_due("60m");
	keep_alive_want(&keep_alive, "-1");
	expect_due("-1");
	keep_alive_want(&keep_alive, "999h");
	expect_due(NULL);
}

static void test_a_clients_own_value_stands_until_the_next_load(void **state)
{
	keep_alive_want(&keep_alive, "30m");
	keep_alive_note_theirs(&keep_alive);
	expect_due(NULL);
	keep_alive_want(&keep_alive, "60m");
	expect_due(NULL);
	keep_alive_forget(&keep_alive);
	expect_due(NULL);
	keep_alive_want(&keep_alive, "30m");
	expect_due("30m");
}

static void test_a_new_load_has_to_be_told_again(void **state)
{
	keep_alive_want(&keep_alive, "60m");
	expect_due("60m");
	keep_alive_forget(&keep_alive);
	keep_alive_want(&keep_alive, "30m");
	expect_due("30m");
}

static void test_a_pinned_one_stays_whatever_clients_say(void **state)
{
	keep_alive.is_pinned = true;
	expect_due("-1");
	keep_alive_want(&keep_alive, "30m");
	expect_due(NULL);
	keep_alive_note_theirs(&keep_alive);
	expect_due("-1");
	keep_alive_forget(&keep_alive);
	assert_true(keep_alive.is_pinned);
	expect_due("-1");
}

static void test_the_longer_rule_counts_else_everybodys(void **state)
{
	char five[] = "5m";
	struct model_rule rule = {.keep_alive = five};
	struct policy policy = {0};

	assert_null(keep_alive_of(&policy, NULL));
	assert_string_equal(keep_alive_of(&policy, "1h"), "1h");
	policy.model = &rule;
	assert_string_equal(keep_alive_of(&policy, "1h"), "5m");
	policy.project_keep_alive = "60m";
	assert_string_equal(keep_alive_of(&policy, "1h"), "60m");
	policy.project_keep_alive = "1m";
	assert_string_equal(keep_alive_of(&policy, "1h"), "5m");
	policy.model = NULL;
	assert_string_equal(keep_alive_of(&policy, "1h"), "1m");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_it_is_told_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_again_only_when_it_grew, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_clients_own_value_stands_until_the_next_load, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_new_load_has_to_be_told_again, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_pinned_one_stays_whatever_clients_say, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_the_longer_rule_counts_else_everybodys, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
