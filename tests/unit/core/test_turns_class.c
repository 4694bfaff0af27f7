/* Classes, fair share, caps and who caused a load (PRODUCT 3.4, 5), with fake time. */
#include "turns_fixture.h"

enum { AGE_S = 45 }; /* max_turn_wait */

static struct job *add_class(const char *model, const char *project, enum job_class job_class)
{
	struct policy policy = {.job_class = job_class, .weight = 1};

	return add_ruled(model, project, NULL, &policy);
}

static struct job *add_weighted(const char *project, double weight)
{
	struct policy policy = {.job_class = CLASS_NORMAL, .weight = weight};

	return add_ruled("a", project, NULL, &policy);
}

/* At most so many of its project, and of its model, run. */
static struct job *add_capped(
	const char *model, const char *project, int64_t project_most, int64_t model_most)
{
	struct policy policy = {
		.job_class = CLASS_NORMAL,
		.weight = 1,
		.project_max_concurrent = project_most,
		.model_max_concurrent = model_most,
	};

	return add_ruled(model, project, NULL, &policy);
}

/* `model` is loaded, `other` does not fit beside it, and it is known how long a load takes. */
static void one_fits(const char *model, const char *other)
{
	int first = job_count;

	tell(other, NULL);
	add(model);
	now_us += S;
	expect_verdict(SCHEDULER_LOAD, jobs[first].runner->key);
	loaded(model, NULL);
	send_next(&jobs[first]);
	now_us += S;
	finish(&jobs[first]);
}

static void test_the_higher_class_goes_first_on_its_runner(void **state)
{
	struct job *batch, *normal, *interactive;

	settings.max_concurrent = 1;
	tell("a", NULL);
	batch = add_class("a", "p", CLASS_BATCH);
	normal = add_class("a", "p", CLASS_NORMAL);
	interactive = add_class("a", "p", CLASS_INTERACTIVE);
	assert_ptr_equal(next().job, interactive);
	explain(batch, "a:latest is being served, 2 before this one; batch: goes after the others");
	explain(normal, "a:latest is being served, 1 before this one");
	explain(interactive,
		"a:latest is being served, 0 before this one; interactive: goes before the others");
	send_next(interactive);
	finish(interactive);
	send_next(normal);
	finish(normal);
	send_next(batch);
}

static void test_the_higher_class_goes_first_among_runners(void **state)
{
	struct job *high;

	settings.max_concurrent = 1;
	tell("a", "b");
	add_class("a", "p", CLASS_NORMAL);
	high = add_class("b", "p", CLASS_INTERACTIVE);
	send_next(high);
	finish(high);
	send_next(&jobs[0]);
}

static void test_a_class_beats_a_fair_share(void **state)
{
	struct job *served, *waiting;

	settings.max_concurrent = 1;
	tell("a", NULL);
	served = add_class("a", "busy", CLASS_INTERACTIVE);
	send_next(served);
	waiting = add_class("a", "idle", CLASS_NORMAL);
	now_us += 30 * S;
	finish(served);
	served = add_class("a", "busy", CLASS_INTERACTIVE);
	assert_true(served->share->served_us > waiting->share->served_us);
	send_next(served);
}

static void test_age_promotes_a_class_for_each_max_turn_wait(void **state)
{
	struct job *batch, *normal;

	settings.max_concurrent = 1;
	tell("a", NULL);
	batch = add_class("a", "p", CLASS_BATCH);
	now_us += AGE_S * S - 1;
	normal = add_class("a", "p", CLASS_NORMAL);
	assert_ptr_equal(next().job, normal);
	now_us += 1;
	assert_ptr_equal(next().job, batch);
	explain(batch, "a:latest is being served, 0 before this one; batch, waited long enough to "
		       "go as normal");
	add_class("a", "p", CLASS_INTERACTIVE);
	assert_ptr_equal(next().job, &jobs[2]);
	now_us += AGE_S * S;
	assert_ptr_equal(next().job, batch);
	/* nothing is above interactive */
	now_us += S * AGE_S * 10;
	assert_ptr_equal(next().job, batch);
}

static void test_without_max_turn_wait_batch_ages_nevertheless(void **state)
{
	settings.max_turn_wait_ms = 0;
	tell("a", NULL);
	add_class("a", "p", CLASS_BATCH);
	now_us += 44 * S;
	add_class("a", "p", CLASS_NORMAL);
	assert_ptr_equal(next().job, &jobs[1]);
	now_us += S;
	assert_ptr_equal(next().job, &jobs[0]);
}

