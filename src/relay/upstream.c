/* Ollama's side of a job: dispatch, the answer, sending again, time limits. */
#include <assert.h>
#include <stdlib.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "back/exchange.h"
#include "back/pool.h"
#include "back/probe.h"
#include "base/memory.h"
#include "base/pieces.h"
#include "base/ticker.h"
#include "config/settings.h"
#include "core/residency.h"
#include "core/ring.h"
#include "core/scheduler.h"
#include "front/client.h"
#include "front/reply.h"
#include "http/head.h"
#include "io/spool.h"
#include "relay/body.h"
#include "relay/forward.h"
#include "relay/relay_parts.h"

enum {
	US_PER_MS = 1000,
	/* A request that ended before its response head may be what kills Ollama: sent twice, not
	   more (PRODUCT 3.11). */
	BROKEN_MOST = 2,
	STATUS_CLIENT_ERROR = 400,
};

static bool fill_body(void *arg, struct evbuffer *out)
{
	struct relay_job *carried = arg;

	return spool_send(carried->spool, out);
}

/* Back to its old place (it never left the ring). Its bound goes on with what was left of it: it
 * bounds the wait, not the run. */
static void requeue(struct relay_job *carried)
{
	struct job *job = &carried->job;
	int64_t now_us = ticker_now_us();

	scheduler_released(
		carried->relay->parts.scheduler, job, now_us - job->record.dispatched_us, now_us);
	job_queue_again(job, now_us, job->policy.timeout_ms * US_PER_MS);
	if (scheduler_is_loading(carried->relay->parts.scheduler, job))
		job_load_begun(job, now_us);
	relay_set_state(carried, JOB_QUEUED);
	relay_arm(carried);
}

/* No connection came about. Our own want of means ends the job: Ollama may be well, and trying at
 * once would spin. */
static void refused(struct relay_job *carried)
{
	carried->exchange = NULL;
	if (pool_failed_locally(carried->relay->parts.pool)) {
		relay_fail(carried, OUTCOME_QUEUE_FULL, outcome_no_means);
		return;
	}
	carried->job.refused++;
	probe_note_refused(carried->relay->parts.probe);
	requeue(carried);
}

static void broken_before_head(struct relay_job *carried)
{
	carried->job.broken++;
	probe_note_broken(carried->relay->parts.probe);
	if (carried->job.broken < BROKEN_MOST) {
		requeue(carried);
		return;
	}
	relay_fail(carried, OUTCOME_UPSTREAM_RESET, NULL);
}

static void on_connected(void *arg)
{
	struct relay_job *carried = arg;

	relay_set_state(carried, JOB_AWAITING);
	relay_arm(carried);
}

static void on_interim(void *arg, int status, const struct fields *fields)
{
	struct relay_job *carried = arg;

	/* A heartbeat may have committed the answer. */
	if (carried->job.reply == REPLY_NONE || carried->job.reply == REPLY_INTERIM)
		forward_interim(carried->client, status, fields);
}

static void begin_tap(struct relay_job *carried, const struct exchange_head *head)
{
	const struct field *type = fields_find(head->fields, "Content-Type");

	carried->format = tap_format_of(type ? type->value : NULL, type ? type->value_length : 0);
	carried->tap = tap_create(carried->format);
	if (carried->format == TAP_NDJSON || carried->format == TAP_SSE)
		carried->job.record.stream = KNOWN_TRUE;
}

static void on_head(void *arg, const struct exchange_head *head)
{
	struct relay_job *carried = arg;
	struct record *record = &carried->job.record;
	struct forward forward = {0};

	assert(carried->job.state == JOB_AWAITING);
	probe_note_answered(carried->relay->parts.probe);
	ring_remove(carried->relay->parts.ring, &carried->job);
	relay_forget_body(carried);
	relay_set_state(carried, JOB_STREAMING);
	carried->status = head->status;
	relay_note_life(carried);
	if (head->status < STATUS_CLIENT_ERROR && record->model &&
		!scheduler_runs_elsewhere(&carried->job))
		residency_note_used(carried->relay->parts.residency, record->model);
	begin_tap(carried, head);
	if (carried->job.reply == REPLY_COMMITTED) {
		relay_join_answer(carried);
		if (carried->job.state == JOB_STREAMING)
			relay_arm(carried);
		return;
	}
	forward_response(&forward, head->fields, record, carried->listed);
	reply_head(carried->client, head->status, head->reason, &forward.fields, head->framing, -1);
	forward_finish(&forward);
	carried->job.reply = REPLY_HEAD;
	record->http_status = head->status;
	record->response_bytes = 0;
	relay_arm(carried);
}

