/* Each part of the rule by itself, with fake time (docs/scheduling.md). */
#include "turns_fixture.h"

static void test_a_cold_runner_is_loaded_before_its_jobs_go(void **state)
{
	struct job *job;

	tell(NULL, NULL);
	job = add("a");
	expect_verdict(SCHEDULER_LOAD, "a:latest");
	expect_nothing();
	assert_true(scheduler_is_loading(scheduler, job));
	loaded("a", NULL);
	assert_false(scheduler_is_loading(scheduler, job));
	send_next(job);
}

static void test_without_knowledge_it_waits_a_moment_then_goes_in_order(void **state)
{
	struct job *job = add("a");
	struct scheduler_answer answer = next();

	assert_int_equal(answer.verdict, SCHEDULER_NOTHING);
	assert_int_equal(answer.look_again_us, now_us + 2 * S);
	now_us = answer.look_again_us;
	send_next(job);
}

static void test_a_loaded_runner_is_served_until_it_runs_dry(void **state)
{
	struct job *a[4];
	struct job *other;

	tell("a", NULL);
	a[0] = add("a");
	a[1] = add("a");
	other = add("b");
	a[2] = add("a");
	send_next(a[0]);
	send_next(a[1]);
	now_us += S;
	finish(a[0]);
	send_next(a[2]);
	finish(a[1]);
	a[3] = add("a"); /* later than the other's */
	send_next(a[3]);
	finish(a[2]);
	expect_nothing(); /* it still runs */
	finish(a[3]);
	/* unknown whether both fit: tried, since nobody is disturbed */
	expect_verdict(SCHEDULER_LOAD, "b:latest");
	loaded("b", NULL);
	send_next(other);
}

/* A trial that evicted teaches; from then on the old one is unloaded first. */
static void test_what_does_not_fit_is_unloaded_first(void **state)
{
	tell("a", NULL);
	add("b");
	expect_verdict(SCHEDULER_LOAD, "b:latest");
	loaded("b", NULL);
	send_next(&jobs[0]);
	finish(&jobs[0]);
	add("a");
	expect_verdict(SCHEDULER_UNLOAD, "b:latest");
	expect_nothing();
	tell(NULL, NULL);
	scheduler_unloaded(scheduler, now_us);
	load("a:latest");
	send_next(&jobs[1]);
}

static void test_what_was_seen_together_is_loaded_beside(void **state)
{
	struct job *busy;

	tell("a", NULL);
	add("b");
	expect_verdict(SCHEDULER_LOAD, "b:latest");
	loaded("a", "b");
	send_next(&jobs[0]);
	finish(&jobs[0]);
	tell("a", NULL); /* its keep_alive ran out */
	busy = add("a");
	send_next(busy);
	add("b");
	/* though a is in use: both fit */
	expect_verdict(SCHEDULER_LOAD, "b:latest");
	finish(busy);
	add("a");
	send_next(&jobs[3]); /* and a is served meanwhile */
}

static void test_nothing_is_sent_to_those_that_a_trial_may_evict(void **state)
{
	tell("a", NULL);
	add("b");
	expect_verdict(SCHEDULER_LOAD, "b:latest");
	add("a");
	expect_nothing();
	loaded("a", "b");
	assert_int_equal(next().verdict, SCHEDULER_DISPATCH);
}

/* a is loaded and floods, b has waited too long. */
static void flood(int64_t turn_us)
{
	tell("a", NULL);
	add("b");
	expect_verdict(SCHEDULER_LOAD, "b:latest"); /* measured: LOAD_US; evicts a */
	loaded("b", NULL);
	send_next(&jobs[0]);
	finish(&jobs[0]);
	add("a");
	expect_verdict(SCHEDULER_UNLOAD, "b:latest");
	tell(NULL, NULL);
	scheduler_unloaded(scheduler, now_us);
	load("a:latest");
	send_next(&jobs[1]);
	for (int i = 0; i < 6; i++)
		add("a");
	add("b");
	send_next(&jobs[2]);
	now_us += turn_us;
}

static void test_a_cut_waits_for_the_floor_and_for_max_turn_wait(void **state)
{
	struct scheduler_answer answer;

	flood(39 * S);
	finish(&jobs[1]);
	send_next(&jobs[3]); /* before four loads */
	now_us += 2 * S;
	finish(&jobs[2]);
	send_next(&jobs[4]); /* the floor is passed, b has not waited 45 s */
	answer = next();
	assert_int_equal(answer.verdict, SCHEDULER_NOTHING);
	assert_int_equal(answer.look_again_us, jobs[8].record.body_complete_us + 45 * S);
	now_us = answer.look_again_us;
	finish(&jobs[3]);
	expect_nothing(); /* a is drained: jobs[5] stays */
	finish(&jobs[4]);
	expect_verdict(SCHEDULER_UNLOAD, "a:latest");
	tell(NULL, NULL);
	scheduler_unloaded(scheduler, now_us);
	load("b:latest");
	send_next(&jobs[8]);
	assert_int_equal(jobs[5].state, JOB_QUEUED);
	/* the floor has doubled: a was cut with work left */
	assert_true(jobs[5].runner->grow > 1.9);
}

