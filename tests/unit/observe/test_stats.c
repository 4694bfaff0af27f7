#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "config/settings.h"
#include "observe/stats.h"

enum { ARRIVED_US = 1000000, MS = 1000 };

static struct record job(enum outcome outcome, int64_t wait_ms, int64_t latency_ms)
{
	struct record record;

	record_init(&record);
	record.is_job = true;
	record.outcome = outcome;
	record.arrived_us = ARRIVED_US;
	record.dispatched_us = ARRIVED_US + wait_ms * MS;
	record.queue_wait_us = wait_ms * MS;
	record.ended_us = ARRIVED_US + latency_ms * MS;
	return record;
}

static void add(struct stats *stats, struct record record)
{
	stats_add(stats, &record);
}

static void test_waits_are_of_dispatched_jobs(void **state)
{
	static struct stats stats;
	struct record expired = job(OUTCOME_QUEUE_TIMEOUT, 60000, 60000);
	struct record refused = job(OUTCOME_QUEUE_FULL, 70000, 70000);

	memset(&stats, 0, sizeof(stats));
	expired.dispatched_us = 0;
	refused.dispatched_us = 0;
	add(&stats, job(OUTCOME_SUCCESS, 1000, 2000));
	add(&stats, job(OUTCOME_UPSTREAM_STATUS, 3000, 4000));
	assert_int_equal(stats.max_wait_us, 3000 * MS);
	add(&stats, expired);
	add(&stats, refused);
	assert_int_equal(stats.wait_us.count, 2);
	assert_true(histogram_mean(&stats.wait_us) == 2000.0 * MS);
	/* the maximum includes the expired one, not what was never in the queue */
	assert_int_equal(stats.max_wait_us, 60000 * MS);
}

static void test_latencies_are_of_successes_by_warm_and_cold(void **state)
{
	static struct stats stats;
	struct record warm = job(OUTCOME_SUCCESS, 0, 1000);
	struct record cold = job(OUTCOME_SUCCESS, 0, 9000);
	struct record failed = job(OUTCOME_UPSTREAM_RESET, 0, 1);

	memset(&stats, 0, sizeof(stats));
	warm.warm = KNOWN_TRUE;
	cold.warm = KNOWN_FALSE;
	cold.load_duration = 7000000000;
	cold.is_load = true;
	failed.warm = KNOWN_FALSE;
	failed.is_load = true;
	add(&stats, warm);
	add(&stats, cold);
	add(&stats, failed);
	add(&stats, job(OUTCOME_SUCCESS, 0, 2000)); /* nobody knows */
	cold.is_load = false;			    /* it shared a load that was counted */
	cold.outcome = OUTCOME_UPSTREAM_TRUNCATED;
	add(&stats, cold);
	assert_int_equal(stats.latency_us.count, 3);
	assert_true(histogram_mean(&stats.latency_us) == 4000.0 * MS);
	assert_int_equal(stats.latency_warm_us.count, 1);
	assert_int_equal(stats.latency_warm_us.max, 1000 * MS);
	assert_int_equal(stats.latency_cold_us.count, 1);
	assert_int_equal(stats.latency_cold_us.max, 9000 * MS);
	assert_int_equal(stats.warm, 1);
	assert_int_equal(stats.cold, 1);
	/* the failed one loaded the model too; only one answer said how long */
	assert_int_equal(stats.model_loads, 2);
	assert_int_equal(stats.load_us.count, 1);
	assert_int_equal(stats.load_us.max, 7000 * MS);
}

static void test_passes_do_not_count(void **state)
{
	static struct stats stats, empty;
	struct record pass = job(OUTCOME_SUCCESS, 0, 1000);

	memset(&stats, 0, sizeof(stats));
	pass.is_job = false;
	pass.warm = KNOWN_TRUE;
	add(&stats, pass);
	assert_int_equal(stats.pass_outcomes[OUTCOME_SUCCESS], 1);
	stats.pass_outcomes[OUTCOME_SUCCESS] = 0;
	assert_memory_equal(&stats, &empty, sizeof(stats));
}

