/* What no job waits for, with scheduler = fifo: preload and keep_alive (PRODUCT 5). */
#include "core/lane.h"
#include "turns_fixture.h"

static char *preload[3];
static char pin_a[] = "a", pin_b[] = "B";
static char half_an_hour[] = "30m";
static char none[] = "";

static int setup_fifo(void **state)
{
	setup(state);
	preload[0] = preload[1] = preload[2] = NULL;
	settings.scheduler = SCHEDULER_FIFO;
	settings.preload = preload;
	settings.keep_alive = none;
	return 0;
}

static void pin(char *one, char *other)
{
	preload[0] = one;
	preload[1] = other;
	scheduler_prepare(scheduler, &settings);
}

static void want(char *keep_alive)
{
	settings.keep_alive = keep_alive;
	scheduler_prepare(scheduler, &settings);
}

/* A moment later /api/ps is asked. */
static void see(const char *one, const char *other)
{
	now_us += S;
	tell(one, other);
	now_us += S;
}

static void expect_load(const char *key, const char *keep_alive)
{
	struct scheduler_answer answer = next();

	assert_int_equal(answer.verdict, SCHEDULER_LOAD);
	assert_string_equal(answer.runner->key, key);
	assert_string_equal(
		scheduler_keep_alive_of_load(scheduler, answer.runner, ring), keep_alive);
}

/* NULL: nothing is due. */
static void expect_touch(const char *key, const char *keep_alive)
{
	struct scheduler_view seen = view();
	struct runner *runner = NULL;
	const char *value;

	expect_nothing(); /* Ollama is asked what it is */
	value = scheduler_touch(scheduler, &seen, &runner);
	if (!key) {
		assert_null(value);
		return;
	}
	assert_non_null(value);
	assert_string_equal(value, keep_alive);
	assert_string_equal(runner->key, key);
	assert_null(scheduler_touch(scheduler, &seen, &runner));
}

static void expect_no_touch(void)
{
	struct scheduler_view seen = view();
	struct runner *runner = NULL;

	assert_null(scheduler_touch(scheduler, &seen, &runner));
}

static struct peek_result num_ctx(int64_t value)
{
	struct peek_result seen = {0};

	seen.has_option[PEEK_NUM_CTX] = true;
	seen.option[PEEK_NUM_CTX] = value;
	return seen;
}

static void answer(struct job *job, bool was_loaded)
{
	const struct lane_answer told = {.now_us = now_us, .was_loaded = was_loaded, .wait_ns = -1};

	scheduler_answered(scheduler, job, &told);
	finish(job);
}

/* A whole job; Ollama loads what it needs. */
static void serve(struct job *job, bool was_loaded)
{
	send_next(job);
	now_us += S;
	answer(job, was_loaded);
}

static void test_preloaded_models_are_loaded_when_nothing_goes_on(void **state)
{
	pin(pin_a, pin_b);
	expect_nothing();
	see(NULL, NULL);
	expect_load("a:latest", "-1");
	expect_nothing();
	loaded("a", NULL);
	now_us += S;
	see("a", NULL);
	expect_load("b:latest", "-1");
	loaded("a", "b");
	see("a", "b");
	expect_touch(NULL, NULL);
}

static void test_jobs_wait_for_no_preload(void **state)
{
	struct job *first, *second;

	pin(pin_a, NULL);
	first = add("b");
	see(NULL, NULL);
	send_next(first);
	expect_nothing(); /* it runs */
	answer(first, false);
	expect_nothing(); /* what is loaded was not looked at since */
	see("b", NULL);
	expect_load("a:latest", "-1");
	second = add("a");
	assert_false(scheduler_is_loading(scheduler, second));
	send_next(second); /* Ollama lets it wait for the load */
	loaded("a", "b");
	answer(second, true);
	see("a", "b");
	expect_touch(NULL, NULL);
}

static void test_nothing_is_preloaded_while_jobs_wait(void **state)
{
	struct job *running, *waiting;

	settings.max_concurrent = 1;
	pin(pin_a, NULL);
	running = add("b");
	waiting = add("b");
	send_next(running);
	see("b", NULL);
	expect_nothing();
	answer(running, true);
	see("b", NULL);
	serve(waiting, true);
	see("b", NULL);
	expect_load("a:latest", "-1");
}

static void test_nothing_while_paused_or_down_or_beside_another_process(void **state)
{
	struct scheduler_view seen;

	pin(pin_a, NULL);
	see(NULL, NULL);
	seen = view();
	seen.paused = true;
	assert_int_equal(scheduler_next(scheduler, &seen).verdict, SCHEDULER_NOTHING);
	seen = view();
	seen.upstream_usable = false;
	assert_int_equal(scheduler_next(scheduler, &seen).verdict, SCHEDULER_NOTHING);
	seen = view();
	seen.company = COMPANY_BESIDE;
	assert_int_equal(scheduler_next(scheduler, &seen).verdict, SCHEDULER_NOTHING);
	expect_load("a:latest", "-1");
}