static void test_classes_weigh_in_the_choice_of_the_next_key(void **state)
{
	tell(NULL, NULL);
	for (int i = 0; i < 2; i++)
		add_class("batches", "p", CLASS_BATCH);
	add_class("one", "p", CLASS_NORMAL);
	expect_verdict(SCHEDULER_LOAD, "one:latest");
	scheduler_load_failed(scheduler, false, now_us);
	for (int i = 0; i < 2; i++)
		add_class("one", "p", CLASS_NORMAL);
	add_class("chat", "p", CLASS_INTERACTIVE);
	expect_verdict(SCHEDULER_LOAD, "chat:latest");
}

/* a is served, many batch jobs wait for it. */
static void batch_floods(void)
{
	one_fits("a", "b");
	for (int i = 0; i < 8; i++)
		add_class("a", "batch", CLASS_BATCH);
	send_next(&jobs[1]);
	send_next(&jobs[2]);
}

static void test_an_interactive_job_cuts_a_batch_turn_after_a_batch_and_one_load(void **state)
{
	struct scheduler_answer answer;
	int64_t began_us;
	struct job *chat;

	batch_floods();
	began_us = jobs[1].runner->began_us;
	chat = add_class("b", "chat", CLASS_INTERACTIVE);
	now_us = began_us + LOAD_US - S;
	finish(&jobs[1]);
	send_next(&jobs[3]); /* one load is not over */
	answer = next();
	assert_int_equal(answer.verdict, SCHEDULER_NOTHING);
	assert_in_range(answer.look_again_us, began_us + LOAD_US, began_us + LOAD_US + 1);
	now_us = answer.look_again_us;
	finish(&jobs[2]);
	expect_nothing(); /* a is drained */
	finish(&jobs[3]);
	expect_verdict(SCHEDULER_UNLOAD, "a:latest");
	unloaded(NULL);
	load("b:latest");
	send_next(chat);
	/* The next floor is as low. */
	assert_true(jobs[1].runner->grow < 1.1);
}

static void test_an_interactive_job_waits_for_a_full_batch(void **state)
{
	one_fits("a", "b");
	add_class("a", "batch", CLASS_BATCH);
	settings.max_concurrent = 4;
	add_class("b", "chat", CLASS_INTERACTIVE);
	now_us += 2 * LOAD_US;
	for (int i = 0; i < 4; i++)
		add_class("a", "batch", CLASS_BATCH);
	send_next(&jobs[1]);
	send_next(&jobs[3]);
	send_next(&jobs[4]);
	expect_nothing(); /* four were sent in this turn */
	assert_true(jobs[5].runner->is_cut);
}

static void test_normal_jobs_wait_for_the_whole_floor(void **state)
{
	batch_floods();
	add_class("b", "chat", CLASS_NORMAL);
	now_us += 2 * LOAD_US;
	finish(&jobs[1]);
	send_next(&jobs[3]);
}

static void test_a_turn_with_an_interactive_job_is_not_outranked(void **state)
{
	batch_floods();
	add_class("a", "other", CLASS_INTERACTIVE); /* jobs[9] */
	add_class("b", "chat", CLASS_INTERACTIVE);
	now_us += 2 * LOAD_US;
	finish(&jobs[1]);
	send_next(&jobs[9]);
	finish(&jobs[2]);
	send_next(&jobs[3]); /* an interactive one runs */
	finish(&jobs[9]);
	expect_nothing(); /* now all are lower */
	assert_true(jobs[4].runner->is_cut);
}

/* b has come back at once several times. */
static void returns_at_once(enum job_class job_class)
{
	one_fits("b", "a");
	for (int i = 1; i < 4; i++) {
		now_us += S / 10;
		add_class("b", "agent", job_class);
		send_next(&jobs[i]);
		now_us += S;
		finish(&jobs[i]);
	}
}

static void test_an_interactive_job_does_not_wait_for_a_hold_of_lower_ones(void **state)
{
	returns_at_once(CLASS_NORMAL);
	add_class("a", "chat", CLASS_INTERACTIVE);
	expect_verdict(SCHEDULER_UNLOAD, "b:latest");
}

static void test_two_interactive_agents_are_held_for(void **state)
{
	returns_at_once(CLASS_INTERACTIVE);
	add_class("a", "chat", CLASS_INTERACTIVE);
	expect_nothing();
	now_us += S / 10;
	add_class("b", "agent", CLASS_INTERACTIVE);
	send_next(&jobs[5]);
}

