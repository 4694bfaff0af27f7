#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "build_config.h"

#include "admin/admin.h"
#include "base/memory.h"
#include "base/ticker.h"
#include "config/file.h"
#include "config/keys.h"
#include "config/value.h"
#include "core/job.h"
#include "core/places.h"
#include "front/client.h"
#include "front/reply.h"
#include "schema.h"
#include "json/writer.h"

enum { NOW_US = 90 * 1000 * 1000, S = 1000 * 1000, PLACES = 53, JOBS = 8 };

/* Stands in for front: what was answered, and the request in hand. */
static int answered_status;
static char *answered_json;
static const char *answered_allow;
static struct request_head request;

const struct request_head *client_head(const struct client *client)
{
	return &request;
}

void reply_json(struct client *client, int status, const char *json, size_t length)
{
	answered_status = status;
	free(answered_json);
	answered_json = mem_strndup(json, length);
}

void reply_method_not_allowed(struct client *client, const char *allow)
{
	answered_status = 405;
	answered_allow = allow;
}

static bool is_preflight;

bool reply_preflight(struct client *client)
{
	return is_preflight;
}

void reply_not_found(struct client *client)
{
	answered_status = 404;
}

/* Control and the stream of events are tested with the whole program; here nobody gets so far. */
static const struct admin_calls calls;

int64_t reply_error(struct client *client, const struct reply_error *error)
{
	return 0;
}

void reply_cut(struct client *client, const char *last_words)
{
}

void reply_data(struct client *client, struct evbuffer *data)
{
}

void reply_end(struct client *client)
{
}

void reply_stream_head(struct client *client, const char *content_type, const char *request_id)
{
}

const struct api_key *client_key(const struct client *client)
{
	return NULL;
}

const char *client_ip(const struct client *client)
{
	return "192.0.2.1";
}

bool client_is_loopback(const struct client *client)
{
	return false;
}

bool client_came_by_admin(const struct client *client)
{
	return false;
}

void client_accept(struct client *client, const struct client_user *user, void *arg)
{
}

void client_release(struct client *client)
{
}

void client_abort(struct client *client)
{
}

void client_send_continue(struct client *client)
{
}

size_t client_unsent_bytes(const struct client *client)
{
	return 0;
}

struct fixture {
	struct settings settings;
	struct tally jobs;
	struct pass_tally passes;
	struct stats stats;
	struct list living;
	struct job job[JOBS];
	int job_count;
	struct admin_view view;
	struct json_writer *writer;
	struct ring *ring;
	struct residency *residency;
	struct scheduler *scheduler;
	struct places places;
};

static int set_up(void **state)
{
	struct fixture *fixture = mem_zalloc(sizeof(*fixture));

	list_init(&fixture->living);
	fixture->settings.max_concurrent = 3;
	fixture->settings.max_queue_size = 50;
	fixture->settings.default_timeout_ms = 60500;
	fixture->ring = ring_create(PLACES);
	fixture->residency = residency_create();
	fixture->scheduler = scheduler_create();
	fixture->writer = json_writer_create();
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
			.living = &fixture->living,
			.places = &fixture->places,
			.settings = &fixture->settings},
		.upstream = {.url = "http://127.0.0.1:11434",
			.state = "up",
			.is_up = true,
			.version = "0.32.15"},
		.started_us = NOW_US - 12500000,
		.now_us = NOW_US,
	};
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	for (int i = 0; i < fixture->job_count; i++) {
		if (fixture->job[i].in_ring)
			ring_remove(fixture->ring, &fixture->job[i]);
		job_finish(&fixture->job[i]);
	}
	ring_destroy(fixture->ring);
	residency_destroy(fixture->residency);
	scheduler_destroy(fixture->scheduler);
	json_writer_destroy(fixture->writer);
	free(fixture);
	free(answered_json);
	answered_json = NULL;
	answered_status = 0;
	answered_allow = NULL;
	is_preflight = false;
	return 0;
}

