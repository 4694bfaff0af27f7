#include "core/scheduler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "config/settings.h"
#include "core/job.h"
#include "core/ring.h"
#include "core/share.h"

enum { JOBS = 5 };

static const int64_t NOW_US = 1000000;

static struct job jobs[JOBS];
static struct tally tally;
static struct settings settings;
static struct ring *ring;
static struct scheduler *scheduler;
static struct scheduler_view view;

/* Five jobs wait in order, three may run, both gates are open. */
static int setup(void **state)
{
	tally = (struct tally){0};
	settings = (struct settings){.max_concurrent = 3};
	ring = ring_create(JOBS);
	scheduler = scheduler_create();
	for (int i = 0; i < JOBS; i++) {
		job_init(&jobs[i], &tally);
		assert_true(ring_put(ring, &jobs[i]));
		job_set_state(&jobs[i], JOB_QUEUED);
	}
	view = (struct scheduler_view){
		.now_us = NOW_US,
		.upstream_usable = true,
		.ring = ring,
		.settings = &settings,
	};
	return 0;
}

static int teardown(void **state)
{
	for (int i = 0; i < JOBS; i++) {
		if (jobs[i].in_ring)
			ring_remove(ring, &jobs[i]);
		job_finish(&jobs[i]);
	}
	ring_destroy(ring);
	scheduler_destroy(scheduler);
	return 0;
}

static void assert_next(const struct job *expected)
{
	struct scheduler_answer answer;

	view.in_progress = tally.in_progress;
	answer = scheduler_next(scheduler, &view);
	if (expected) {
		assert_int_equal(answer.verdict, SCHEDULER_DISPATCH);
		assert_ptr_equal(answer.job, expected);
	} else {
		assert_int_equal(answer.verdict, SCHEDULER_NOTHING);
		assert_null(answer.job);
	}
	assert_int_equal(answer.look_again_us, 0);
}

static void test_jobs_start_in_order_of_arrival_up_to_max_concurrent(void **state)
{
	for (int i = 0; i < 3; i++) {
		assert_next(&jobs[i]);
		job_set_state(&jobs[i], JOB_CONNECTING);
	}
	assert_next(NULL);
	job_set_state(&jobs[1], JOB_AWAITING);
	job_set_state(&jobs[1], JOB_STREAMING);
	ring_remove(ring, &jobs[1]);
	assert_next(NULL);
	job_set_state(&jobs[1], JOB_FLUSHING);
	assert_next(&jobs[3]);
}

/* It answers, it changes nothing. */
static void test_asking_twice_gives_the_same_answer(void **state)
{
	assert_next(&jobs[0]);
	assert_next(&jobs[0]);
	assert_int_equal(jobs[0].state, JOB_QUEUED);
}

static void test_retry_goes_out_before_later_arrivals(void **state)
{
	job_set_state(&jobs[0], JOB_CONNECTING);
	job_set_state(&jobs[1], JOB_CONNECTING);
	job_set_state(&jobs[0], JOB_AWAITING);
	job_set_state(&jobs[0], JOB_QUEUED);
	assert_next(&jobs[0]);
	job_set_state(&jobs[0], JOB_CONNECTING);
	assert_next(&jobs[2]);
}

static void test_pause_holds_and_resume_goes_on(void **state)
{
	view.paused = true;
	assert_next(NULL);
	view.paused = false;
	assert_next(&jobs[0]);
}

static void test_nothing_is_sent_to_an_upstream_that_is_not_usable(void **state)
{
	view.upstream_usable = false;
	assert_next(NULL);
	view.paused = true;
	assert_next(NULL);
	view.paused = false;
	view.upstream_usable = true;
	assert_next(&jobs[0]);
}

static void test_job_past_its_deadline_is_never_sent(void **state)
{
	jobs[0].deadline_us = NOW_US - 1;
	jobs[1].deadline_us = NOW_US;
	jobs[2].deadline_us = NOW_US + 1;
	assert_next(&jobs[2]);
	jobs[2].deadline_us = 0; /* none */
	assert_next(&jobs[2]);
	view.now_us = NOW_US - 1;
	assert_next(&jobs[1]);
	view.now_us = NOW_US - 2;
	assert_next(&jobs[0]);
}