static void test_without_max_turn_wait_a_turn_goes_on(void **state)
{
	settings.max_turn_wait_ms = 0;
	flood(300 * S);
	finish(&jobs[1]);
	send_next(&jobs[3]);
}

static void test_a_cut_is_taken_back_when_nobody_waits_for_it_any_more(void **state)
{
	flood(50 * S);
	finish(&jobs[1]);
	expect_nothing();
	leave(&jobs[8]);
	send_next(&jobs[3]);
}

static void test_a_project_that_was_served_too_much_is_cut(void **state)
{
	struct job *flooding[5];

	settings.max_turn_wait_ms = 0;
	tell("a", NULL);
	add_with("b", "small", NULL);
	expect_verdict(SCHEDULER_LOAD, "b:latest");
	loaded("b", NULL);
	send_next(&jobs[0]);
	finish(&jobs[0]);
	flooding[0] = add_with("a", "flood", NULL);
	expect_verdict(SCHEDULER_UNLOAD, "b:latest");
	tell(NULL, NULL);
	scheduler_unloaded(scheduler, now_us);
	load("a:latest");
	for (int i = 1; i < 5; i++)
		flooding[i] = add_with("a", "flood", NULL);
	add_with("b", "small", NULL);
	send_next(flooding[0]);
	send_next(flooding[1]);
	now_us += 60 * S; /* two slots for 60 s, more than a load with all slots */
	finish(flooding[0]);
	finish(flooding[1]);
	expect_verdict(SCHEDULER_UNLOAD, "a:latest");
}

/* An agent that asks again at once is waited for, at most half a load. */
static void test_a_client_that_comes_back_at_once_is_held_for(void **state)
{
	struct scheduler_answer answer;

	tell("a", NULL);
	add("b");
	expect_verdict(SCHEDULER_LOAD, "b:latest");
	loaded("b", NULL);
	send_next(&jobs[0]);
	now_us += S;
	finish(&jobs[0]);
	for (int i = 1; i < 4; i++) { /* returns after 0.1 s */
		now_us += S / 10;
		add("b");
		send_next(&jobs[i]);
		now_us += S;
		finish(&jobs[i]);
	}
	add("a");
	answer = next();
	assert_int_equal(answer.verdict, SCHEDULER_NOTHING);
	assert_in_range(answer.look_again_us - now_us, S / 10, LOAD_US / 2);
	now_us += S / 10;
	add("b");
	send_next(&jobs[5]);
	finish(&jobs[5]);
	answer = next();
	assert_int_equal(answer.verdict, SCHEDULER_NOTHING);
	now_us = answer.look_again_us;
	expect_verdict(SCHEDULER_UNLOAD, "b:latest");
}

static void test_the_next_key_is_the_one_with_most_to_gain(void **state)
{
	tell(NULL, NULL);
	add("one");
	for (int i = 0; i < 5; i++)
		add("many");
	expect_verdict(SCHEDULER_LOAD, "many:latest");
}

static void test_an_overdue_key_comes_first(void **state)
{
	tell(NULL, NULL);
	add("one");
	now_us += 46 * S;
	for (int i = 0; i < 20; i++)
		add("many");
	expect_verdict(SCHEDULER_LOAD, "one:latest");
}

static void test_options_make_a_key_of_their_own(void **state)
{
	struct peek_result seen = {
		.has_option = {[PEEK_NUM_CTX] = true}, .option = {[PEEK_NUM_CTX] = 8192}};

	tell("a", NULL);
	add_with("A:latest", "p", &seen);
	assert_string_equal(jobs[0].record.runner, "a:latest num_ctx=8192");
	/* never both: Ollama holds one of a model */
	expect_verdict(SCHEDULER_UNLOAD, "a:latest");
	tell(NULL, NULL);
	scheduler_unloaded(scheduler, now_us);
	load("a:latest num_ctx=8192");
	send_next(&jobs[0]);
}

static void test_jobs_without_a_runner_go_at_once(void **state)
{
	struct scheduler_view seen = view();
	struct job *job;

	tell("a", NULL);
	add("b");
	expect_verdict(SCHEDULER_LOAD, "b:latest");
	job = add("elsewhere");
	seen = view();
	assert_int_equal(scheduler_next(scheduler, &seen).verdict, SCHEDULER_LOOK);
	scheduler_looked(scheduler, RUNNER_NOT_LOCAL, now_us);
	send_next(job);
	job = add_with(NULL, "p", NULL);
	assert_null(job->runner);
	send_next(job);
}

static void test_least_served_project_goes_first_and_one_project_in_order(void **state)
{
	tell("a", NULL);
	settings.max_concurrent = 1;
	for (int i = 0; i < 3; i++)
		add_with("a", "flood", NULL);
	send_next(&jobs[0]);
	add_with("a", "small", NULL);
	now_us += 5 * S;
	finish(&jobs[0]);
	send_next(&jobs[3]); /* it came last */
	now_us += S;
	finish(&jobs[3]);
	send_next(&jobs[1]);
	now_us += S;
	finish(&jobs[1]);
	send_next(&jobs[2]);
}