static void feed_tap(void *object, const void *bytes, size_t length)
{
	tap_feed(object, bytes, length);
}

static void on_data(void *arg, struct evbuffer *data)
{
	struct relay_job *carried = arg;
	struct record *record = &carried->job.record;

	if (!record->first_byte_us)
		record->first_byte_us = ticker_now_us();
	pieces_feed(data, feed_tap, carried->tap);
	if (relay_answered_error(carried))
		return;
	record->response_bytes += (int64_t)evbuffer_get_length(data);
	reply_data(carried->client, data);
	if (!carried->upstream_paused && !client_has_room(carried->client)) {
		carried->upstream_paused = true;
		exchange_pause(carried->exchange);
	}
}

void relay_client_has_room(struct relay_job *carried)
{
	if (!carried->upstream_paused)
		return;
	carried->upstream_paused = false;
	carried->resumed_us = ticker_now_us();
	if (carried->exchange)
		exchange_resume(carried->exchange);
	relay_arm(carried);
}

/* What the answer says of how Ollama served it. */
static void tell_answer(const struct relay_job *carried, int64_t now_us)
{
	const struct job *job = &carried->job;
	const struct tap_result *seen = tap_finish(carried->tap);
	struct record told = {.total_duration = seen->total_duration,
		.load_duration = seen->load_duration,
		.prompt_eval_duration = seen->prompt_eval_duration,
		.eval_duration = seen->eval_duration};
	/* After a load of ours it found the model loaded, whatever its waiters are told. */
	enum known listed = job->record.load_wait_us >= 0 ? KNOWN_TRUE : carried->listed;
	struct lane_answer answer = {
		.now_us = now_us,
		.was_loaded = seen->done && !seen->error && carried->status < STATUS_CLIENT_ERROR &&
			      residency_judge(seen->load_duration, job->record.request_bytes,
				      listed) != KNOWN_FALSE,
		.wait_ns = record_upstream_wait(&told),
		.prompt_tokens = seen->prompt_eval_count,
		.prompt_ns = seen->prompt_eval_duration,
		.tokens = seen->eval_count,
	};

	if (carried->format == TAP_SSE || carried->format == TAP_NDJSON)
		answer.first_byte_us = job->record.first_byte_us;
	/* Without usage an event is about a token. */
	if (carried->format == TAP_SSE && answer.tokens < 0)
		answer.tokens = seen->lines;
	scheduler_answered(carried->relay->parts.scheduler, job, &answer);
}

/* Its keep_alive of 0 unloads the model now, unless others use it. */
static void note_unload(struct relay_job *carried)
{
	const struct relay_parts *parts = &carried->relay->parts;

	if (carried->job.record.model)
		residency_note_unloaded(parts->residency, carried->job.record.model);
	probe_refresh_soon(parts->probe);
}

static void on_end(void *arg, enum exchange_end end)
{
	struct relay_job *carried = arg;
	struct scheduler *scheduler = carried->relay->parts.scheduler;
	int64_t now_us = ticker_now_us();
	int64_t held_us = now_us - carried->job.record.dispatched_us;

	carried->exchange = NULL;
	relay_body_note_context(carried);
	switch (end) {
	case EXCHANGE_COMPLETE:
		relay_note_life(carried);
		if (relay_answered_error(carried)) {
			relay_tell_error(carried);
			break;
		}
		tell_answer(carried, now_us);
		scheduler_slot_freed(scheduler, &carried->job, held_us);
		scheduler_released(scheduler, &carried->job, held_us, now_us);
		if (carried->job.unloads)
			note_unload(carried);
		reply_end(carried->client);
		carried->job.reply = REPLY_ENDED;
		relay_set_state(carried, JOB_FLUSHING);
		break;
	case EXCHANGE_REFUSED:
		refused(carried);
		break;
	case EXCHANGE_RESET:
		broken_before_head(carried);
		break;
	case EXCHANGE_MALFORMED:
		probe_note_broken(carried->relay->parts.probe);
		relay_fail(carried, OUTCOME_UPSTREAM_MALFORMED, NULL);
		break;
	case EXCHANGE_TRUNCATED:
		probe_note_broken(carried->relay->parts.probe);
		relay_fail(carried, OUTCOME_UPSTREAM_TRUNCATED, NULL);
		break;
	}
}

static const struct exchange_events events = {
	.on_connected = on_connected,
	.on_interim = on_interim,
	.on_head = on_head,
	.on_data = on_data,
	.on_end = on_end,
};

