#include "admin/admin_accounts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "build_config.h"

#include "admin/admin.h"
#include "base/memory.h"
#include "core/job.h"
#include "schema.h"
#include "json/writer.h"

enum { NOW_US = 90 * 1000 * 1000, S = 1000 * 1000, PLACES = 53 };

struct fixture {
	struct settings settings;
	struct tally jobs;
	struct pass_tally passes;
	struct stats stats;
	struct list living;
	struct job job;
	struct admin_view view;
	struct json_writer *writer;
	struct evbuffer *out;
	struct ring *ring;
	struct residency *residency;
	struct scheduler *scheduler;
};

static int set_up(void **state)
{
	struct fixture *fixture = mem_zalloc(sizeof(*fixture));

	list_init(&fixture->living);
	job_init(&fixture->job, &fixture->jobs);
	fixture->settings.max_concurrent = 3;
	fixture->settings.max_queue_size = 50;
	fixture->ring = ring_create(PLACES);
	fixture->residency = residency_create();
	fixture->scheduler = scheduler_create();
	fixture->writer = json_writer_create();
	fixture->out = evbuffer_new();
	fixture->view = (struct admin_view){
		.settings = &fixture->settings,
		.jobs = &fixture->jobs,
		.passes = &fixture->passes,
		.stats = &fixture->stats,
		.ring = fixture->ring,
		.living_jobs = &fixture->living,
		.residency = fixture->residency,
		.scheduler = fixture->scheduler,
		.turns = {.now_us = NOW_US,
			.upstream_usable = true,
			.residency = fixture->residency,
			.ring = fixture->ring,
			.settings = &fixture->settings},
		.upstream = {.url = "http://127.0.0.1:11434", .state = "up", .is_up = true},
		.started_us = NOW_US - 12500000,
		.now_us = NOW_US,
	};
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	if (fixture->job.in_ring)
		ring_remove(fixture->ring, &fixture->job);
	job_finish(&fixture->job);
	ring_destroy(fixture->ring);
	residency_destroy(fixture->residency);
	scheduler_destroy(fixture->scheduler);
	json_writer_destroy(fixture->writer);
	evbuffer_free(fixture->out);
	free(fixture);
	return 0;
}

static const char *write_stats(struct fixture *fixture)
{
	json_writer_reset(fixture->writer);
	admin_write_stats(fixture->writer, &fixture->view);
	return json_writer_get(fixture->writer, NULL);
}

static const char *write_metrics(struct fixture *fixture)
{
	admin_write_metrics(fixture->out, &fixture->view);
	evbuffer_add(fixture->out, "", 1);
	return (const char *)evbuffer_pullup(fixture->out, -1);
}

/* A job that waits. */
static void enter(struct fixture *fixture, const char *project, const char *model, double weight)
{
	struct job *job = &fixture->job;

	job->record.project = mem_strdup(project);
	job->record.model = mem_strdup(model);
	job->record.body_complete_us = NOW_US - S;
	job->policy.weight = weight;
	scheduler_enter(fixture->scheduler, &fixture->settings, job, NULL, NOW_US - S);
	assert_true(ring_put(fixture->ring, job));
	job_set_state(job, JOB_QUEUED);
}

static struct record ended(const char *project, const char *model, enum outcome outcome)
{
	struct record record;

	record_init(&record);
	record.is_job = true;
	record.project = project ? mem_strdup(project) : NULL;
	record.model = model ? mem_strdup(model) : NULL;
	record.outcome = outcome;
	record.arrived_us = S;
	record.ended_us = 3 * S;
	return record;
}

static void add_ended(
	struct fixture *fixture, const char *project, const char *model, enum outcome outcome)
{
	struct record record = ended(project, model, outcome);

	stats_add(&fixture->stats, &record);
	record_finish(&record);
}

static void test_projects_and_models_have_their_own_figures(void **state)
{
	struct fixture *fixture = *state;
	struct record record = ended("Docling", "LLAMA3", OUTCOME_SUCCESS);
	struct stats_load load = {.model = "llama3", .project = "Docling", .took_us = 2 * S};
	const char *json;

	record.dispatched_us = 2 * S;
	record.queue_wait_us = S;
	record.slot_us = S;
	record.warm = KNOWN_FALSE;
	record.prompt_eval_count = 100;
	record.prompt_eval_duration = 500000000;
	record.eval_count = 20;
	record.patience_doubted = true;
	stats_add(&fixture->stats, &record);
	record_finish(&record);
	stats_add_load(&fixture->stats, &load);
	add_ended(fixture, "Docling", NULL, OUTCOME_QUEUE_FULL);
	json = write_stats(fixture);
	schema_check("stats", json);
	assert_non_null(strstr(json,
		"\"projects\":{\"Docling\":{\"waiting\":0,\"running\":0,\"weight\":null,"
		"\"completed\":1,\"failed\":0,\"rejected\":1,\"timeout\":0,\"cancelled\":0,"
		"\"wait_time_ms\":{\"mean\":1000.000,\"p50\":1000.000,\"p90\":1000.000,"
		"\"p99\":1000.000},\"latency_ms\":{\"mean\":2000.000,\"p50\":2000.000,"
		"\"p90\":2000.000,\"p99\":2000.000},\"warm_start_rate\":0.000,\"served_s\":1.000,"
		"\"loads\":1,\"load_time_ms\":2000.000,\"cut_prompts\":0,\"patience_doubted\":1,"
		"\"prompt_tokens\":100,"
		"\"prompt_tokens_per_s\":200.000,\"generated_tokens\":20,"
		"\"generated_tokens_per_s\":null}},\"models\":{\"llama3:latest\":{\"waiting\":"
		"null,"));
	assert_non_null(strstr(json, "\"none\":{\"waiting\":null,\"running\":null,"
				     "\"completed\":0,\"failed\":0,\"rejected\":1,"));
}

