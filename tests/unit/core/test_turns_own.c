/* What turns ask of Ollama without a waiting job: preload, keep_alive, a load that is stuck. */
#include "scheduler_fixture.h"

enum { P = 2 };

static const int64_t LOAD_US = 1000000;

static char pin_a[] = "A";
static char pin_b[] = "b";
static char half_an_hour[] = "30m";
static char *preload[3];

static int setup(void **state)
{
	begin((struct settings){.max_concurrent = P,
		.scheduler = SCHEDULER_TURNS,
		.max_turn_wait_ms = 45000,
		.preload = preload});
	preload[0] = preload[1] = NULL;
	return 0;
}

/* A moment later /api/ps is asked. */
static void see(const char *one, const char *other)
{
	now_us++;
	tell(one, other);
}

static struct runner *expect_verdict(enum scheduler_verdict verdict, const char *key)
{
	struct scheduler_answer answer = next();

	assert_int_equal(answer.verdict, verdict);
	assert_string_equal(answer.runner->key, key);
	return answer.runner;
}

static void loaded(const char *one, const char *other)
{
	now_us += LOAD_US;
	see(one, other);
	scheduler_loaded(scheduler, LOAD_US, now_us, now_us);
}

static void send_next(struct job *expected)
{
	struct scheduler_answer answer = next();

	assert_int_equal(answer.verdict, SCHEDULER_DISPATCH);
	assert_ptr_equal(answer.job, expected);
	expected->record.dispatched_us = now_us;
	scheduler_sent(scheduler, expected);
	job_set_state(expected, JOB_CONNECTING);
}

static void finish(struct job *job)
{
	job_set_state(job, JOB_AWAITING);
	ring_remove(ring, job);
	job_set_state(job, JOB_STREAMING);
	now_us += S;
	scheduler_released(scheduler, job, S, now_us);
	job_set_state(job, JOB_FLUSHING);
}

static void expect_load(const char *key, const char *keep_alive)
{
	struct runner *runner = expect_verdict(SCHEDULER_LOAD, key);
	const char *carried = scheduler_keep_alive_of_load(scheduler, runner, ring);

	if (keep_alive)
		assert_string_equal(carried, keep_alive);
	else
		assert_null(carried);
}

static void expect_touch(const char *key, const char *keep_alive)
{
	struct scheduler_view seen = view();
	struct runner *runner = NULL;
	const char *value = scheduler_touch(scheduler, &seen, &runner);

	if (!key) {
		assert_null(value);
		return;
	}
	assert_non_null(value);
	assert_string_equal(value, keep_alive);
	assert_string_equal(runner->key, key);
	assert_null(scheduler_touch(scheduler, &seen, &runner));
}

/* Preload. */

static void pin(char *one, char *other)
{
	preload[0] = one;
	preload[1] = other;
	scheduler_prepare(scheduler, &settings);
}

static void test_preloaded_models_are_loaded_for_ever_without_a_job(void **state)
{
	pin(pin_a, pin_b);
	expect_nothing();
	see(NULL, NULL);
	expect_load("a:latest", "-1");
	expect_nothing();
	loaded("a", NULL);
	expect_load("b:latest", "-1");
	loaded("a", "b");
	expect_nothing();
	expect_touch(NULL, NULL);
}

static void test_a_reload_loads_only_what_is_new_among_the_preloaded(void **state)
{
	pin(pin_a, NULL);
	see(NULL, NULL);
	expect_load("a:latest", "-1");
	loaded("a", NULL);
	expect_nothing();
	see(NULL, NULL); /* a client has unloaded it */
	pin(pin_a, NULL);
	expect_nothing();
	pin(pin_a, pin_b);
	expect_load("b:latest", "-1");
}

static void test_a_reload_forgets_no_preload_that_is_owed(void **state)
{
	pin(pin_a, pin_b);
	pin(pin_a, NULL);
	see(NULL, NULL);
	expect_load("a:latest", "-1");
	loaded("a", NULL);
	expect_nothing();
}

static void test_what_is_loaded_already_is_only_pinned(void **state)
{
	pin(pin_a, NULL);
	see("a", NULL);
	expect_nothing();
	expect_touch("a:latest", "-1");
}

static void test_again_after_a_restart(void **state)
{
	pin(pin_a, NULL);
	see(NULL, NULL);
	expect_load("a:latest", "-1");
	loaded("a", NULL);
	expect_nothing();
	residency_forget(residency);
	see(NULL, NULL);
	expect_load("a:latest", "-1");
}