static void test_each_job_belongs_to_a_project_and_a_model(void **state)
{
	static struct stats stats;
	struct record record = job(OUTCOME_SUCCESS, 1000, 3000);
	char project[] = "a";
	char model[] = "LLAMA3";

	memset(&stats, 0, sizeof(stats));
	record.project = project;
	record.model = model;
	record.slot_us = 5 * MS;
	record.is_load = true;
	record.load_duration = 7000000;
	add(&stats, record);
	record.outcome = OUTCOME_CLIENT_GONE;
	record.is_load = false;
	record.model = NULL;
	add(&stats, record);
	assert_int_equal(stats.job_outcomes[OUTCOME_SUCCESS], 1);
	assert_int_equal(stats.job_outcomes[OUTCOME_CLIENT_GONE], 1);
	assert_int_equal(stats.project_names.count, 1);
	assert_int_equal(stats.projects[0].ended[COUNTER_COMPLETED], 1);
	assert_int_equal(stats.projects[0].ended[COUNTER_CANCELLED], 1);
	assert_int_equal(stats.projects[0].slot_us, 10 * MS);
	assert_int_equal(stats.projects[0].loads, 1);
	assert_int_equal(stats.projects[0].loads_us, 7 * MS);
	assert_string_equal(name_table_get(&stats.model_names, 0), "llama3:latest");
	assert_string_equal(name_table_get(&stats.model_names, 1), "none");
	assert_int_equal(stats.models[0].ended[COUNTER_COMPLETED], 1);
	assert_int_equal(stats.models[1].ended[COUNTER_CANCELLED], 1);
	assert_int_equal(stats.ladders[0].latency[COUNTER_COMPLETED].count, 1);
	assert_int_equal(stats.ladders[0].load.count, 1);
	assert_int_equal(stats.ladders[1].latency[COUNTER_CANCELLED].count, 1);
}

static void add_of(struct stats *stats, const char *project, const char *model)
{
	char a_project[16];
	char a_model[16];
	struct record record = job(OUTCOME_SUCCESS, 1000, 3000);

	snprintf(a_project, sizeof(a_project), "%s", project);
	snprintf(a_model, sizeof(a_model), "%s", model);
	record.project = a_project;
	record.model = a_model;
	record.prompt_eval_count = 7;
	add(stats, record);
}

/* What gave way is counted among the others: sums stay whole. */
static void test_who_gives_way_joins_the_others(void **state)
{
	static struct stats stats;
	char name[16];
	uint64_t ended = 0;

	memset(&stats, 0, sizeof(stats));
	for (int i = 0; i < NAME_TABLE_MOST; i++) {
		snprintf(name, sizeof(name), "junk%d", i);
		stats_meet_project(&stats, name);
		add_of(&stats, name, name);
	}
	add_of(&stats, "junk0", "junk0");
	add_of(&stats, "real", "real");
	assert_string_equal(name_table_get(&stats.project_names, 1), "real");
	assert_int_equal(stats.projects[1].ended[COUNTER_COMPLETED], 1);
	assert_int_equal(stats.projects[NAME_TABLE_OTHER].prompt.count, 7);
	assert_int_equal(stats.projects[NAME_TABLE_OTHER].wait_us.count, 1);
	assert_int_equal(
		histogram_quantile(&stats.projects[NAME_TABLE_OTHER].latency_us, 1.0), 3000 * MS);
	assert_string_equal(name_table_get(&stats.model_names, 1), "real:latest");
	assert_int_equal(stats.ladders[1].wait.count, 1);
	assert_int_equal(stats.ladders[NAME_TABLE_OTHER].wait.count, 1);
	assert_int_equal(stats.ladders[NAME_TABLE_OTHER].latency[COUNTER_COMPLETED].count, 1);
	for (int i = 0; i < NAME_TABLE_ROOM; i++)
		ended += stats.projects[i].ended[COUNTER_COMPLETED];
	assert_int_equal(ended, NAME_TABLE_MOST + 2);
}

/* In each list of the file and in preload. */
static void test_names_of_the_configuration_stay(void **state)
{
	static struct stats stats;
	char ruled[] = "ruled", keyed[] = "keyed", known[] = "known", heard[] = "heard";
	char model[] = "M", preloaded[] = "p";
	struct project_rule project = {.name = ruled};
	struct model_rule model_rule = {.name = model};
	struct agent_rule agents[] = {{.project = known}, {.project = NULL}};
	struct listener_rule listener = {.project = heard};
	struct api_key api_key = {.project = keyed};
	char *preload[] = {preloaded, NULL};
	struct settings settings = {
		.rules = {&project, 1, &model_rule, 1, agents, 2, &listener, 1},
		.api_keys = &api_key,
		.api_keys_count = 1,
		.preload = preload,
	};
	const char *const projects[] = {ruled, keyed, known, heard};
	char name[16];

	memset(&stats, 0, sizeof(stats));
	stats_prepare(&stats, &settings);
	for (int i = 0; i < 2 * NAME_TABLE_MOST; i++) {
		snprintf(name, sizeof(name), "junk%d", i);
		add_of(&stats, name, name);
	}
	for (size_t i = 0; i < ARRAY_LENGTH(projects); i++)
		assert_int_equal(name_table_find(&stats.project_names, projects[i]), i);
	assert_int_equal(stats.project_names.kept, ARRAY_LENGTH(projects));
	assert_int_equal(name_table_find(&stats.model_names, "m:latest"), 0);
	assert_int_equal(name_table_find(&stats.model_names, "p:latest"), 1);
	settings.api_keys_count = 0;
	stats_prepare(&stats, &settings);
	assert_int_equal(stats.project_names.kept, ARRAY_LENGTH(projects) - 1);
}