/* Both are due; b's are of higher class, until c's have aged as much. */
static void test_an_overdue_batch_is_next_once_it_has_aged(void **state)
{
	one_fits("a", "b");
	add_class("c", "batch", CLASS_BATCH);
	now_us += 46 * S;
	add_class("b", "chat", CLASS_INTERACTIVE);
	expect_verdict(SCHEDULER_UNLOAD, "a:latest");
	unloaded(NULL);
	load("b:latest");
	send_next(&jobs[2]);
	finish(&jobs[2]);
	now_us += 40 * S;
	add_class("d", "chat", CLASS_INTERACTIVE);
	expect_verdict(SCHEDULER_LOAD, "c:latest");
}

/* Ageing saves lower classes from starving; among one class it would undo the fair share. */
static void test_a_flood_that_has_aged_outranks_nobody_of_its_class(void **state)
{
	settings.max_concurrent = 1;
	tell("a", NULL);
	for (int i = 0; i < 6; i++)
		add_class("a", "flood", CLASS_NORMAL);
	send_next(&jobs[0]);
	now_us += 100 * S;
	add_class("a", "other", CLASS_NORMAL);
	finish(&jobs[0]);
	send_next(&jobs[6]);
}

static void test_a_weight_is_a_share_of_the_slots(void **state)
{
	int heavy = 0;

	settings.max_concurrent = 1;
	tell("a", NULL);
	for (int i = 0; i < 12; i++) {
		add_weighted("heavy", 3);
		add_weighted("light", 1);
	}
	for (int i = 0; i < 12; i++) {
		struct job *job = next().job;

		send_next(job);
		now_us += S;
		finish(job);
		heavy += job->policy.weight > 2;
	}
	assert_int_equal(heavy, 9);
	assert_true(jobs[0].share->used_us > 8.9e6 && jobs[0].share->used_us < 9.1e6);
}

/* Else the flood of a batch would lend its low counter to whoever comes. */
static void test_who_returns_is_lifted_to_those_of_its_class(void **state)
{
	struct job *busy, *returning;

	settings.max_concurrent = 1;
	tell("a", NULL);
	busy = add_class("a", "busy", CLASS_NORMAL);
	send_next(busy);
	add_class("a", "batch", CLASS_BATCH);
	now_us += 30 * S;
	finish(busy);
	busy = add_class("a", "busy", CLASS_NORMAL);
	returning = add_class("a", "returning", CLASS_NORMAL);
	assert_true(returning->share->served_us >= busy->share->served_us);
	send_next(busy);
}

/* A project of lower class that was served less does not make a higher one stop counting. */
static void test_a_batch_that_was_served_less_does_not_cut_higher_ones(void **state)
{
	settings.max_turn_wait_ms = 0;
	one_fits("a", "b");
	add_class("a", "chat", CLASS_NORMAL);
	for (int i = 0; i < 4; i++)
		add_class("a", "chat", CLASS_NORMAL);
	add_class("b", "batch", CLASS_BATCH);
	send_next(&jobs[1]);
	send_next(&jobs[2]);
	now_us += 44 * S;
	finish(&jobs[1]);
	send_next(&jobs[3]);
	/* ... but one of its own class does. */
	add_class("b", "small", CLASS_NORMAL);
	jobs[7].share->served_us = 0;
	finish(&jobs[2]);
	expect_nothing();
	assert_true(jobs[4].runner->is_cut);
}

static void test_a_project_runs_no_more_than_it_may(void **state)
{
	settings.max_concurrent = 3;
	tell("a", NULL);
	for (int i = 0; i < 3; i++)
		add_capped("a", "narrow", 1, 0);
	add_capped("a", "wide", 0, 0);
	send_next(&jobs[0]);
	explain(&jobs[1], "its project runs 1 of 1");
	send_next(&jobs[3]); /* the others go on */
	expect_nothing();
	finish(&jobs[0]);
	send_next(&jobs[1]);
	expect_nothing();
}

static void test_a_model_runs_no_more_than_it_may_over_all_its_keys(void **state)
{
	struct job *job;

	settings.max_concurrent = 4;
	tell("a", "b");
	add_capped("A:latest", "p", 0, 2);
	add_capped("a", "q", 0, 2);
	add_capped("registry.ollama.ai/library/a", "r", 0, 2);
	job = add("b");
	send_next(&jobs[0]);
	send_next(&jobs[1]);
	send_next(job);
	expect_nothing();
	explain(&jobs[2], "its model runs 2 of 2");
	finish(&jobs[1]);
	send_next(&jobs[2]);
}