static void test_a_returning_project_has_saved_up_nothing(void **state)
{
	tell("a", NULL);
	settings.max_concurrent = 1;
	add_with("a", "busy", NULL);
	send_next(&jobs[0]);
	now_us += 100 * S;
	add_with("a", "busy", NULL);
	add_with("a", "new", NULL);
	assert_true(jobs[2].share->served_us >= jobs[0].charged_us);
}

static void test_a_load_that_breaks_twice_is_final(void **state)
{
	tell(NULL, NULL);
	add("a");
	expect_verdict(SCHEDULER_LOAD, "a:latest");
	assert_false(scheduler_load_failed(scheduler, false, now_us));
	expect_verdict(SCHEDULER_LOAD, "a:latest");
	assert_true(scheduler_load_failed(scheduler, false, now_us));
	expect_verdict(SCHEDULER_LOAD, "a:latest");
	assert_true(scheduler_load_failed(scheduler, true, now_us));
}

/* Refused any number of times, as a job is (PRODUCT 3.11); what broke before counts on. */
static void test_a_load_that_is_refused_is_tried_again(void **state)
{
	tell(NULL, NULL);
	add("a");
	for (int i = 0; i < 5; i++) {
		expect_verdict(SCHEDULER_LOAD, "a:latest");
		scheduler_load_refused(scheduler, now_us);
	}
	expect_verdict(SCHEDULER_LOAD, "a:latest");
	assert_false(scheduler_load_failed(scheduler, false, now_us));
	expect_verdict(SCHEDULER_LOAD, "a:latest");
	scheduler_load_refused(scheduler, now_us);
	expect_verdict(SCHEDULER_LOAD, "a:latest");
	assert_true(scheduler_load_failed(scheduler, false, now_us));
}

/* It may embed by now, and was loaded by the wrong path. */
static void test_after_a_failed_load_it_is_asked_what_the_model_is(void **state)
{
	struct scheduler_view seen;

	tell(NULL, NULL);
	add("a");
	expect_verdict(SCHEDULER_LOAD, "a:latest");
	assert_true(scheduler_load_failed(scheduler, true, now_us));
	seen = view();
	assert_int_equal(scheduler_next(scheduler, &seen).verdict, SCHEDULER_LOOK);
	scheduler_looked(scheduler, RUNNER_EMBEDS, now_us);
	assert_int_equal(jobs[0].runner->kind, RUNNER_EMBEDS);
	expect_verdict(SCHEDULER_LOAD, "a:latest");
}

static void test_the_deadline_stands_still_during_its_own_load(void **state)
{
	struct job *job;

	tell(NULL, NULL);
	job = add("a");
	job->deadline_us = now_us + S;
	expect_verdict(SCHEDULER_LOAD, "a:latest");
	job_load_begun(job, now_us);
	loaded("a", NULL);
	job_load_ended(job, now_us);
	assert_int_equal(job->record.load_wait_us, LOAD_US);
	assert_int_equal(job->deadline_us, now_us + S);
	send_next(job);
}

static void test_a_restarted_ollama_has_nothing_loaded(void **state)
{
	tell("a", NULL);
	add("a");
	residency_forget(residency);
	expect_nothing();
	tell(NULL, NULL);
	load("a:latest");
}

#define TURNS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TURNS_TEST(test_a_cold_runner_is_loaded_before_its_jobs_go),
		TURNS_TEST(test_without_knowledge_it_waits_a_moment_then_goes_in_order),
		TURNS_TEST(test_a_loaded_runner_is_served_until_it_runs_dry),
		TURNS_TEST(test_what_does_not_fit_is_unloaded_first),
		TURNS_TEST(test_what_was_seen_together_is_loaded_beside),
		TURNS_TEST(test_nothing_is_sent_to_those_that_a_trial_may_evict),
		TURNS_TEST(test_a_cut_waits_for_the_floor_and_for_max_turn_wait),
		TURNS_TEST(test_without_max_turn_wait_a_turn_goes_on),
		TURNS_TEST(test_a_cut_is_taken_back_when_nobody_waits_for_it_any_more),
		TURNS_TEST(test_a_project_that_was_served_too_much_is_cut),
		TURNS_TEST(test_a_client_that_comes_back_at_once_is_held_for),
		TURNS_TEST(test_the_next_key_is_the_one_with_most_to_gain),
		TURNS_TEST(test_an_overdue_key_comes_first),
		TURNS_TEST(test_options_make_a_key_of_their_own),
		TURNS_TEST(test_jobs_without_a_runner_go_at_once),
		TURNS_TEST(test_least_served_project_goes_first_and_one_project_in_order),
		TURNS_TEST(test_a_returning_project_has_saved_up_nothing),
		TURNS_TEST(test_a_load_that_breaks_twice_is_final),
		TURNS_TEST(test_a_load_that_is_refused_is_tried_again),
		TURNS_TEST(test_after_a_failed_load_it_is_asked_what_the_model_is),
		TURNS_TEST(test_the_deadline_stands_still_during_its_own_load),
		TURNS_TEST(test_a_restarted_ollama_has_nothing_loaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