/* A job that arrived `age_s` ago and is in `wanted` now. */
static struct job *add_job(
	struct fixture *fixture, const char *id, int age_s, enum job_state wanted)
{
	static const enum job_state path[] = {
		JOB_QUEUED, JOB_CONNECTING, JOB_AWAITING, JOB_STREAMING, JOB_FLUSHING};
	struct job *job = &fixture->job[fixture->job_count++];

	assert_true(fixture->job_count <= JOBS);
	job_init(job, &fixture->jobs);
	list_append(&fixture->living, &job->link);
	strcpy(job->record.request_id, id);
	job->record.arrived_us = NOW_US - (int64_t)age_s * S;
	job->queued_since_us = job->record.arrived_us + S;
	for (size_t i = 0; i < ARRAY_LENGTH(path) && job->state != wanted; i++)
		job_set_state(job, path[i]);
	assert_int_equal(job->state, wanted);
	if (job_belongs_in_ring(job))
		assert_true(ring_put(fixture->ring, job));
	return job;
}

static const char *write_with(
	struct fixture *fixture, void (*write)(struct json_writer *, const struct admin_view *))
{
	json_writer_reset(fixture->writer);
	write(fixture->writer, &fixture->view);
	return json_writer_get(fixture->writer, NULL);
}

static void test_health_begins_with_the_old_keys(void **state)
{
	struct fixture *fixture = *state;
	const char *json;

	fixture->jobs.queued = 2;
	fixture->jobs.in_progress = 3;
	json = write_with(fixture, admin_write_health);
	assert_string_equal(json,
		"{\"status\":\"healthy\",\"ollama_service\":\"healthy\",\"version\":"
		"\"" SHARED_OLLAMA_VERSION
		"\",\"paused\":false,\"queued\":2,\"in_progress\":3,\"upstream\":{"
		"\"url\":\"http://127.0.0.1:11434\",\"state\":\"up\",\"version\":\"0.32.15\"}}");
	schema_check("health", json);
}

static void test_health_of_a_dead_ollama(void **state)
{
	struct fixture *fixture = *state;
	const char *json;

	fixture->view.upstream.is_up = false;
	fixture->view.upstream.state = "down";
	fixture->view.upstream.version = NULL;
	json = write_with(fixture, admin_write_health);
	assert_non_null(strstr(json, "{\"status\":\"unhealthy\",\"ollama_service\":\"unhealthy: "
				     "Ollama at http://127.0.0.1:11434 is down\","));
	assert_non_null(strstr(json, "\"version\":null}"));
	schema_check("health", json);
}

static void test_health_status_while_requests_are_accepted(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(admin_health_status(&fixture->view, false), 200);
	assert_int_equal(admin_health_status(&fixture->view, true), 200);
	fixture->view.upstream.is_up = false;
	assert_int_equal(admin_health_status(&fixture->view, false), 200);
	assert_int_equal(admin_health_status(&fixture->view, true), 503);
}

static void test_health_status_while_draining(void **state)
{
	struct fixture *fixture = *state;

	fixture->view.draining = true;
	assert_int_equal(admin_health_status(&fixture->view, false), 503);
	assert_int_equal(admin_health_status(&fixture->view, true), 503);
	assert_non_null(
		strstr(write_with(fixture, admin_write_health), "{\"status\":\"draining\","));
	schema_check("health", write_with(fixture, admin_write_health));
}

static void test_a_full_queue_is_not_ready(void **state)
{
	struct fixture *fixture = *state;

	fixture->jobs.queued = 49;
	assert_int_equal(admin_health_status(&fixture->view, true), 200);
	fixture->jobs.queued = 50;
	assert_int_equal(admin_health_status(&fixture->view, true), 503);
	assert_int_equal(admin_health_status(&fixture->view, false), 200);
}