/* Neither by its index nor by its age. */
static void test_capped_jobs_cause_no_swap(void **state)
{
	one_fits("a", "b");
	add_capped("a", "narrow", 1, 0);
	for (int i = 0; i < 4; i++)
		add_capped("b", "narrow", 1, 0);
	send_next(&jobs[1]);
	now_us += 400 * S;
	expect_nothing();
	assert_false(jobs[1].runner->is_cut);
	add("a");
	send_next(&jobs[6]);
	finish(&jobs[6]);
	finish(&jobs[1]);
	expect_verdict(SCHEDULER_UNLOAD, "a:latest");
}

/* What waits for a loaded runner but may not run does not keep others from their turn. */
static void test_a_capped_runner_gives_way(void **state)
{
	struct job *other;

	settings.max_concurrent = 2;
	tell("a", "b");
	add_capped("b", "narrow", 1, 0);
	send_next(&jobs[0]);
	add_capped("a", "narrow", 1, 0);
	other = add("c");
	expect_nothing(); /* whether all three fit is tried when they are quiet */
	finish(&jobs[0]);
	send_next(&jobs[1]);
	finish(&jobs[1]);
	expect_verdict(SCHEDULER_LOAD, "c:latest");
	loaded("c", NULL);
	send_next(other);
}

static void test_a_cap_that_shows_takes_a_cut_back(void **state)
{
	tell("a", NULL);
	one_fits("a", "b");
	for (int i = 0; i < 6; i++)
		add("a");
	send_next(&jobs[1]);
	send_next(&jobs[2]);
	add_capped("b", "narrow", 1, 0); /* jobs[7] */
	now_us += 60 * S;
	finish(&jobs[1]);
	expect_nothing();
	assert_true(jobs[3].runner->is_cut);
	/* Its project is busy elsewhere. */
	add_capped(NULL, "narrow", 1, 0);
	send_next(&jobs[8]);
	expect_nothing();
	finish(&jobs[2]);
	send_next(&jobs[3]);
	assert_false(jobs[3].runner->is_cut);
}

/* Its project's other jobs would take each slot that falls free, until its deadline. */
static void test_a_slot_is_kept_for_a_capped_job_that_is_overdue(void **state)
{
	struct job *other;

	one_fits("a", "b");
	add_capped("a", "narrow", 1, 0);
	send_next(&jobs[1]);
	other = add_capped("b", "narrow", 1, 0);
	add_capped("a", "narrow", 1, 0);
	now_us += S;
	finish(&jobs[1]);
	/* Not overdue yet: the loaded one is served. */
	send_next(&jobs[3]);
	now_us += AGE_S * S;
	add_capped("a", "narrow", 1, 0);
	finish(&jobs[3]);
	expect_verdict(SCHEDULER_UNLOAD, "a:latest");
	explain(&jobs[4], "a:latest gives way to b:latest");
	unloaded(NULL);
	load("b:latest");
	send_next(other);
	expect_nothing();
}

static void test_what_is_kept_for_an_overdue_job_is_told(void **state)
{
	one_fits("a", "b");
	add_capped("a", "wide", 0, 0);
	send_next(&jobs[1]);
	add_capped("b", "narrow", 1, 0);
	now_us += AGE_S * S;
	add_capped("a", "narrow", 1, 0);
	now_us += S;
	expect_nothing();
	explain(&jobs[3], "the free slot of its project or model is kept for an older job, which "
			  "is overdue for another model");
}

static void test_the_newest_rule_is_the_cap(void **state)
{
	settings.max_concurrent = 3;
	tell("a", NULL);
	add_capped("a", "p", 1, 0);
	send_next(&jobs[0]);
	add_capped("a", "p", 1, 0);
	expect_nothing();
	add_capped("a", "p", 3, 0);
	send_next(&jobs[1]); /* in order of arrival nevertheless */
	send_next(&jobs[2]);
}

static void test_caps_hold_while_nothing_is_known(void **state)
{
	add_capped("a", "p", 1, 0);
	add_capped("a", "p", 1, 0);
	expect_nothing();
	now_us += 3 * S;
	send_next(&jobs[0]);
	expect_nothing();
}

static void test_a_load_is_put_down_to_the_project_of_the_first_that_counts(void **state)
{
	const struct share *first, *second;

	tell(NULL, NULL);
	first = add_with("a", "first", NULL)->share;
	second = add_with("a", "second", NULL)->share;
	expect_verdict(SCHEDULER_LOAD, "a:latest");
	assert_int_equal(first->loads, 0);
	loaded("a", NULL);
	assert_int_equal(first->loads, 1);
	assert_true(first->loads_us > 9.9e6 && first->loads_us < 10.1e6);
	assert_int_equal(second->loads, 0);
}

