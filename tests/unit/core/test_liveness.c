#include "core/liveness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#define S INT64_C(1000000)
#define NOW (1000 * S)
#define SINCE (NOW - 600 * S)

/* A model that is up and answers nobody. */
static struct liveness_signs silent(void)
{
	return (struct liveness_signs){
		.now_us = NOW,
		.since_us = SINCE,
		.is_usable = true,
		.asked_us = NOW - S,
		.is_listed = true,
	};
}

static void test_a_loaded_model_that_answers_nobody_is_stuck(void **state)
{
	struct liveness_signs signs = silent();

	assert_int_equal(liveness_judge(&signs), LIVENESS_STUCK);
	/* What it said before this silence began is no sign of life. */
	signs.other_us = SINCE - S;
	assert_int_equal(liveness_judge(&signs), LIVENESS_STUCK);
}

static void test_one_that_answers_others_is_busy(void **state)
{
	struct liveness_signs signs = silent();

	signs.other_us = SINCE + S;
	assert_int_equal(liveness_judge(&signs), LIVENESS_BUSY);
	/* A snapshot may be older than its load. */
	signs.is_listed = false;
	assert_int_equal(liveness_judge(&signs), LIVENESS_BUSY);
}

static void test_one_that_is_not_listed_is_loading(void **state)
{
	struct liveness_signs signs = silent();

	signs.is_listed = false;
	assert_int_equal(liveness_judge(&signs), LIVENESS_LOADING);
}

static void test_an_ollama_that_answers_no_probe_is_dead(void **state)
{
	struct liveness_signs signs = silent();

	signs.is_usable = false;
	signs.other_us = SINCE + S;
	assert_int_equal(liveness_judge(&signs), LIVENESS_DEAD);
	signs = silent();
	signs.asked_us = 0;
	assert_int_equal(liveness_judge(&signs), LIVENESS_DEAD);
	signs.asked_us = NOW - LIVENESS_ASKED_US;
	assert_int_equal(liveness_judge(&signs), LIVENESS_STUCK);
	signs.asked_us--;
	assert_int_equal(liveness_judge(&signs), LIVENESS_DEAD);
}

static void test_it_remembers_when_a_model_answered_last(void **state)
{
	struct liveness_memory memory = {0};

	assert_int_equal(liveness_seen_us(&memory, "a"), 0);
	liveness_note(&memory, "a", 1 * S);
	liveness_note(&memory, "b", 2 * S);
	liveness_note(&memory, "a", 3 * S);
	assert_int_equal(liveness_seen_us(&memory, "a"), 3 * S);
	assert_int_equal(liveness_seen_us(&memory, "b"), 2 * S);
	liveness_finish(&memory);
	assert_int_equal(liveness_seen_us(&memory, "a"), 0);
}

static void test_of_many_models_the_longest_silent_one_is_forgotten(void **state)
{
	struct liveness_memory memory = {0};
	char name[16];

	for (int i = 0; i < LIVENESS_MODELS; i++) {
		snprintf(name, sizeof(name), "m%d", i);
		liveness_note(&memory, name, (i + 1) * S);
	}
	liveness_note(&memory, "m0", 100 * S);
	liveness_note(&memory, "new", 101 * S);
	assert_int_equal(liveness_seen_us(&memory, "m0"), 100 * S);
	assert_int_equal(liveness_seen_us(&memory, "m1"), 0);
	assert_int_equal(liveness_seen_us(&memory, "new"), 101 * S);
	liveness_finish(&memory);
}

static void test_each_has_its_word(void **state)
{
	assert_string_equal(liveness_name(LIVENESS_DEAD), "dead");
	assert_string_equal(liveness_name(LIVENESS_STUCK), "stuck");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_loaded_model_that_answers_nobody_is_stuck),
		cmocka_unit_test(test_one_that_answers_others_is_busy),
		cmocka_unit_test(test_one_that_is_not_listed_is_loading),
		cmocka_unit_test(test_an_ollama_that_answers_no_probe_is_dead),
		cmocka_unit_test(test_it_remembers_when_a_model_answered_last),
		cmocka_unit_test(test_of_many_models_the_longest_silent_one_is_forgotten),
		cmocka_unit_test(test_each_has_its_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