static void test_stats_of_nothing(void **state)
{
	struct fixture *fixture = *state;
	const char *json = write_with(fixture, admin_write_stats);

	assert_non_null(strstr(json,
		"{\"queued\":0,\"in_progress\":0,\"completed\":0,\"failed\":0,\"rejected\":0,"
		"\"timeout\":0,\"total_wait_time_ms\":0.000,\"max_wait_time_ms\":0.000,"
		"\"avg_wait_time_ms\":0.000,\"max_concurrent\":3,\"max_queue_size\":50,"
		"\"default_timeout\":60.500,\"cancelled\":0,"));
	assert_non_null(strstr(json, "\"warm_start_rate\":null"));
	assert_non_null(strstr(json, "\"wait_time_ms\":{\"p50\":null,"));
	assert_non_null(strstr(json, "\"uptime_s\":12.500"));
	schema_check("stats", json);
}

static void add_success(struct stats *stats, enum known warm, int64_t wait_s, int64_t latency_s)
{
	struct record record;

	record_init(&record);
	record.is_job = true;
	record.outcome = OUTCOME_SUCCESS;
	record.warm = warm;
	record.arrived_us = S;
	record.dispatched_us = S + wait_s * S;
	record.queue_wait_us = wait_s * S;
	record.ended_us = S + latency_s * S;
	record.is_load = warm == KNOWN_FALSE;
	if (record.is_load)
		record.load_duration = 4000000000;
	stats_add(stats, &record);
}

static void test_stats_of_waits_latencies_and_loads(void **state)
{
	struct fixture *fixture = *state;
	const char *json;

	add_success(&fixture->stats, KNOWN_TRUE, 1, 2);
	add_success(&fixture->stats, KNOWN_TRUE, 1, 2);
	add_success(&fixture->stats, KNOWN_TRUE, 1, 2);
	add_success(&fixture->stats, KNOWN_FALSE, 3, 10);
	json = write_with(fixture, admin_write_stats);
	assert_non_null(
		strstr(json, "\"total_wait_time_ms\":6000.000,\"max_wait_time_ms\":3000.000,"
			     "\"avg_wait_time_ms\":1500.000,"));
	assert_non_null(strstr(json, "\"latency_ms\":{\"mean\":4000.000,"));
	assert_non_null(strstr(json, "\"warm\":{\"count\":3,\"mean\":2000.000,"));
	assert_non_null(strstr(json, "\"cold\":{\"count\":1,\"mean\":10000.000,"
				     "\"p50\":10000.000,\"p90\":10000.000,\"p99\":10000.000}"));
	assert_non_null(strstr(json, "\"warm_start_rate\":0.750,\"model_loads\":1,"
				     "\"load_time_ms\":4000.000,"));
	schema_check("stats", json);
}

static void test_stats_count_each_end(void **state)
{
	struct fixture *fixture = *state;
	const char *json;

	for (int i = 0; i < COUNTER_COUNT; i++) {
		fixture->jobs.ended[i] = (uint64_t)i + 1;
		fixture->passes.ended[i] = (uint64_t)i + 11;
	}
	fixture->jobs.reading = 6;
	fixture->jobs.flushing = 7;
	fixture->view.log_dropped = 8;
	json = write_with(fixture, admin_write_stats);
	assert_non_null(strstr(json, "\"completed\":1,\"failed\":2,\"rejected\":3,\"timeout\":4,"));
	assert_non_null(strstr(json, "\"cancelled\":5,\"reading\":6,\"flushing\":7,"));
	assert_non_null(strstr(json, "\"passes\":{\"received\":0,\"in_progress\":0,"
				     "\"completed\":11,\"failed\":12,\"rejected\":13,"
				     "\"timeout\":14,\"cancelled\":15}"));
	assert_non_null(strstr(json, "\"request_log_dropped\":8}"));
	schema_check("stats", json);
}