static void test_a_restart_that_only_an_idle_connection_told_of(void **state)
{
	pin(pin_a, NULL);
	see("a", NULL);
	expect_nothing();
	residency_doubt(residency);
	see("a", "c");
	expect_nothing();
	residency_doubt(residency);
	see(NULL, NULL);
	expect_load("a:latest", "-1");
}

/* Somebody unloaded it: that was meant. */
static void test_what_was_unloaded_stays_so(void **state)
{
	pin(pin_a, NULL);
	see("a", NULL);
	expect_nothing();
	see(NULL, NULL);
	expect_nothing();
}

static void test_jobs_go_first(void **state)
{
	struct job *job;

	pin(pin_a, NULL);
	see(NULL, NULL);
	job = add("c");
	expect_load("c:latest", NULL);
	loaded("c", NULL);
	send_next(job);
	/* A trial could evict what runs. */
	expect_nothing();
	finish(job);
	expect_load("a:latest", "-1");
}

static void test_a_job_joins_the_preload(void **state)
{
	struct job *job;

	pin(pin_a, NULL);
	see(NULL, NULL);
	expect_load("a:latest", "-1");
	job = add("a");
	expect_nothing();
	assert_true(scheduler_is_loading(scheduler, job));
	loaded("a", NULL);
	send_next(job);
}

static void test_what_cannot_be_loaded_is_not_tried_for_ever(void **state)
{
	pin(pin_a, NULL);
	kind = RUNNER_NOT_LOCAL;
	see(NULL, NULL);
	expect_nothing();
	kind = RUNNER_GENERATES;
	pin(pin_b, NULL);
	expect_load("b:latest", "-1");
	assert_true(scheduler_load_failed(scheduler, true, now_us));
	expect_nothing();
}

static void test_a_load_that_broke_off_is_tried_again(void **state)
{
	pin(pin_a, NULL);
	see(NULL, NULL);
	expect_load("a:latest", "-1");
	assert_false(scheduler_load_failed(scheduler, false, now_us));
	expect_load("a:latest", "-1");
}

/* The second one evicts the first: then one is enough. */
static void test_two_that_do_not_fit_do_not_take_turns(void **state)
{
	pin(pin_a, pin_b);
	see(NULL, NULL);
	expect_load("a:latest", "-1");
	loaded("a", NULL);
	expect_load("b:latest", "-1");
	loaded("b", NULL);
	expect_nothing();
	now_us += 100 * S;
	see("b", NULL);
	expect_nothing();
}

/* a (pinned) and c do not fit with b; c goes though it was used last. */
static void test_a_pinned_one_gives_way_last(void **state)
{
	struct job *c;
	struct job *b;

	pin(pin_a, NULL);
	see("a", NULL);
	c = add("c");
	expect_load("c:latest", NULL);
	loaded("a", "c");
	send_next(c);
	b = add("b");
	expect_nothing();
	finish(c);
	/* The trial evicts one, and that is learned. */
	expect_load("b:latest", NULL);
	loaded("a", "b");
	send_next(b);
	finish(b);
	add("c");
	expect_verdict(SCHEDULER_UNLOAD, "b:latest");
}

static void test_but_it_does_give_way(void **state)
{
	struct job *b;

	pin(pin_a, NULL);
	see("a", NULL);
	b = add("b");
	expect_load("b:latest", NULL);
	loaded("b", NULL); /* they do not fit */
	send_next(b);
	finish(b);
	add("a");
	expect_verdict(SCHEDULER_UNLOAD, "b:latest");
	see(NULL, NULL);
	scheduler_unloaded(scheduler, now_us);
	expect_load("a:latest", "-1");
	loaded("a", NULL);
	job_set_state(&jobs[1], JOB_CONNECTING);
	finish(&jobs[1]);
	add("b");
	expect_verdict(SCHEDULER_UNLOAD, "a:latest");
}

/* keep_alive. */

static void test_a_load_carries_what_its_jobs_want(void **state)
{
	settings.keep_alive = half_an_hour;
	scheduler_prepare(scheduler, &settings);
	see(NULL, NULL);
	add("a");
	add("a")->policy.project_keep_alive = "60m";
	add("b")->policy.project_keep_alive = "-1";
	expect_load("a:latest", "60m");
}

