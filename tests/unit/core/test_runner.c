/* Runner keys and what is expected of them. */
#include "core/runner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

enum { MANY = 300, KNOWN_MOST = 256, NAME_BYTES = 4096 };

static const double S = 1e6;

static struct runners runners;

static int setup(void **state)
{
	runners_init(&runners);
	return 0;
}

static int teardown(void **state)
{
	runners_finish(&runners);
	return 0;
}

static bool is_near(double value, double expected)
{
	return value > expected * 0.999 && value < expected * 1.001;
}

static void test_all_spellings_are_one_key(void **state)
{
	struct runner *runner = runners_get(&runners, "llama3", NULL);

	assert_string_equal(runner->key, "llama3:latest");
	assert_string_equal(runner->spelling, "llama3");
	assert_ptr_equal(
		runners_get(&runners, "registry.ollama.ai/library/LLAMA3:latest", NULL), runner);
	assert_int_equal(runners.count, 1);
}

static void test_each_option_is_part_of_the_key(void **state)
{
	struct peek_result seen = {0};
	struct runner *runner;

	for (int i = 0; i < PEEK_OPTION_COUNT; i++) {
		seen.has_option[i] = true;
		seen.option[i] = i + 1;
	}
	runner = runners_get(&runners, "a", &seen);
	for (int i = 0; i < PEEK_OPTION_COUNT; i++)
		assert_non_null(strstr(runner->key, peek_option_name((enum peek_option)i)));
	assert_ptr_not_equal(runners_get(&runners, "a", NULL), runner);
	seen.option[0]++;
	assert_ptr_not_equal(runners_get(&runners, "a", &seen), runner);
}

/* A name of any length makes a key of bounded length. */
static void test_a_long_name_is_cut(void **state)
{
	static char name[NAME_BYTES];
	struct peek_result seen = {.has_option = {true, true}, .option = {INT64_MAX, INT64_MIN}};

	memset(name, 'a', sizeof(name) - 1);
	assert_in_range(strlen(runners_get(&runners, name, &seen)->key), 1, 512);
}

static void test_the_loaded_key_of_a_model_is_found(void **state)
{
	struct peek_result seen = {.has_option = {true}, .option = {8192}};
	struct runner *runner = runners_get(&runners, "a", &seen);

	assert_null(runners_resident(&runners, "a:latest"));
	runner->is_resident = true;
	assert_ptr_equal(runners_resident(&runners, "a:latest"), runner);
	assert_null(runners_resident(&runners, "b:latest"));
}

/* Every num_ctx that a client makes up is a key. */
static void test_keys_that_nobody_needs_are_forgotten_beyond_some(void **state)
{
	struct runner *needed[5];

	for (int i = 0; i < 5; i++) {
		char name[16];

		snprintf(name, sizeof(name), "needed-%d", i);
		needed[i] = runners_get(&runners, name, NULL);
	}
	needed[0]->is_resident = true;
	needed[1]->is_busy_with_us = true;
	needed[2]->is_looked_at = true;
	needed[3]->jobs.waiting = 1;
	needed[4]->jobs.running = 1;
	for (int i = 0; i < MANY; i++) {
		struct peek_result seen = {.has_option = {true}, .option = {i}};

		runners_get(&runners, "made-up", &seen);
	}
	assert_true(runners.count <= KNOWN_MOST);
	for (int i = 0; i < 5; i++)
		assert_ptr_equal(runners_get(&runners, needed[i]->spelling, NULL), needed[i]);
}

static void test_what_was_not_measured_is_guessed(void **state)
{
	struct runner *one = runners_get(&runners, "one", NULL);
	struct runner *other = runners_get(&runners, "other", NULL);

	assert_true(runner_load_us(&runners, one) > 0);
	assert_true(runner_service_us(&runners, one) > 0);
	/* By what others took. */
	runner_note_load(&runners, one, 20000000);
	runner_note_service(&runners, one, 3000000);
	assert_true(is_near(runner_load_us(&runners, other), 20 * S));
	assert_true(is_near(runner_service_us(&runners, other), 3 * S));
	runner_note_load(&runners, other, 2000000);
	runner_note_service(&runners, other, 500000);
	assert_true(is_near(runner_load_us(&runners, other), 2 * S));
	assert_true(is_near(runner_service_us(&runners, other), 0.5 * S));
	assert_true(is_near(runner_load_us(&runners, one), 20 * S));
}

static void test_newer_measures_count_more(void **state)
{
	struct runner *runner = runners_get(&runners, "a", NULL);

	runner_note_load(&runners, runner, 10000000);
	for (int i = 0; i < 10; i++)
		runner_note_load(&runners, runner, 1000000);
	assert_true(runner_load_us(&runners, runner) < 1.2 * S);
}

static void test_clearing_takes_batches_that_run_slower_together(void **state)
{
	struct runner *runner = runners_get(&runners, "a", NULL);

	runner_note_service(&runners, runner, 1000000);
	assert_true(is_near(runner_clear_us(&runners, runner, 4, 1), 4 * S));
	assert_true(is_near(runner_clear_us(&runners, runner, 4, 4), 1.45 * S));
	assert_true(is_near(runner_clear_us(&runners, runner, 0.5, 4), 0.5 * S));
	assert_true(is_near(runner_clear_us(&runners, runner, 8, 4), 2.9 * S));
}