static void test_a_load_that_fails_fails_nobodys_job(void **state)
{
	pin(pin_a, NULL);
	see(NULL, NULL);
	expect_load("a:latest", "-1");
	assert_true(scheduler_load_failed(scheduler, true, now_us));
	see(NULL, NULL);
	expect_nothing(); /* it is not tried again */
	residency_forget(residency);
	see(NULL, NULL); /* but after a restart */
	expect_load("a:latest", "-1");
}

static void test_what_does_not_fit_beside_makes_the_idle_one_go(void **state)
{
	struct job *job = add("b");

	pin(pin_a, NULL);
	serve(job, false);
	see("b", NULL);
	expect_load("a:latest", "-1"); /* a trial */
	loaded("a", NULL);
	see("a", NULL);
	expect_nothing();
	residency_forget(residency);
	see("b", NULL);
	expect_load("a:latest", "-1");
}

static void test_a_runner_is_told_when_nothing_goes_on(void **state)
{
	struct job *job, *other;

	want(half_an_hour);
	job = add("a");
	send_next(job);
	other = add("a");
	see("a", NULL);
	expect_no_touch();
	answer(job, true);
	serve(other, true);
	expect_touch(NULL, NULL); /* it may have gone since /api/ps was asked */
	see("a", NULL);
	expect_touch("a:latest", "30m");
	serve(add("a"), true);
	see("a", NULL);
	expect_touch(NULL, NULL); /* once a load */
}

static void test_it_is_told_again_when_ollama_loaded_it_anew(void **state)
{
	want(half_an_hour);
	serve(add("a"), false);
	see("a", NULL);
	expect_touch("a:latest", "30m");
	/* another model came and went between two looks */
	serve(add("a"), false);
	see("a", NULL);
	expect_touch("a:latest", "30m");
}

static void test_a_clients_own_value_stands(void **state)
{
	struct peek_result seen = {.keep_alive = PEEK_KEEP_ALIVE_VALUE};
	struct job *job;

	want(half_an_hour);
	job = add_with("a", "p", &seen);
	serve(job, true);
	see("a", NULL);
	expect_touch(NULL, NULL);
}

/* An empty request with the options of another key would load the model again. */
static void test_the_key_that_answered_last_is_told(void **state)
{
	struct peek_result large = num_ctx(8192);

	want(half_an_hour);
	serve(add_with("a", "p", NULL), true);
	serve(add_with("a", "p", &large), false);
	see("a", NULL);
	expect_touch("a:latest num_ctx=8192", "30m");
	serve(add_with("a", "p", NULL), false);
	see("a", NULL);
	expect_touch("a:latest", "30m");
}

static void test_of_several_keys_none_is_told_before_one_has_answered(void **state)
{
	struct peek_result large = num_ctx(8192);
	struct job *job;

	want(half_an_hour);
	serve(add_with("a", "p", NULL), true);
	job = add_with("a", "p", &large);
	send_next(job);
	finish(job); /* an error, or its client left: which one is loaded? */
	see("a", NULL);
	expect_touch(NULL, NULL);
}

static void test_one_that_others_loaded_is_pinned(void **state)
{
	pin(pin_a, NULL);
	see("a", NULL);
	expect_touch("a:latest", "-1");
}

static void test_what_is_gone_is_not_told(void **state)
{
	want(half_an_hour);
	serve(add("a"), true);
	see("b", NULL);
	expect_touch(NULL, NULL);
}

/* One limit for all, and what is expected of a job is what jobs take. */
static void test_runners_change_nothing_else(void **state)
{
	struct job *first, *second;

	settings.max_concurrent = 1;
	first = add("a");
	second = add("b");
	send_next(first);
	expect_nothing();
	now_us += 4 * S;
	answer(first, true);
	assert_int_equal(scheduler_expected_us(scheduler, second), 4 * S);
	assert_false(scheduler_loads_for(scheduler, second));
	send_next(second);
}

#define FIFO_TEST(name) cmocka_unit_test_setup_teardown(name, setup_fifo, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIFO_TEST(test_preloaded_models_are_loaded_when_nothing_goes_on),
		FIFO_TEST(test_jobs_wait_for_no_preload),
		FIFO_TEST(test_nothing_is_preloaded_while_jobs_wait),
		FIFO_TEST(test_nothing_while_paused_or_down_or_beside_another_process),
		FIFO_TEST(test_a_load_that_fails_fails_nobodys_job),
		FIFO_TEST(test_what_does_not_fit_beside_makes_the_idle_one_go),
		FIFO_TEST(test_a_runner_is_told_when_nothing_goes_on),
		FIFO_TEST(test_it_is_told_again_when_ollama_loaded_it_anew),
		FIFO_TEST(test_a_clients_own_value_stands),
		FIFO_TEST(test_the_key_that_answered_last_is_told),
		FIFO_TEST(test_of_several_keys_none_is_told_before_one_has_answered),
		FIFO_TEST(test_one_that_others_loaded_is_pinned),
		FIFO_TEST(test_what_is_gone_is_not_told),
		FIFO_TEST(test_runners_change_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
