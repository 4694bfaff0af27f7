#include "control.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "conn.h"
#include "job.h"
#include "native.h"
#include "pace.h"
#include "reply.h"
#include "runner.h"
#include "sim.h"

/* /sim/bytes: how much is written at once without a chunk=, and how often a rate= is kept. */
#define STREAM_CHUNK_BYTES 16384
#define STREAM_CHUNK_MAX_BYTES (64U << 20)
#define STREAM_TICK_MS 10
/* Bytes of one connection in one turn. */
#define STREAM_TURN_BYTES (1U << 20)

static void answer(struct conn *conn, struct bytes *body)
{
	reply_json(conn, 200, TYPE_JSON, body);
}

void control_faults(struct conn *conn)
{
	yajl_val body = native_parse(conn, "Fault");
	struct fault fault = {0};

	if (body == NULL)
		return;
	const char *path = json_get_string(body, "path");
	const char *kind = json_get_string(body, "kind");
	double count = json_get_number(body, "count", 1);
	double after = json_get_number(body, "after_lines", 0);
	double ms = json_get_number(body, "ms", 0);
	double bytes = json_get_number(body, "bytes", 0);
	if (path == NULL || kind == NULL || !fault_kind_parse(kind, &fault.kind)) {
		reply_error(conn, 400, "a fault needs a path and a known kind");
	} else if (count < 1 || after < 0 || ms < 0 || bytes < 0) {
		reply_error(conn, 400, "count, after_lines, ms and bytes are not negative");
	} else {
		fault.after_lines = (unsigned)after;
		fault.ms = (int64_t)ms;
		fault.bytes = (size_t)bytes;
		faults_add(&conn->sim->faults, path, &fault, (uint64_t)count);
		reply_empty(conn, 200);
	}
	yajl_tree_free(body);
}

static void reset_models(struct model_list *list)
{
	struct model *model;

	TAILQ_FOREACH(model, list, link)
	memset(&model->stats, 0, sizeof(model->stats));
}

void control_reset(struct conn *conn)
{
	struct sim *sim = conn->sim;

	faults_clear(&sim->faults);
	journal_reset(&sim->journal);
	reset_models(&sim->catalog.models);
	sim->generated_lines = 0;
	sim->loader.refused = 0;
	loader_reset(&sim->loader);
	reply_empty(conn, 200);
}

static size_t count_jobs(const struct job_list *list, enum job_state state)
{
	const struct job *job;
	size_t count = 0;

	TAILQ_FOREACH(job, list, link)
	count += job->state == state ? 1 : 0;
	return count;
}

static void add_number(struct bytes *json, const char *name, uint64_t number)
{
	bytes_addf(json, ",\"%s\":%llu", name, (unsigned long long)number);
}

static void add_runner_state(struct bytes *json, const struct runner *runner)
{
	bool is_ready = runner != NULL && runner->state == RUNNER_READY;

	bytes_addf(json, ",\"resident\":%s,\"loading\":%s", is_ready ? "true" : "false",
		runner != NULL && runner->state == RUNNER_LOADING ? "true" : "false");
	add_number(json, "references", runner == NULL ? 0 : runner->references);
	add_number(json, "running", runner == NULL ? 0 : runner->busy_slots);
	add_number(
		json, "prefilling", runner == NULL ? 0 : count_jobs(&runner->active, JOB_PREFILL));
	add_number(json, "generating",
		runner == NULL ? 0 : count_jobs(&runner->active, JOB_GENERATING));
	add_number(json, "ghosts", runner == NULL ? 0 : count_jobs(&runner->active, JOB_GHOST));
	add_number(json, "inner_queue", runner == NULL ? 0 : runner->waiting_count);
	add_number(json, "num_ctx", runner == NULL ? 0 : (uint64_t)runner->key.num_ctx);
	bytes_addf(
		json, ",\"evicted\":%s", runner != NULL && runner->is_evicted ? "true" : "false");
}

static void add_model_state(
	struct bytes *json, const struct loader *loader, const struct model *model)
{
	const struct model_stats *stats = &model->stats;

	bytes_addf(json, "\"%s\":{\"digest\":\"%s\"", model->name, model->digest);
	add_runner_state(json, loader_find(loader, model));
	add_number(json, "requests", stats->requests);
	add_number(json, "started", stats->started);
	add_number(json, "completed", stats->completed);
	add_number(json, "loads", stats->loads);
	add_number(json, "loads_aborted", stats->loads_aborted);
	add_number(json, "unloads", stats->unloads);
	add_number(json, "aborted", stats->aborted);
	add_number(json, "aborted_in_prefill", stats->aborted_in_prefill);
	add_number(json, "aborted_in_generation", stats->aborted_in_generation);
	add_number(json, "lines", stats->lines);
	bytes_adds(json, "}");
}

static void add_pending(struct bytes *json, const struct loader *loader)
{
	const struct job *job;

	bytes_adds(json, ",\"pending\":[");
	if (loader->current != NULL)
		bytes_addf(json, "\"%s\"", loader->current->model->name);
	TAILQ_FOREACH(job, &loader->pending, link)
	bytes_addf(json, "%s\"%s\"",
		loader->current != NULL || job != TAILQ_FIRST(&loader->pending) ? "," : "",
		job->model->name);
	bytes_adds(json, "]");
}