static void test_what_waits_has_a_place_among_projects_and_models(void **state)
{
	struct fixture *fixture = *state;
	const char *json;

	fixture->settings.scheduler = SCHEDULER_TURNS;
	enter(fixture, "new", "llama3", 2);
	assert_null(strstr(write_stats(fixture), "\"new\""));
	admin_meet(&fixture->stats, fixture->scheduler);
	json = write_stats(fixture);
	schema_check("stats", json);
	assert_non_null(strstr(
		json, "\"projects\":{\"new\":{\"waiting\":1,\"running\":0,\"weight\":2.000,"));
	assert_non_null(
		strstr(json, "\"models\":{\"llama3:latest\":{\"waiting\":1,\"running\":0,"));
}

static void test_more_projects_than_names_are_together(void **state)
{
	struct fixture *fixture = *state;
	const char *json;

	for (int i = 0; i < NAME_TABLE_MOST + 2; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%d", i);
		add_ended(fixture, name, "m", OUTCOME_CLIENT_GONE);
	}
	json = write_stats(fixture);
	schema_check("stats", json);
	assert_non_null(strstr(json, "\"p63\":{"));
	assert_null(strstr(json, "\"p64\":{"));
	json = strstr(json, "\"other\":{");
	assert_non_null(json);
	json = strstr(json, "\"cancelled\":");
	assert_non_null(json);
	assert_int_equal(strncmp(json, "\"cancelled\":2,", 14), 0);
}

static void test_foreign_activity_is_told(void **state)
{
	struct fixture *fixture = *state;
	const char *json = write_stats(fixture);

	assert_non_null(
		strstr(json, "\"foreign_activity\":{\"count\":0,\"model\":null,\"age_s\":null}}"));
	for (int i = 2; i > 0; i--) {
		residency_begin(fixture->residency);
		residency_add(fixture->residency, "m", 1, 1, 1);
		residency_add_expiry(fixture->residency, i == 2 ? "then" : "later");
		residency_end(fixture->residency, NOW_US - i * S);
	}
	json = write_stats(fixture);
	assert_non_null(strstr(json, "\"foreign_activity\":{\"count\":1,\"model\":\"m:latest\","
				     "\"age_s\":1.000}}"));
	schema_check("stats", json);
}

static void test_metrics_have_what_the_stats_have(void **state)
{
	struct fixture *fixture = *state;
	static const char *const wanted[] = {
		"# HELP shared_ollama_build_info Always 1, with the version.\n"
		"# TYPE shared_ollama_build_info gauge\n"
		"shared_ollama_build_info{version=\"" SHARED_OLLAMA_VERSION "\"} 1\n",
		"\nshared_ollama_jobs_ended_total{outcome=\"completed\",reason=\"success\"} 1\n",
		"\nshared_ollama_jobs_ended_total{outcome=\"rejected\",reason=\"queue_full\"} 1\n",
		"\nshared_ollama_job_duration_seconds_bucket{model=\"m:latest\","
		"outcome=\"completed\",le=\"1\"} 0\n",
		"\nshared_ollama_job_duration_seconds_bucket{model=\"m:latest\","
		"outcome=\"completed\",le=\"2.5\"} 1\n",
		"\nshared_ollama_job_duration_seconds_sum{model=\"m:latest\",outcome=\"completed\"}"
		" "
		"2\n",
		"\nshared_ollama_project_jobs_ended_total{project=\"a\\\"b\",outcome=\"rejected\"}"
		" 1\n",
		"\nshared_ollama_connections_limit +Inf\n",
		"\nshared_ollama_bodies_limit_bytes 2048\n",
		"\nshared_ollama_ring_places 53\n",
		"\nshared_ollama_runner_vram_ratio{model=\"m:latest\"} 0.5\n",
		"\nshared_ollama_uptime_seconds 12.5\n",
		"\nprocess_open_fds ",
	};

	const char *json;

	fixture->settings.body_total = 2048;
	add_ended(fixture, "a\"b", "m", OUTCOME_SUCCESS);
	add_ended(fixture, "a\"b", "m", OUTCOME_QUEUE_FULL);
	residency_begin(fixture->residency);
	residency_add(fixture->residency, "m", 8, 4, 1);
	residency_add(fixture->residency, "M:latest", 8, 4, 1);
	residency_add(fixture->residency, "unknown", -1, -1, -1);
	residency_end(fixture->residency, NOW_US);
	json = write_metrics(fixture);
	for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++) {
		if (!strstr(json, wanted[i]))
			fail_msg("missing: %s", wanted[i]);
	}
	/* not known, and not said twice */
	assert_null(strstr(json, "runner_vram_ratio{model=\"unknown"));
	assert_null(strstr(strstr(json, "runner_vram_ratio{model=\"m:latest\"}") + 1,
		"runner_vram_ratio{model=\"m:latest\"}"));
	/* FIFO has no turns */
	assert_null(strstr(json, "turn_state"));
}

int main(void)
{
#define WITH_VIEW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_VIEW(test_projects_and_models_have_their_own_figures),
		WITH_VIEW(test_what_waits_has_a_place_among_projects_and_models),
		WITH_VIEW(test_more_projects_than_names_are_together),
		WITH_VIEW(test_foreign_activity_is_told),
		WITH_VIEW(test_metrics_have_what_the_stats_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