void relay_dispatch(struct relay *relay, struct job *job)
{
	struct relay_job *carried = relay_job_of(job);
	const struct request_head *head = client_head(carried->client);
	char *target = forward_target(head, &carried->route);
	struct forward forward = {0};
	struct exchange_request request = {
		.method = head->method,
		.target = target,
		.fields = &forward.fields,
		.fill_body = carried->has_body ? fill_body : NULL,
		.body_bytes = spool_bytes(carried->spool),
		.has_body = carried->has_body,
		/* What was kept open may be as dead as the connection that broke. */
		.wants_fresh = job->broken > 0,
	};
	int64_t now_us = ticker_now_us();

	job->record.queue_wait_us += now_us - job->queued_since_us;
	job->record.dispatched_us = now_us;
	job->record.attempts++;
	scheduler_sent(relay->parts.scheduler, job);
	carried->runs_elsewhere = scheduler_runs_elsewhere(job);
	carried->listed = job->record.model && !carried->runs_elsewhere
				  ? residency_has(relay->parts.residency, job->record.model, now_us)
				  : KNOWN_NOT;
	carried->context_at_dispatch =
		residency_context_length(relay->parts.residency, job->record.model);
	/* It waited for a load of ours: cold, though the model is up now (PRODUCT 4.1). */
	if (job->record.load_wait_us >= 0)
		carried->listed = KNOWN_FALSE;
	relay_set_state(carried, JOB_CONNECTING);
	forward_request(&forward, carried->client, &job->record, false);
	carried->exchange = exchange_start(relay->parts.pool, &request, &events, carried);
	if (carried->exchange)
		relay_arm(carried);
	else
		refused(carried);
	forward_finish(&forward);
	free(target);
}

int64_t relay_idle_limit(const struct relay_job *carried)
{
	int64_t since_us = carried->state_since_us;
	int64_t limit_us = carried->settings->upstream_idle_timeout_ms * US_PER_MS;

	if (carried->upstream_paused || limit_us <= 0)
		return 0;
	if (exchange_last_activity_us(carried->exchange) > since_us)
		since_us = exchange_last_activity_us(carried->exchange);
	if (carried->resumed_us > since_us)
		since_us = carried->resumed_us;
	return since_us + limit_us;
}

static bool is_over(const struct relay_job *carried, int64_t limit_ms)
{
	return limit_ms > 0 && carried->state_since_us + limit_ms * US_PER_MS <= ticker_now_us();
}

/* The words for a wait that ended at its bound, with its cause where it is known. */
static void expire(struct relay_job *carried)
{
	const struct relay_parts *parts = &carried->relay->parts;
	const struct job *job = &carried->job;
	char *text;

	if (!job->deadline_us || job->load_since_us || job->deadline_us > ticker_now_us()) {
		relay_out_of_time(carried);
		return;
	}
	if (probe_is_usable(parts->probe)) {
		relay_fail(carried, OUTCOME_QUEUE_TIMEOUT, NULL);
		return;
	}
	if (pool_problem(parts->pool))
		text = mem_printf("waited in the queue until the deadline because Ollama at %s "
				  "cannot be used: %s",
			pool_host(parts->pool), pool_problem(parts->pool));
	else
		text = mem_printf("waited in the queue until the deadline because Ollama at %s "
				  "does not answer: start it, then try again after the seconds "
				  "in Retry-After",
			pool_host(parts->pool));
	relay_fail(carried, OUTCOME_QUEUE_TIMEOUT, text);
	free(text);
}

void relay_upstream_timeout(struct relay_job *carried)
{
	const struct settings *settings = carried->settings;
	const struct job *job = &carried->job;

	switch (job->state) {
	case JOB_QUEUED:
		if (job_is_over(job, ticker_now_us())) {
			expire(carried);
			return;
		}
		break;
	case JOB_CONNECTING:
		if (is_over(carried, settings->upstream_connect_timeout_ms)) {
			exchange_cancel(carried->exchange);
			refused(carried);
			return;
		}
		break;
	case JOB_AWAITING:
		if (is_over(carried, settings->upstream_first_byte_timeout_ms)) {
			relay_end_silent(carried);
			return;
		}
		break;
	case JOB_STREAMING:
		if (relay_idle_limit(carried) && relay_idle_limit(carried) <= ticker_now_us()) {
			relay_end_silent(carried);
			return;
		}
		break;
	case JOB_READING:
	case JOB_FLUSHING:
	case JOB_DONE:
	case JOB_STATE_COUNT:
		break;
	}
	relay_arm(carried);
}