void control_state(struct conn *conn)
{
	struct sim *sim = conn->sim;
	struct bytes *json = &sim->line;
	const struct model *model;

	bytes_clear(json);
	bytes_adds(json, "{\"models\":{");
	TAILQ_FOREACH(model, &sim->catalog.models, link)
	{
		if (model != TAILQ_FIRST(&sim->catalog.models))
			bytes_adds(json, ",");
		add_model_state(json, &sim->loader, model);
	}
	bytes_adds(json, "}");
	add_pending(json, &sim->loader);
	add_number(json, "refused", sim->loader.refused);
	add_number(json, "requests", sim->journal.requests);
	add_number(json, "clients_aborted", sim->journal.clients_aborted);
	add_number(json, "connections", sim->server.open_count);
	add_number(json, "accepted", sim->server.accepted);
	add_number(json, "generated_lines", sim->generated_lines);
	bytes_adds(json, ",\"request_ids\":");
	journal_add_ids(&sim->journal, json);
	bytes_adds(json, ",\"heads\":");
	journal_add_heads(&sim->journal, json);
	bytes_adds(json, "}\n");
	answer(conn, json);
}

void control_echo(struct conn *conn)
{
	struct bytes *json = &conn->sim->line;
	char hash[BODY_HASH_TEXT_BYTES];

	body_hash_text(&conn->body, hash);
	bytes_clear(json);
	bytes_adds(json, "{");
	journal_add_head(json, &conn->request.raw);
	bytes_addf(json, ",\"body_bytes\":%llu,\"body_sha256\":\"%s\"}\n",
		(unsigned long long)conn->body.received, hash);
	answer(conn, json);
}

/* One answer of /sim/bytes. Owns itself until the answer has ended or the client is gone. */
struct stream {
	struct conn *conn;
	struct event *timer;
	uint64_t left;
	size_t chunk_bytes;
	double rate; /* bytes a second, 0 = no limit */
	double allowance;
	char *filler;
};

static void stream_free(void *arg)
{
	struct stream *stream = arg;

	event_free(stream->timer);
	free(stream->filler);
	free(stream);
}

static void schedule(struct stream *stream)
{
	struct timeval wait = pace_timeval(stream->rate > 0 ? STREAM_TICK_MS * NS_PER_MS : 0);

	event_add(stream->timer, &wait);
}

static void on_stream_drained(void *arg)
{
	schedule(arg);
}

/* As many chunks as the turn, the rate and the client allow. */
static void on_stream(evutil_socket_t fd, short what, void *arg)
{
	struct stream *stream = arg;
	size_t written = 0;

	if (stream->rate > 0)
		stream->allowance += stream->rate * STREAM_TICK_MS / 1000;
	while (stream->left > 0 && written < STREAM_TURN_BYTES) {
		size_t length = stream->chunk_bytes;

		if (length > stream->left)
			length = (size_t)stream->left;
		if (stream->rate > 0 && stream->allowance < (double)length)
			break;
		if (conn_is_clogged(stream->conn))
			return; /* on_stream_drained goes on */
		reply_chunk(stream->conn, stream->filler, length);
		stream->allowance -= (double)length;
		stream->left -= length;
		written += length;
	}
	if (stream->left > 0) {
		schedule(stream);
		return;
	}
	reply_end(stream->conn);
	stream_free(stream);
}

/* The number behind "name=" in a query. */
static double query_number(const char *query, const char *name, double otherwise)
{
	size_t length = strlen(name);

	for (const char *at = query; at != NULL; at = strchr(at, '&')) {
		at += *at == '&' ? 1 : 0;
		if (strncmp(at, name, length) == 0 && at[length] == '=')
			return strtod(at + length + 1, NULL);
	}
	return otherwise;
}

void control_bytes(struct conn *conn)
{
	const char *query = conn->request.query;
	double size = query_number(query, "n", 0);
	double chunk = query_number(query, "chunk", STREAM_CHUNK_BYTES);
	double rate = query_number(query, "rate", 0);

	if (!(size >= 0 && size <= 1e15) || !(chunk >= 1 && chunk <= STREAM_CHUNK_MAX_BYTES)) {
		reply_error(conn, 400, "n is a size, chunk at most 64 MiB");
		return;
	}
	struct stream *stream = mem_zalloc(sizeof(*stream));
	stream->conn = conn;
	stream->left = (uint64_t)size;
	stream->chunk_bytes = (size_t)chunk;
	stream->rate = rate > 0 ? rate : 0;
	stream->filler = mem_zalloc(stream->chunk_bytes);
	memset(stream->filler, 'x', stream->chunk_bytes);
	stream->timer = event_new(conn->sim->loop, -1, 0, on_stream, stream);
	conn_set_user(conn, stream_free, on_stream_drained, stream);
	reply_begin(conn, 200, &(struct reply_fields){.content_type = "application/octet-stream"});
	schedule(stream);
}