static void test_a_longer_wish_touches_an_idle_runner(void **state)
{
	struct job *job;

	settings.keep_alive = half_an_hour;
	scheduler_prepare(scheduler, &settings);
	see(NULL, NULL);
	job = add("a");
	expect_load("a:latest", "30m");
	loaded("a", NULL);
	send_next(job);
	finish(job);
	expect_touch(NULL, NULL);
	job = add("a");
	job->policy.project_keep_alive = "60m";
	send_next(job);
	expect_touch(NULL, NULL); /* it is busy */
	finish(job);
	expect_touch("a:latest", "60m");
}

static void test_what_others_loaded_is_told_once_it_was_used(void **state)
{
	struct job *job;

	settings.keep_alive = half_an_hour;
	scheduler_prepare(scheduler, &settings);
	see("a", NULL);
	expect_nothing();
	expect_touch(NULL, NULL);
	job = add("a");
	send_next(job);
	finish(job);
	expect_touch("a:latest", "30m");
}

static void test_a_clients_value_stands(void **state)
{
	const struct peek_result seen = {.keep_alive = PEEK_KEEP_ALIVE_VALUE};
	struct job *job;

	settings.keep_alive = half_an_hour;
	scheduler_prepare(scheduler, &settings);
	see("a", NULL);
	job = add_with("a", "p", &seen);
	assert_true(job->says_keep_alive);
	send_next(job);
	finish(job);
	expect_touch(NULL, NULL);
}

/* A touch would take back its eviction (issue 17408), or load it again. */
static void test_one_that_gives_way_is_not_touched(void **state)
{
	struct job *job;

	settings.keep_alive = half_an_hour;
	see(NULL, NULL);
	job = add("b");
	expect_load("b:latest", NULL);
	loaded("b", NULL);
	send_next(job);
	finish(job);
	job = add("a");
	expect_load("a:latest", NULL);
	loaded("a", NULL); /* they do not fit */
	send_next(job);
	job->policy.project_keep_alive = "60m";
	scheduler_prepare(scheduler, &settings);
	finish(job);
	job = add("a");
	send_next(job);
	add("b");
	expect_nothing();
	finish(job);
	assert_false(scheduler_gives_way(scheduler, "A"));
	expect_verdict(SCHEDULER_UNLOAD, "a:latest");
	assert_true(scheduler_gives_way(scheduler, "A"));
	assert_false(scheduler_gives_way(scheduler, "b"));
	expect_touch(NULL, NULL);
}

static void test_what_was_evicted_is_told_again(void **state)
{
	struct job *job;

	settings.keep_alive = half_an_hour;
	scheduler_prepare(scheduler, &settings);
	for (int round = 0; round < 2; round++) {
		see("a", NULL);
		job = add("a");
		send_next(job);
		finish(job);
		expect_touch("a:latest", "30m");
		see(NULL, NULL);
		expect_nothing();
	}
}

/* Copies. */

static void look(enum runner_kind told, const char *same)
{
	struct scheduler_view seen = view();

	assert_int_equal(scheduler_next(scheduler, &seen).verdict, SCHEDULER_LOOK);
	scheduler_note_same(scheduler, same);
	scheduler_looked(scheduler, told, now_us);
}

/* /api/ps lists a runner under the name that it was loaded under first. */
static void test_a_copy_has_the_key_of_the_other(void **state)
{
	struct job *first;
	struct job *second;

	see("z", NULL);
	first = add("z");
	look(RUNNER_GENERATES, "a:latest");
	/* That it is a copy was not known when it came. */
	look(RUNNER_GENERATES, "a:latest");
	assert_string_equal(first->record.runner, "a:latest");
	send_next(first);
	finish(first);
	second = add("Z:latest");
	assert_string_equal(second->record.runner, "a:latest");
	send_next(second);
	send_next(add("a"));
}

/* Those that came before the look have a turn, too: the load is ours, and nobody's leaving aborts
 * it. */
static void test_the_first_jobs_of_a_copy_wait_for_a_load_of_ours(void **state)
{
	struct peek_result seen = {
		.has_option = {[PEEK_NUM_CTX] = true}, .option = {[PEEK_NUM_CTX] = 8192}};
	struct job *plain, *other;

	see(NULL, NULL);
	plain = add("z");
	other = add_with("z", "p", &seen);
	look(RUNNER_GENERATES, "a:latest");
	expect_verdict(SCHEDULER_LOAD, "a:latest");
	assert_string_equal(plain->runner->model, "a:latest");
	assert_string_equal(other->record.runner, "a:latest num_ctx=8192");
	assert_int_equal(plain->runner->jobs.waiting, 1);
	expect_nothing();
	loaded("z", NULL);
	send_next(plain);
}