static void test_stats_show_what_is_loaded(void **state)
{
	struct fixture *fixture = *state;
	const char *json;

	residency_begin(fixture->residency);
	residency_add(fixture->residency, "qwen2.5vl:7b", 8000, 6000, 4096);
	residency_add(fixture->residency, "llama3", -1, -1, -1);
	residency_end(fixture->residency, NOW_US);
	json = write_with(fixture, admin_write_stats);
	assert_non_null(strstr(json,
		"\"runners\":[{\"name\":\"qwen2.5vl:7b\",\"size_vram\":6000,\"vram_share\":0.750,"
		"\"context_length\":4096,\"pinned\":false,\"waiting\":null,\"running\":null,"
		"\"concurrency\":null},"
		"{\"name\":\"llama3:latest\",\"size_vram\":null,\"vram_share\":null,"
		"\"context_length\":null,\"pinned\":false,\"waiting\":null,\"running\":null,"
		"\"concurrency\":null}]"));
	assert_non_null(strstr(json, "\"concurrency\":{\"limit\":3,\"min\":3,\"max\":3,"
				     "\"reason\":\"fixed by max_concurrent\"},\"turn\":null,"));
	schema_check("stats", json);
}

/* A job of `model` waits, and Ollama was asked about it. */
static void enter(struct fixture *fixture, struct job *job, const char *model)
{
	job->record.model = mem_strdup(model);
	job->record.body_complete_us = NOW_US - S;
	scheduler_enter(fixture->scheduler, &fixture->settings, job, NULL, NOW_US - S);
	assert_true(ring_put(fixture->ring, job));
	job_set_state(job, JOB_QUEUED);
	while (scheduler_next(fixture->scheduler, &fixture->view.turns).verdict == SCHEDULER_LOOK)
		scheduler_looked(fixture->scheduler, RUNNER_GENERATES, NOW_US);
}

static void test_turns_are_told_in_stats_and_reasons(void **state)
{
	struct fixture *fixture = *state;
	const char *json;

	fixture->settings.scheduler = SCHEDULER_TURNS;
	residency_begin(fixture->residency);
	residency_add(fixture->residency, "llama3", 8000, 8000, 4096);
	residency_end(fixture->residency, NOW_US);
	enter(fixture, add_job(fixture, "one", 2, JOB_READING), "llama3");
	enter(fixture, add_job(fixture, "two", 2, JOB_READING), "qwen:7b");
	enter(fixture, add_job(fixture, "three", 2, JOB_READING), "LLAMA3:latest");
	json = write_with(fixture, admin_write_stats);
	schema_check("stats", json);
	assert_non_null(strstr(json, "\"turn\":{\"state\":\"serving\",\"runner\":\"llama3:latest\","
				     "\"next\":\"qwen:7b\","));
	assert_non_null(strstr(json, "\"left\":2,"));
	assert_non_null(
		strstr(json, "\"context_length\":4096,\"pinned\":false,\"waiting\":2,\"running\":0,"
			     "\"concurrency\":{\"limit\":3,"));
	json = write_with(fixture, admin_write_requests);
	schema_check("requests", json);
	assert_non_null(
		strstr(json, "\"place\":1,\"reason\":\"llama3:latest is being served, 0 before "
			     "this one\""));
	assert_non_null(
		strstr(json, "\"place\":3,\"reason\":\"llama3:latest is being served, 2 left; "
			     "qwen:7b next, about 6 s\",\"forecast_ms\":6000.000"));
	assert_non_null(
		strstr(json, "\"place\":2,\"reason\":\"llama3:latest is being served, 1 before "
			     "this one\""));
	fixture->view.turns.paused = true;
	json = write_with(fixture, admin_write_requests);
	assert_non_null(strstr(json, "\"reason\":\"paused by an operator\",\"forecast_ms\":null"));
}

static void test_no_requests(void **state)
{
	const char *json = write_with(*state, admin_write_requests);

	assert_string_equal(json, "{\"requests\":[]}");
	schema_check("requests", json);
}

