/* What waits and runs of each model (PRODUCT 5). */
#include "core/models.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/memory.h"
#include "config/rules.h"

enum { JOBS = 3, MANY = 200, KNOWN_MOST = 64 };

static struct models models;
static struct tally tally;
static struct job jobs[JOBS];

static int setup(void **state)
{
	models_init(&models);
	for (int i = 0; i < JOBS; i++)
		job_init(&jobs[i], &tally);
	return 0;
}

static int teardown(void **state)
{
	for (int i = 0; i < JOBS; i++)
		job_finish(&jobs[i]);
	models_finish(&models);
	return 0;
}

static void enter(struct job *job, const char *model)
{
	free(job->record.model);
	job->record.model = mem_strdup(model);
	models_enter(&models, job);
}

static void test_all_spellings_are_one_model(void **state)
{
	enter(&jobs[0], "llama3");
	enter(&jobs[1], "registry.ollama.ai/library/LLAMA3:latest");
	job_set_state(&jobs[0], JOB_QUEUED);
	job_set_state(&jobs[1], JOB_QUEUED);
	job_set_state(&jobs[1], JOB_CONNECTING);
	assert_int_equal(models_find(&models, "Llama3:latest")->waiting, 1);
	assert_int_equal(models_find(&models, "library/llama3")->running, 1);
	assert_null(models_find(&models, "llama3:8b"));
}

static void test_the_cap_is_that_of_the_rule_in_force(void **state)
{
	struct model_rule rule = {.name = (char *)"library/LLAMA3", .max_concurrent = 2};
	struct rules rules = {.models = &rule, .models_count = 1};

	jobs[0].policy.model_max_concurrent = 1;
	enter(&jobs[0], "llama3");
	job_set_state(&jobs[0], JOB_QUEUED);
	job_set_state(&jobs[0], JOB_CONNECTING);
	jobs[1].policy.model_max_concurrent = 1;
	enter(&jobs[1], "llama3");
	assert_true(job_is_capped(&jobs[1]));
	enter(&jobs[2], "qwen");
	/* A reload: who waits already need not wait for a newer job of the model. */
	models_renew_caps(&models, &rules);
	assert_false(job_is_capped(&jobs[1]));
	assert_false(job_is_capped(&jobs[2]));
	rule.max_concurrent = 1;
	models_renew_caps(&models, &rules);
	assert_true(job_is_capped(&jobs[1]));
	rules.models_count = 0;
	models_renew_caps(&models, &rules);
	assert_false(job_is_capped(&jobs[1]));
}

/* Clients make up names. */
static void test_models_without_jobs_are_forgotten_beyond_some(void **state)
{
	enter(&jobs[0], "waiting");
	job_set_state(&jobs[0], JOB_QUEUED);
	for (int i = 0; i < MANY; i++) {
		char *name = mem_printf("model-%d", i);

		enter(&jobs[1], name);
		free(name);
	}
	assert_true(models.count <= KNOWN_MOST);
	assert_int_equal(models_find(&models, "waiting")->waiting, 1);
	assert_null(models_find(&models, "model-0"));
}

#define MODELS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MODELS_TEST(test_all_spellings_are_one_model),
		MODELS_TEST(test_the_cap_is_that_of_the_rule_in_force),
		MODELS_TEST(test_models_without_jobs_are_forgotten_beyond_some),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
