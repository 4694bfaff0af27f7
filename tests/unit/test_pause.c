#include "pause.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct residency *loaded(const char *first, const char *second)
{
	struct residency *residency = residency_create();

	residency_begin(residency);
	if (first)
		residency_add(residency, first, 1, 1, -1);
	if (second)
		residency_add(residency, second, 1, 1, -1);
	residency_end(residency, 1);
	return residency;
}

static void test_it_holds_until_its_end(void **state)
{
	struct pause pause = {0};

	assert_false(pause_holds(&pause));
	pause_begin(&pause, false);
	assert_true(pause_holds(&pause));
	assert_false(pause_is_unloading(&pause));
	pause_end(&pause);
	assert_false(pause_holds(&pause));
	pause_finish(&pause);
}

static void test_each_loaded_model_is_unloaded_once(void **state)
{
	struct residency *residency = loaded("a:latest", "b:latest");
	struct runner runner = {0};
	struct pause pause = {0};

	assert_false(pause_next(&pause, residency, &runner));
	pause_begin(&pause, true);
	assert_true(pause_is_unloading(&pause));
	assert_true(pause_next(&pause, residency, &runner));
	assert_string_equal(runner.spelling, "b:latest");
	assert_true(pause_unloaded(&pause));
	assert_true(pause_next(&pause, residency, &runner));
	assert_string_equal(runner.model, "a:latest");
	assert_true(pause_is_unloading(&pause));
	assert_true(pause_unloaded(&pause));
	/* They may still be listed: others use them. Not again. */
	assert_false(pause_next(&pause, residency, &runner));
	assert_false(pause_is_unloading(&pause));
	/* Somebody else's. */
	assert_false(pause_unloaded(&pause));
	pause_finish(&pause);
	residency_destroy(residency);
}

static void test_the_wish_may_come_later_and_again(void **state)
{
	struct residency *residency = loaded("a:latest", NULL);
	struct runner runner = {0};
	struct pause pause = {0};

	pause_begin(&pause, false);
	assert_false(pause_next(&pause, residency, &runner));
	for (int i = 0; i < 2; i++) {
		pause_begin(&pause, true);
		assert_true(pause_next(&pause, residency, &runner));
		assert_true(pause_unloaded(&pause));
	}
	pause_finish(&pause);
	residency_destroy(residency);
}

static void test_nothing_is_sent_while_an_unload_outlives_the_end(void **state)
{
	struct residency *residency = loaded("a:latest", "b:latest");
	struct runner runner = {0};
	struct pause pause = {0};

	pause_begin(&pause, true);
	assert_true(pause_next(&pause, residency, &runner));
	pause_end(&pause);
	assert_true(pause_holds(&pause));
	assert_true(pause_unloaded(&pause));
	assert_false(pause_holds(&pause));
	assert_false(pause_next(&pause, residency, &runner));
	pause_finish(&pause);
	residency_destroy(residency);
}

static void test_it_waits_until_ollama_has_said_what_is_loaded(void **state)
{
	struct residency *residency = residency_create();
	struct runner runner = {0};
	struct pause pause = {0};

	pause_begin(&pause, true);
	assert_false(pause_next(&pause, residency, &runner));
	assert_true(pause_is_unloading(&pause));
	residency_begin(residency);
	residency_end(residency, 1);
	assert_false(pause_next(&pause, residency, &runner));
	assert_false(pause_is_unloading(&pause));
	pause_finish(&pause);
	residency_destroy(residency);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_holds_until_its_end),
		cmocka_unit_test(test_each_loaded_model_is_unloaded_once),
		cmocka_unit_test(test_the_wish_may_come_later_and_again),
		cmocka_unit_test(test_nothing_is_sent_while_an_unload_outlives_the_end),
		cmocka_unit_test(test_it_waits_until_ollama_has_said_what_is_loaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