static void test_each_state_is_shown_and_the_waiting_have_places(void **state)
{
	struct fixture *fixture = *state;
	struct job *job;
	const char *json;

	add_job(fixture, "second", 7, JOB_QUEUED);
	add_job(fixture, "a", 9, JOB_READING);
	add_job(fixture, "b", 8, JOB_CONNECTING);
	add_job(fixture, "third", 6, JOB_QUEUED);
	add_job(fixture, "c", 5, JOB_AWAITING);
	add_job(fixture, "d", 4, JOB_STREAMING);
	job = add_job(fixture, "e", 3, JOB_FLUSHING);
	job->record.project = mem_strdup("Docling_Machine");
	job->record.model = mem_strdup("qwen2.5vl:7b");
	job->record.queue_wait_us = S / 2;
	job->record.eval_count = 100;
	job->record.eval_duration = 2000000000;
	json = write_with(fixture, admin_write_requests);
	schema_check("requests", json);
	assert_non_null(strstr(json,
		"{\"id\":\"e\",\"project\":\"Docling_Machine\",\"class\":null,"
		"\"model\":\"qwen2.5vl:7b\",\"operation\":\"chat\",\"state\":\"flushing\","
		"\"age_ms\":3000.000,\"wait_ms\":500.000,\"place\":null,\"reason\":null,"
		"\"forecast_ms\":null,\"tokens\":100,"
		"\"tokens_per_s\":50.0},{\"id\":\"second\","));
	assert_non_null(strstr(json, "\"age_ms\":7000.000,\"wait_ms\":6000.000,\"place\":1,"
				     "\"reason\":\"waits for a free slot, 0 before this one, "
				     "about 23 "
				     "s\",\"forecast_ms\":22500.000,\"tokens\":null,\"tokens_per_"
				     "s\":null},{\"id\":\"third\","));
	assert_non_null(strstr(json, "\"wait_ms\":5000.000,\"place\":2,"));
	assert_non_null(
		strstr(json, "\"state\":\"reading\",\"age_ms\":9000.000,\"wait_ms\":0.000"));
}

static void test_a_job_that_waits_again_has_both_waits(void **state)
{
	struct fixture *fixture = *state;
	struct job *job = add_job(fixture, "again", 10, JOB_QUEUED);

	job->record.queue_wait_us = 2 * S;
	job->queued_since_us = NOW_US - 3 * S;
	assert_non_null(strstr(
		write_with(fixture, admin_write_requests), "\"wait_ms\":5000.000,\"place\":1"));
}

/* A client that came a second before and was told to come back in ten. */
static void test_a_place_that_is_kept_is_told_to_those_behind_it(void **state)
{
	struct fixture *fixture = *state;
	struct job *job = add_job(fixture, "waits", 2, JOB_QUEUED);
	struct job *gone = add_job(fixture, "gone", 3, JOB_READING);
	const int64_t wall_us = INT64_C(1795521600) * S;
	time_t until_s = (time_t)(wall_us / S + 15);
	char expected[64];
	struct tm local;

	ticker_set_for_test(NOW_US, wall_us);
	gone->came_us = NOW_US - 3 * S;
	job->came_us = NOW_US - 2 * S;
	places_keep(&fixture->places, gone, 10, NOW_US);
	assert_non_null(localtime_r(&until_s, &local));
	assert_int_not_equal(strftime(expected, sizeof(expected),
				     "is kept for its client until %H:%M:%S\"", &local),
		0);
	assert_non_null(strstr(write_with(fixture, admin_write_requests), expected));
	job->came_us = NOW_US - 4 * S;
	assert_null(strstr(write_with(fixture, admin_write_requests), "is kept"));
}

static void answer(
	struct fixture *fixture, const char *method, const char *path, const char *target)
{
	struct route route = route_find(method, path);

	assert_int_equal(route.kind, ROUTE_OWN);
	request.target = (char *)target;
	admin_answer(&fixture->view, &calls, NULL, &route);
}