static void test_nothing_to_do_when_all_waiting_are_past_their_deadline(void **state)
{
	for (int i = 0; i < JOBS; i++)
		jobs[i].deadline_us = 1;
	assert_next(NULL);
}

static void test_empty_ring_is_nothing_to_do(void **state)
{
	for (int i = 0; i < JOBS; i++)
		ring_remove(ring, &jobs[i]);
	assert_next(NULL);
}

/* A reload lowered max_concurrent below what runs. */
static void test_more_running_than_allowed_sends_nothing(void **state)
{
	job_set_state(&jobs[0], JOB_CONNECTING);
	job_set_state(&jobs[1], JOB_CONNECTING);
	settings.max_concurrent = 1;
	assert_next(NULL);
	settings.max_concurrent = 3;
	assert_next(&jobs[2]);
}

static void test_mean_service_time_starts_with_the_first_sample_and_follows(void **state)
{
	assert_int_equal(scheduler_service_us(scheduler), 0);
	scheduler_slot_freed(scheduler, &jobs[0], 10000000);
	assert_int_equal(scheduler_service_us(scheduler), 10000000);
	scheduler_slot_freed(scheduler, &jobs[1], 20000000);
	assert_in_range(scheduler_service_us(scheduler), 11999999, 12000001);
	for (int i = 0; i < 100; i++)
		scheduler_slot_freed(scheduler, &jobs[1], 1000000);
	assert_in_range(scheduler_service_us(scheduler), 999999, 1000001);
}

static void test_slot_held_for_no_time_is_no_mean(void **state)
{
	scheduler_slot_freed(scheduler, &jobs[0], 0);
	assert_int_equal(scheduler_service_us(scheduler), 0);
	scheduler_slot_freed(scheduler, &jobs[0], 500);
	assert_int_equal(scheduler_service_us(scheduler), 500);
}

/* Job i comes again, last: of its project one may run, of its model two. */
static void enter(int i, const char *project, const char *model)
{
	ring_remove(ring, &jobs[i]);
	job_finish(&jobs[i]);
	job_init(&jobs[i], &tally);
	jobs[i].record.project = mem_strdup(project);
	jobs[i].record.model = mem_strdup(model);
	jobs[i].policy.project_max_concurrent = 1;
	jobs[i].policy.model_max_concurrent = 2;
	scheduler_enter(scheduler, &settings, &jobs[i], NULL, NOW_US);
	assert_true(ring_put(ring, &jobs[i]));
	job_set_state(&jobs[i], JOB_QUEUED);
}

static void send(int i)
{
	assert_next(&jobs[i]);
	scheduler_sent(scheduler, &jobs[i]);
	job_set_state(&jobs[i], JOB_CONNECTING);
}

static void test_caps_of_projects_and_models_hold_in_order_of_arrival(void **state)
{
	char reason[SCHEDULER_REASON_BYTES];
	struct scheduler_report report;

	settings.max_concurrent = 4;
	enter(0, "p", "m");
	enter(1, "p", "m");
	enter(2, "q", "M:latest");
	enter(3, "r", "m");
	enter(4, "s", "other");
	send(0);
	send(2); /* the project of the second runs one */
	send(4); /* the model of the fourth runs two */
	assert_next(NULL);
	scheduler_report(scheduler, &view, &report);
	assert_false(report.has_turns);
	scheduler_rank(scheduler, &view);
	assert_int_equal(scheduler_explain(scheduler, &view, &jobs[1], reason), 1);
	assert_string_equal(reason, "its project runs 1 of 1");
	assert_int_equal(scheduler_explain(scheduler, &view, &jobs[3], reason), 2);
	assert_string_equal(reason, "its model runs 2 of 2");
	view.upstream_usable = false;
	scheduler_explain(scheduler, &view, &jobs[3], reason);
	assert_string_equal(reason, "Ollama does not answer");
	view.upstream_usable = true;
	scheduler_released(scheduler, &jobs[0], NOW_US, NOW_US);
	job_set_state(&jobs[0], JOB_QUEUED); /* refused */
	send(0);
}