static void test_our_own_load_belongs_to_its_cause(void **state)
{
	static struct stats stats;
	struct stats_load load = {.model = "m", .project = "a", .took_us = 4 * MS};

	memset(&stats, 0, sizeof(stats));
	stats_add_load(&stats, &load);
	load.project = NULL; /* a preload */
	stats_add_load(&stats, &load);
	assert_int_equal(stats.model_loads, 2);
	assert_int_equal(stats.models[0].loads, 2);
	assert_int_equal(stats.models[0].loads_us, 8 * MS);
	assert_int_equal(stats.project_names.count, 1);
	assert_int_equal(stats.projects[0].loads, 1);
}

static void test_tokens_count_apart_from_those_that_were_timed(void **state)
{
	static struct account account;
	struct record timed = job(OUTCOME_SUCCESS, 0, 1000);
	struct record untimed = job(OUTCOME_SUCCESS, 0, 1000);

	memset(&account, 0, sizeof(account));
	timed.prompt_eval_count = 100;
	timed.prompt_eval_duration = 1000;
	timed.eval_count = 20;
	timed.eval_duration = 2000;
	untimed.prompt_eval_count = 7;
	untimed.eval_count = 3;
	account_add(&account, &timed);
	account_add(&account, &untimed);
	assert_int_equal(account.prompt.count, 107);
	assert_int_equal(account.prompt.timed, 100);
	assert_int_equal(account.prompt.ns, 1000);
	assert_int_equal(account.generated.count, 23);
	assert_int_equal(account.generated.timed, 20);
	assert_int_equal(account.generated.ns, 2000);
}

static void test_the_time_between_tokens(void **state)
{
	struct record record = job(OUTCOME_SUCCESS, 0, 1000);

	assert_int_equal(account_gap_us(&record), -1);
	record.eval_count = 1;
	record.eval_duration = 5000000;
	assert_int_equal(account_gap_us(&record), -1);
	record.eval_count = 5;
	assert_int_equal(account_gap_us(&record), 1000);
	/* /v1 tells no time: only of a stream can it be seen */
	record.eval_duration = -1;
	record.first_byte_us = record.ended_us - 80 * MS;
	assert_int_equal(account_gap_us(&record), -1);
	record.stream = KNOWN_TRUE;
	assert_int_equal(account_gap_us(&record), 20 * MS);
	record.outcome = OUTCOME_CLIENT_GONE;
	assert_int_equal(account_gap_us(&record), -1);
}

static void test_first_tokens_are_those_of_streams(void **state)
{
	static struct account_ladders ladders;
	struct record record = job(OUTCOME_SUCCESS, 0, 1000);

	memset(&ladders, 0, sizeof(ladders));
	record.first_byte_us = record.arrived_us + 300 * MS;
	account_ladders_add(&ladders, &record);
	assert_int_equal(ladders.first_token.count, 0);
	record.stream = KNOWN_TRUE;
	account_ladders_add(&ladders, &record);
	assert_int_equal(ladders.first_token.count, 1);
	assert_true(ladders.first_token.sum_us == 300.0 * MS);
	record.outcome = OUTCOME_UPSTREAM_CLIENT_ERROR;
	account_ladders_add(&ladders, &record);
	assert_int_equal(ladders.first_token.count, 1);
	assert_int_equal(ladders.latency[COUNTER_COMPLETED].count, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waits_are_of_dispatched_jobs),
		cmocka_unit_test(test_latencies_are_of_successes_by_warm_and_cold),
		cmocka_unit_test(test_passes_do_not_count),
		cmocka_unit_test(test_each_job_belongs_to_a_project_and_a_model),
		cmocka_unit_test(test_who_gives_way_joins_the_others),
		cmocka_unit_test(test_names_of_the_configuration_stay),
		cmocka_unit_test(test_our_own_load_belongs_to_its_cause),
		cmocka_unit_test(test_tokens_count_apart_from_those_that_were_timed),
		cmocka_unit_test(test_the_time_between_tokens),
		cmocka_unit_test(test_first_tokens_are_those_of_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