static void test_each_endpoint_is_answered(void **state)
{
	struct fixture *fixture = *state;

	answer(fixture, "GET", "/api/v1/health", "/api/v1/health");
	assert_int_equal(answered_status, 200);
	schema_check("health", answered_json);
	answer(fixture, "HEAD", "/api/v1/queue/stats", "/api/v1/queue/stats");
	assert_int_equal(answered_status, 200);
	schema_check("stats", answered_json);
	answer(fixture, "GET", "/api/v1/queue/requests", "/api/v1/queue/requests");
	assert_int_equal(answered_status, 200);
	schema_check("requests", answered_json);
}

static void test_only_the_query_asks_for_readiness(void **state)
{
	struct fixture *fixture = *state;

	fixture->view.upstream.is_up = false;
	answer(fixture, "GET", "/api/v1/health", "/api/v1/health?ready=1");
	assert_int_equal(answered_status, 503);
	schema_check("health", answered_json);
	answer(fixture, "GET", "/api/v1/health", "/api/v1/health?x&ready=1&y");
	assert_int_equal(answered_status, 503);
	answer(fixture, "GET", "/api/v1/health", "/api/v1/health?ready=10");
	assert_int_equal(answered_status, 200);
	answer(fixture, "GET", "/api/v1/health", "/api/v1/health?already=1");
	assert_int_equal(answered_status, 200);
	answer(fixture, "GET", "/api/v1/health", "/api/v1/health?");
	assert_int_equal(answered_status, 200);
}

static void test_other_methods_are_not_allowed(void **state)
{
	answer(*state, "POST", "/api/v1/health", "/api/v1/health");
	assert_int_equal(answered_status, 405);
	assert_string_equal(answered_allow, "GET, HEAD");
	assert_null(answered_json);
}

static void test_preflights_are_answered_by_front(void **state)
{
	is_preflight = true;
	answer(*state, "OPTIONS", "/api/v1/health", "/api/v1/health");
	assert_null(answered_allow);
	assert_null(answered_json);
}

static void test_config_shows_values_and_hides_secrets(void **state)
{
	struct fixture *fixture = *state;
	static const char file[] =
		"key_salt = \"pepper\";\n"
		"keys = ( { name = \"ci\"; hash = \"sha256:"
		"abcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcd\"; rate = 30;\n"
		"allow_paths = [\"/api\", \"read-only\"]; admin = true; },\n"
		"{ name = \"lab\"; project = \"Lab\"; allow_models = \"m\"; hash = \"sha256:"
		"0000000000000000000000000000000000000000000000000000000000000000\"; } );\n";
	struct settings *settings = settings_create();
	const char *json;
	char *error;

	for (size_t i = 0; i < keys_count; i++)
		assert_true(value_parse(&keys[i], keys[i].fallback, settings, &error));
	assert_true(file_parse("test.conf", file, strlen(file), settings, &error));
	fixture->view.settings = settings;
	json = write_with(fixture, admin_write_config);
	schema_check("config", json);
	assert_non_null(strstr(json,
		"{\"name\":\"max_queue_size\",\"value\":\"50\",\"unit\":null,\"default\":\"50\"}"));
	assert_non_null(
		strstr(json, "{\"name\":\"body_max\",\"value\":\"100m\",\"unit\":\"bytes\","));
	assert_non_null(strstr(json, "{\"name\":\"key_salt\",\"value\":\"hidden\","));
	assert_non_null(strstr(json,
		"\"keys\":[{\"name\":\"ci\",\"hash\":\"hidden\",\"project\":null,\"rate\":30,"
		"\"class\":null,\"ceiling\":null,\"weight\":null,"
		"\"allow_paths\":[\"/api\",\"read-only\"],\"allow_models\":[],\"admin\":true},"
		"{\"name\":\"lab\","));
	assert_null(strstr(json, "pepper"));
	assert_null(strstr(json, "abcd"));
	settings_return(settings);
}