static void test_a_load_that_failed_is_nobodys(void **state)
{
	tell(NULL, NULL);
	add("a");
	expect_verdict(SCHEDULER_LOAD, "a:latest");
	scheduler_load_failed(scheduler, true, now_us);
	assert_int_equal(jobs[0].share->loads, 0);
	assert_int_equal(jobs[0].share->kept, 0);
}

/* One that is far ahead of its share is not why the model is loaded. */
static void test_who_does_not_count_causes_no_load(void **state)
{
	struct job *ahead, *counting;

	tell(NULL, NULL);
	ahead = add_with("a", "ahead", NULL);
	counting = add_with("a", "counting", NULL);
	ahead->share->served_us = 1e12;
	load("a:latest");
	assert_int_equal(ahead->share->loads, 0);
	assert_int_equal(counting->share->loads, 1);
}

static void test_its_project_is_kept_while_a_load_is_under_way(void **state)
{
	struct job *gone;
	const struct list *node;
	uint64_t loads = 0;

	tell(NULL, NULL);
	gone = add_with("a", "gone", NULL);
	expect_verdict(SCHEDULER_LOAD, "a:latest");
	leave(gone);
	for (int i = 0; i < 300; i++) {
		char project[16];
		struct job *job = &jobs[1];

		snprintf(project, sizeof(project), "p%d", i);
		job_count = 1;
		add_with("b", project, NULL);
		leave(job);
		job_finish(job);
	}
	job_count = 1;
	loaded("a", NULL);
	LIST_EACH(&scheduler_shares(scheduler)->all, node)
	loads += CONTAINER_OF(node, struct share, link)->loads;
	assert_int_equal(loads, 1);
	assert_true(scheduler_shares(scheduler)->count <= 257);
}

#define CLASS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLASS_TEST(test_the_higher_class_goes_first_on_its_runner),
		CLASS_TEST(test_the_higher_class_goes_first_among_runners),
		CLASS_TEST(test_a_class_beats_a_fair_share),
		CLASS_TEST(test_age_promotes_a_class_for_each_max_turn_wait),
		CLASS_TEST(test_without_max_turn_wait_batch_ages_nevertheless),
		CLASS_TEST(test_classes_weigh_in_the_choice_of_the_next_key),
		CLASS_TEST(test_an_interactive_job_cuts_a_batch_turn_after_a_batch_and_one_load),
		CLASS_TEST(test_an_interactive_job_waits_for_a_full_batch),
		CLASS_TEST(test_normal_jobs_wait_for_the_whole_floor),
		CLASS_TEST(test_a_turn_with_an_interactive_job_is_not_outranked),
		CLASS_TEST(test_an_interactive_job_does_not_wait_for_a_hold_of_lower_ones),
		CLASS_TEST(test_two_interactive_agents_are_held_for),
		CLASS_TEST(test_an_overdue_batch_is_next_once_it_has_aged),
		CLASS_TEST(test_a_flood_that_has_aged_outranks_nobody_of_its_class),
		CLASS_TEST(test_a_weight_is_a_share_of_the_slots),
		CLASS_TEST(test_who_returns_is_lifted_to_those_of_its_class),
		CLASS_TEST(test_a_batch_that_was_served_less_does_not_cut_higher_ones),
		CLASS_TEST(test_a_project_runs_no_more_than_it_may),
		CLASS_TEST(test_a_model_runs_no_more_than_it_may_over_all_its_keys),
		CLASS_TEST(test_capped_jobs_cause_no_swap),
		CLASS_TEST(test_a_capped_runner_gives_way),
		CLASS_TEST(test_a_cap_that_shows_takes_a_cut_back),
		CLASS_TEST(test_a_slot_is_kept_for_a_capped_job_that_is_overdue),
		CLASS_TEST(test_what_is_kept_for_an_overdue_job_is_told),
		CLASS_TEST(test_the_newest_rule_is_the_cap),
		CLASS_TEST(test_caps_hold_while_nothing_is_known),
		CLASS_TEST(test_a_load_is_put_down_to_the_project_of_the_first_that_counts),
		CLASS_TEST(test_a_load_that_failed_is_nobodys),
		CLASS_TEST(test_who_does_not_count_causes_no_load),
		CLASS_TEST(test_its_project_is_kept_while_a_load_is_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