/* A reload: the new caps hold at once, in both directions. */
static void test_caps_follow_the_rules_in_force(void **state)
{
	struct project_rule project = {.name = (char *)"p", .max_concurrent = 2};
	struct model_rule model = {.name = (char *)"m", .max_concurrent = 1};

	settings.max_concurrent = 4;
	settings.keep_alive = (char *)"";
	enter(0, "p", "m");
	enter(1, "p", "m");
	enter(2, "q", "n");
	enter(3, "q", "n");
	enter(4, "q", "n");
	send(0);
	assert_next(&jobs[2]); /* not the second: one of its project runs */
	settings.rules = (struct rules){.projects = &project, .projects_count = 1};
	scheduler_prepare(scheduler, &settings);
	assert_next(&jobs[1]);
	settings.rules = (struct rules){.models = &model, .models_count = 1};
	scheduler_prepare(scheduler, &settings);
	assert_next(&jobs[2]);
}

static void test_projects_and_models_are_counted_before_a_job_enters(void **state)
{
	const struct job_group *of_project, *of_model;
	struct job newcomer;

	enter(0, "p", "m");
	job_init(&newcomer, &tally);
	scheduler_groups(scheduler, &newcomer, &of_project, &of_model);
	assert_null(of_project);
	assert_null(of_model);
	newcomer.record.project = mem_strdup("p");
	newcomer.record.model = mem_strdup("M");
	scheduler_groups(scheduler, &newcomer, &of_project, &of_model);
	assert_int_equal(of_project->waiting, 1);
	assert_int_equal(of_model->waiting, 1);
	assert_int_equal(scheduler_shares(scheduler)->count, 1);
	job_finish(&newcomer);
}

static void test_the_place_in_order_of_arrival_is_told(void **state)
{
	char reason[SCHEDULER_REASON_BYTES];

	scheduler_rank(scheduler, &view);
	assert_int_equal(scheduler_explain(scheduler, &view, &jobs[0], reason), 1);
	assert_int_equal(scheduler_explain(scheduler, &view, &jobs[1], reason), 2);
	assert_string_equal(reason, "waits for a free slot, 1 before this one");
}

static void test_destroying_nothing_is_fine(void **state)
{
	scheduler_destroy(NULL);
}

#define SCHEDULER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCHEDULER_TEST(test_jobs_start_in_order_of_arrival_up_to_max_concurrent),
		SCHEDULER_TEST(test_asking_twice_gives_the_same_answer),
		SCHEDULER_TEST(test_retry_goes_out_before_later_arrivals),
		SCHEDULER_TEST(test_pause_holds_and_resume_goes_on),
		SCHEDULER_TEST(test_nothing_is_sent_to_an_upstream_that_is_not_usable),
		SCHEDULER_TEST(test_job_past_its_deadline_is_never_sent),
		SCHEDULER_TEST(test_nothing_to_do_when_all_waiting_are_past_their_deadline),
		SCHEDULER_TEST(test_empty_ring_is_nothing_to_do),
		SCHEDULER_TEST(test_more_running_than_allowed_sends_nothing),
		SCHEDULER_TEST(test_mean_service_time_starts_with_the_first_sample_and_follows),
		SCHEDULER_TEST(test_slot_held_for_no_time_is_no_mean),
		SCHEDULER_TEST(test_caps_of_projects_and_models_hold_in_order_of_arrival),
		SCHEDULER_TEST(test_caps_follow_the_rules_in_force),
		SCHEDULER_TEST(test_projects_and_models_are_counted_before_a_job_enters),
		SCHEDULER_TEST(test_the_place_in_order_of_arrival_is_told),
		SCHEDULER_TEST(test_destroying_nothing_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