static void test_config_shows_the_rules(void **state)
{
	struct fixture *fixture = *state;
	static const char file[] =
		"projects = ( { name = \"a\"; class = \"batch\"; weight = 0.5; patience = 19.5;\n"
		"keep_alive = \"60m\"; image_pixels_max = 0; }, { name = \"b\"; } );\n"
		"models = ( { name = \"m\"; default_timeout = 0; num_ctx = 8192; use_mmap = false; "
		"} );\n"
		"agents = ( { path = \"/v1\"; heartbeat = \"body\"; } );\n"
		"listeners = ( { listen = \":1\"; allow_models = \"m n\"; } );\n";
	struct settings *settings = settings_create();
	const char *json;
	char *error;

	for (size_t i = 0; i < keys_count; i++)
		assert_true(value_parse(&keys[i], keys[i].fallback, settings, &error));
	assert_true(file_parse("test.conf", file, strlen(file), settings, &error));
	fixture->view.settings = settings;
	json = write_with(fixture, admin_write_config);
	schema_check("config", json);
	json = strstr(json, "\"projects\":");
	assert_string_equal(json,
		"\"projects\":[{\"name\":\"a\",\"class\":\"batch\",\"ceiling\":null,"
		"\"weight\":0.500,\"max_concurrent\":0,\"max_queue_size\":0,"
		"\"default_timeout\":null,\"patience\":19.500,\"keep_alive\":\"60m\","
		"\"heartbeat\":null,\"image_pixels_max\":0},"
		"{\"name\":\"b\",\"class\":null,\"ceiling\":null,\"weight\":null,"
		"\"max_concurrent\":0,\"max_queue_size\":0,\"default_timeout\":null,"
		"\"patience\":null,\"keep_alive\":null,\"heartbeat\":null,"
		"\"image_pixels_max\":null}],"
		"\"models\":[{\"name\":\"m\",\"max_concurrent\":0,\"max_queue_size\":0,"
		"\"default_timeout\":0.000,\"keep_alive\":null,\"options\":\"set\","
		"\"num_ctx\":8192,\"num_batch\":null,\"num_gpu\":null,\"main_gpu\":null,"
		"\"use_mmap\":false,\"num_thread\":null}],"
		"\"agents\":[{\"user_agent\":null,\"path\":\"/v1\",\"project\":null,"
		"\"class\":null,\"patience\":null,\"heartbeat\":\"body\"}],"
		"\"listeners\":[{\"listen\":\":1\",\"project\":null,\"allow_paths\":[],"
		"\"allow_models\":[\"m\",\"n\"]}]}");
	settings_return(settings);
}

int main(void)
{
#define WITH_VIEW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_VIEW(test_health_begins_with_the_old_keys),
		WITH_VIEW(test_health_of_a_dead_ollama),
		WITH_VIEW(test_health_status_while_requests_are_accepted),
		WITH_VIEW(test_health_status_while_draining),
		WITH_VIEW(test_a_full_queue_is_not_ready),
		WITH_VIEW(test_stats_of_nothing),
		WITH_VIEW(test_stats_of_waits_latencies_and_loads),
		WITH_VIEW(test_stats_count_each_end),
		WITH_VIEW(test_stats_show_what_is_loaded),
		WITH_VIEW(test_no_requests),
		WITH_VIEW(test_turns_are_told_in_stats_and_reasons),
		WITH_VIEW(test_each_state_is_shown_and_the_waiting_have_places),
		WITH_VIEW(test_a_job_that_waits_again_has_both_waits),
		WITH_VIEW(test_a_place_that_is_kept_is_told_to_those_behind_it),
		WITH_VIEW(test_each_endpoint_is_answered),
		WITH_VIEW(test_only_the_query_asks_for_readiness),
		WITH_VIEW(test_other_methods_are_not_allowed),
		WITH_VIEW(test_preflights_are_answered_by_front),
		WITH_VIEW(test_config_shows_values_and_hides_secrets),
		WITH_VIEW(test_config_shows_the_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
