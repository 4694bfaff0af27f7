/* Fair share: counters, lift, what is forgotten (PRODUCT 3.4). */
#include "core/share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/memory.h"
#include "config/rules.h"

enum { JOBS = 4, MANY = 300, KNOWN_MOST = 256 };

static struct shares shares;
static struct tally tally;
static struct job jobs[JOBS];

static int setup(void **state)
{
	shares_init(&shares);
	for (int i = 0; i < JOBS; i++)
		job_init(&jobs[i], &tally);
	return 0;
}

static int teardown(void **state)
{
	for (int i = 0; i < JOBS; i++)
		job_finish(&jobs[i]);
	shares_finish(&shares);
	return 0;
}

static struct share *enter(struct job *job, const char *project, enum job_class job_class)
{
	struct share *share;

	if (project)
		job->record.project = mem_strdup(project);
	job->policy.job_class = job_class;
	share = shares_enter(&shares, job);
	job_set_state(job, JOB_QUEUED);
	return share;
}

static void test_a_job_is_counted_in_its_project_and_class(void **state)
{
	struct share *share = enter(&jobs[0], "p", CLASS_BATCH);

	assert_ptr_equal(jobs[0].share, share);
	assert_int_equal(share->jobs.waiting, 1);
	assert_int_equal(share->classes[CLASS_BATCH].waiting, 1);
	assert_int_equal(share->classes[CLASS_NORMAL].waiting, 0);
	job_set_state(&jobs[0], JOB_CONNECTING);
	assert_int_equal(share->jobs.running, 1);
	assert_int_equal(share->classes[CLASS_BATCH].running, 1);
	assert_ptr_equal(enter(&jobs[1], "p", CLASS_NORMAL), share);
	assert_ptr_equal(shares_find(&shares, "p"), share);
	assert_null(shares_find(&shares, "q"));
}

static void test_the_cap_is_that_of_the_rule_in_force(void **state)
{
	struct project_rule rule = {.name = (char *)"p", .max_concurrent = 1};
	struct rules rules = {.projects = &rule, .projects_count = 1};

	enter(&jobs[0], "p", CLASS_NORMAL);
	enter(&jobs[1], "p", CLASS_NORMAL);
	enter(&jobs[2], "q", CLASS_NORMAL);
	job_set_state(&jobs[0], JOB_CONNECTING);
	assert_false(job_is_capped(&jobs[1]));
	shares_renew_caps(&shares, &rules);
	assert_true(job_is_capped(&jobs[1]));
	assert_false(job_is_capped(&jobs[2]));
	rule.max_concurrent = 2;
	shares_renew_caps(&shares, &rules);
	assert_false(job_is_capped(&jobs[1]));
	rule.max_concurrent = 1;
	shares_renew_caps(&shares, &rules);
	rules.projects_count = 0;
	shares_renew_caps(&shares, &rules);
	assert_false(job_is_capped(&jobs[1]));
}

/* All who do not say who they are. */
static void test_no_project_is_one_too(void **state)
{
	assert_ptr_equal(enter(&jobs[0], NULL, CLASS_NORMAL), enter(&jobs[1], NULL, CLASS_NORMAL));
	assert_non_null(shares_find(&shares, ""));
}

static void test_a_charge_is_corrected_when_it_is_over_and_divided_by_the_weight(void **state)
{
	struct share *share;

	jobs[0].policy.weight = 4;
	share = enter(&jobs[0], "p", CLASS_NORMAL);
	share_sent(&jobs[0], 1000);
	assert_true(share->served_us > 249 && share->served_us < 251);
	assert_true(share->used_us < 1); /* it is not over */
	share_released(&jobs[0], 4000);
	assert_true(share->served_us > 999 && share->served_us < 1001);
	assert_true(share->used_us > 3999 && share->used_us < 4001);
	assert_true(share->weight > 3.9);
}

static void test_a_job_without_a_share_is_nobodys(void **state)
{
	share_sent(&jobs[0], 1000);
	share_released(&jobs[0], 1000);
	assert_true(jobs[0].charged_us < 1);
	assert_int_equal(shares.count, 0);
}

static void test_who_comes_back_is_lifted_to_the_least_that_waits(void **state)
{
	enter(&jobs[0], "much", CLASS_NORMAL)->served_us = 500;
	enter(&jobs[1], "less", CLASS_NORMAL)->served_us = 300;
	assert_true(shares_least_us(&shares, CLASS_NORMAL) > 299 &&
		    shares_least_us(&shares, CLASS_NORMAL) < 301);
	assert_true(enter(&jobs[2], "new", CLASS_NORMAL)->served_us > 299);
	/* Who has jobs is not lifted: it did not go away. */
	jobs[2].share->served_us = 10;
	assert_true(enter(&jobs[3], "new", CLASS_NORMAL)->served_us < 11);
}

static void test_the_least_is_that_of_a_class_and_those_above(void **state)
{
	assert_true(shares_least_us(&shares, CLASS_NORMAL) < 1);
	enter(&jobs[0], "batch", CLASS_BATCH)->served_us = 100;
	/* Nobody of its class waits: all that wait count. */
	assert_true(shares_least_us(&shares, CLASS_INTERACTIVE) > 99);
	enter(&jobs[1], "chat", CLASS_INTERACTIVE)->served_us = 900;
	assert_true(shares_least_us(&shares, CLASS_NORMAL) > 899);
	assert_true(shares_least_us(&shares, CLASS_BATCH) < 101);
	/* An estimate that was too long may lead below 0. */
	jobs[1].share->served_us = -5;
	assert_true(shares_least_us(&shares, CLASS_NORMAL) >= 0);
	assert_true(shares_least_us(&shares, CLASS_NORMAL) < 1);
}

/* Clients make up names. */
static void test_projects_without_jobs_are_forgotten_beyond_some(void **state)
{
	struct share *waiting = enter(&jobs[0], "waiting", CLASS_NORMAL);
	struct share *kept;

	jobs[1].record.project = mem_strdup("kept");
	kept = shares_enter(&shares, &jobs[1]);
	kept->kept = 1;
	for (int i = 0; i < MANY; i++) {
		free(jobs[2].record.project);
		jobs[2].record.project = mem_printf("p%d", i);
		shares_enter(&shares, &jobs[2]);
	}
	assert_true(shares.count <= KNOWN_MOST);
	assert_ptr_equal(shares_find(&shares, "waiting"), waiting);
	assert_ptr_equal(shares_find(&shares, "kept"), kept);
	assert_null(shares_find(&shares, "p0"));
}

#define SHARE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHARE_TEST(test_a_job_is_counted_in_its_project_and_class),
		SHARE_TEST(test_the_cap_is_that_of_the_rule_in_force),
		SHARE_TEST(test_no_project_is_one_too),
		SHARE_TEST(test_a_charge_is_corrected_when_it_is_over_and_divided_by_the_weight),
		SHARE_TEST(test_a_job_without_a_share_is_nobodys),
		SHARE_TEST(test_who_comes_back_is_lifted_to_the_least_that_waits),
		SHARE_TEST(test_the_least_is_that_of_a_class_and_those_above),
		SHARE_TEST(test_projects_without_jobs_are_forgotten_beyond_some),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