static void test_arrivals_are_expected_as_lately(void **state)
{
	struct runner *runner = runners_get(&runners, "a", NULL);
	double soon;

	for (int i = 0; i < 6; i++)
		runner_note_arrival(runner, 0);
	soon = runner_arrivals(runner, 0, 10 * S);
	assert_true(is_near(soon, 1));
	assert_true(runner_arrivals(runner, 60000000, 10 * S) < soon / 2);
}

/* From its last job's end, and only if it was idle. */
static void test_returns_are_noted_from_idle(void **state)
{
	struct runner *runner = runners_get(&runners, "a", NULL);

	runner_note_arrival(runner, 1000);
	assert_int_equal(runner->returns_count, 0); /* it had no job before */
	runner->idle_since_us = 2000;
	runner->jobs.waiting = 1;
	runner_note_arrival(runner, 2500);
	assert_int_equal(runner->returns_count, 0);
	runner->jobs.waiting = 0;
	runner_note_arrival(runner, 3000);
	assert_int_equal(runner->returns_count, 1);
	assert_int_equal(runner->returns_us[0], 1000);
}

static void return_after(struct runner *runner, int64_t us, int times)
{
	runner->idle_since_us = 1;
	for (int i = 0; i < times; i++)
		runner_note_arrival(runner, 1 + us);
}

static void test_a_hold_is_for_those_that_come_back_soon(void **state)
{
	struct runner *runner = runners_get(&runners, "a", NULL);

	assert_int_equal(runner_hold_us(runner, 5 * S, 20 * S, 1), 0);
	return_after(runner, 100000, 6);
	assert_in_range(runner_hold_us(runner, 5 * S, 20 * S, 1), 100000, 200000);
	/* Many wait, little is won. */
	assert_int_equal(runner_hold_us(runner, 5 * S, S / 100, 50), 0);
	assert_int_equal(runner_hold_us(runner, 5 * S, -S, 1), 0);
}

static void test_a_hold_is_never_longer_than_it_may(void **state)
{
	struct runner *runner = runners_get(&runners, "a", NULL);

	return_after(runner, 4000000, 40); /* more than are remembered */
	assert_int_equal(runner_hold_us(runner, 4.5 * S, 60 * S, 1), 4500000);
	/* In half of the time nobody came back. */
	assert_int_equal(runner_hold_us(runner, 2 * S, 60 * S, 1), 0);
}

/* num_ctx equal to the default is the same runner, once the default is known (FACTS-ollama 7). */
static void test_the_default_context_is_no_runner_of_its_own(void **state)
{
	struct peek_result asks = {
		.has_option = {[PEEK_NUM_CTX] = true}, .option = {[PEEK_NUM_CTX] = 4096}};
	struct runner *plain = runners_get(&runners, "a", NULL);
	struct runner *own = runners_get(&runners, "a", &asks);

	assert_ptr_not_equal(own, plain); /* nothing is known yet */
	runners_note_context(&runners, own, 4096);
	assert_ptr_equal(
		runners_get(&runners, "a", &asks), own); /* it tells nothing of the default */
	runners_note_context(&runners, plain, 4096);
	assert_ptr_equal(runners_get(&runners, "a", &asks), plain);
	assert_ptr_not_equal(runners_get(&runners, "b", &asks), plain);
	asks.has_option[PEEK_NUM_GPU] = true;
	assert_string_equal(runners_get(&runners, "a", &asks)->key, "a:latest num_gpu=0");
	asks.option[PEEK_NUM_CTX] = 8192;
	assert_string_equal(
		runners_get(&runners, "a", &asks)->key, "a:latest num_ctx=8192 num_gpu=0");
	/* After a restart it may be another. */
	runners_note_context(&runners, plain, 8192);
	assert_string_equal(runners_get(&runners, "a", &asks)->key, "a:latest num_gpu=0");
	runners_forget_contexts(&runners);
	assert_string_equal(
		runners_get(&runners, "a", &asks)->key, "a:latest num_ctx=8192 num_gpu=0");
}

#define RUNNER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUNNER_TEST(test_all_spellings_are_one_key),
		RUNNER_TEST(test_each_option_is_part_of_the_key),
		RUNNER_TEST(test_a_long_name_is_cut),
		RUNNER_TEST(test_the_loaded_key_of_a_model_is_found),
		RUNNER_TEST(test_keys_that_nobody_needs_are_forgotten_beyond_some),
		RUNNER_TEST(test_what_was_not_measured_is_guessed),
		RUNNER_TEST(test_newer_measures_count_more),
		RUNNER_TEST(test_clearing_takes_batches_that_run_slower_together),
		RUNNER_TEST(test_arrivals_are_expected_as_lately),
		RUNNER_TEST(test_returns_are_noted_from_idle),
		RUNNER_TEST(test_a_hold_is_for_those_that_come_back_soon),
		RUNNER_TEST(test_the_default_context_is_no_runner_of_its_own),
		RUNNER_TEST(test_a_hold_is_never_longer_than_it_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