static void test_copies_are_looked_for_again_when_models_change(void **state)
{
	see(NULL, NULL);
	add("z");
	look(RUNNER_GENERATES, "a:latest");
	scheduler_models_changed(scheduler);
	assert_string_equal(add("z")->record.runner, "z:latest");
	look(RUNNER_GENERATES, "z:latest");
	expect_load("z:latest", NULL);
}

/* A load that is stuck. */

static void test_a_load_that_does_not_come_is_freed(void **state)
{
	struct job *b;
	struct scheduler_answer answer;

	see("b", NULL);
	b = add("b");
	send_next(b);
	finish(b);
	add("a");
	expect_load("a:latest", NULL);
	see("b", NULL);
	answer = next();
	assert_int_equal(answer.verdict, SCHEDULER_NOTHING);
	/* Nothing was measured: large models take their time. */
	assert_true(answer.look_again_us >= now_us + 29 * S);
	now_us = answer.look_again_us;
	expect_verdict(SCHEDULER_FREE, "b:latest");
	answer = next();
	assert_int_equal(answer.verdict, SCHEDULER_NOTHING);
	now_us = answer.look_again_us;
	expect_verdict(SCHEDULER_FREE, "b:latest");
	see(NULL, NULL);
	now_us += 100 * S;
	expect_nothing();
	loaded("a", NULL);
	send_next(&jobs[1]);
}

static void test_sooner_where_loads_were_measured(void **state)
{
	see(NULL, NULL);
	add("a");
	expect_load("a:latest", NULL);
	loaded("a", NULL);
	see("b", NULL);
	expect_load("a:latest", NULL);
	assert_true(next().look_again_us <= now_us + 6 * LOAD_US);
}

/* Both fit, so b was served; a request with a keep_alive may be what holds the load up. */
static void test_the_others_get_nothing_from_then_on(void **state)
{
	struct job *b;

	see("b", "a");
	expect_nothing();
	see("b", NULL);
	expect_nothing();
	add("a");
	expect_load("a:latest", NULL);
	b = add("b");
	send_next(b);
	now_us += 31 * S;
	see("b", NULL);
	add("b");
	expect_nothing(); /* not while it is busy */
	finish(b);
	expect_verdict(SCHEDULER_FREE, "b:latest");
	expect_nothing();
}

/* An upstream that does not tell. */

static void test_without_ps_jobs_go_at_once_and_in_order(void **state)
{
	struct job *a = add("a");
	struct job *b = add("b");

	expect_nothing();
	residency_note_mute(residency);
	send_next(a);
	send_next(b);
	add("a");
	expect_nothing();
	finish(a);
	/* A restart makes nobody wait again. */
	residency_forget(residency);
	now_us += 100 * S;
	send_next(&jobs[2]);
	assert_true(residency_is_mute(residency));
	see(NULL, NULL);
	assert_false(residency_is_mute(residency));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_preloaded_models_are_loaded_for_ever_without_a_job),
		TEST(test_a_reload_forgets_no_preload_that_is_owed),
		TEST(test_a_reload_loads_only_what_is_new_among_the_preloaded),
		TEST(test_what_is_loaded_already_is_only_pinned),
		TEST(test_again_after_a_restart),
		TEST(test_a_restart_that_only_an_idle_connection_told_of),
		TEST(test_what_was_unloaded_stays_so),
		TEST(test_jobs_go_first),
		TEST(test_a_job_joins_the_preload),
		TEST(test_what_cannot_be_loaded_is_not_tried_for_ever),
		TEST(test_a_load_that_broke_off_is_tried_again),
		TEST(test_two_that_do_not_fit_do_not_take_turns),
		TEST(test_a_pinned_one_gives_way_last),
		TEST(test_but_it_does_give_way),
		TEST(test_a_load_carries_what_its_jobs_want),
		TEST(test_a_longer_wish_touches_an_idle_runner),
		TEST(test_what_others_loaded_is_told_once_it_was_used),
		TEST(test_a_clients_value_stands),
		TEST(test_one_that_gives_way_is_not_touched),
		TEST(test_what_was_evicted_is_told_again),
		TEST(test_a_copy_has_the_key_of_the_other),
		TEST(test_the_first_jobs_of_a_copy_wait_for_a_load_of_ours),
		TEST(test_copies_are_looked_for_again_when_models_change),
		TEST(test_a_load_that_does_not_come_is_freed),
		TEST(test_sooner_where_loads_were_measured),
		TEST(test_the_others_get_nothing_from_then_on),
		TEST(test_without_ps_jobs_go_at_once_and_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
