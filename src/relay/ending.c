/* Every way in which a job ends (STYLE B5.4). */
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "back/exchange.h"
#include "back/pool.h"
#include "base/graveyard.h"
#include "base/memory.h"
#include "base/ticker.h"
#include "config/settings.h"
#include "core/residency.h"
#include "core/ring.h"
#include "core/scheduler.h"
#include "front/client.h"
#include "front/reply.h"
#include "io/spool.h"
#include "relay/body.h"
#include "relay/last_words.h"
#include "relay/relay_parts.h"

enum { STATUS_CLIENT_ERROR = 400, NS_PER_US = 1000 };

void relay_destroy_carried(void *object)
{
	struct relay_job *carried = object;

	job_finish(&carried->job);
	if (carried->timer)
		event_free(carried->timer);
	spool_destroy(carried->spool);
	relay_body_destroy(carried);
	tap_destroy(carried->tap);
	settings_return(carried->settings);
	free(carried);
}

void relay_forget_body(struct relay_job *carried)
{
	carried->relay->bodies_bytes -= carried->spooled_bytes;
	carried->spooled_bytes = 0;
	spool_destroy(carried->spool);
	carried->spool = NULL;
}

static void note_tap(struct relay_job *carried)
{
	struct record *record = &carried->job.record;
	const struct tap_result *seen;

	if (!carried->tap)
		return;
	seen = tap_finish(carried->tap);
	record->total_duration = seen->total_duration;
	record->load_duration = seen->load_duration;
	record->prompt_eval_count = seen->prompt_eval_count;
	record->prompt_eval_duration = seen->prompt_eval_duration;
	record->eval_count = seen->eval_count;
	record->eval_duration = seen->eval_duration;
	if (seen->error && !record->error_message)
		record->error_message = mem_strdup(seen->error_text);
}

/* What a job is that did not wait for a load of ours. */
static enum known warmth_of(const struct relay_job *carried)
{
	const struct record *record = &carried->job.record;

	if (record->load_duration >= 0)
		return residency_judge(
			record->load_duration, record->request_bytes, carried->listed);
	/* Listed at dispatch and at the end, but not as the same runner: it waited for its load, or
	 * for that of one before it. */
	if (carried->context_at_end > 0 && carried->context_at_dispatch > 0 &&
		carried->context_at_end != carried->context_at_dispatch)
		return KNOWN_FALSE;
	return residency_judge_silent((record->first_byte_us - record->dispatched_us) * NS_PER_US,
		record->request_bytes, carried->listed);
}

/* Warm or cold is asked only of answers that used a model of Ollama's own. */
static void note_warmth(struct relay_job *carried)
{
	struct record *record = &carried->job.record;
	int64_t loaded_us;

	if (!record->first_byte_us || !carried->status || carried->status >= STATUS_CLIENT_ERROR ||
		carried->runs_elsewhere)
		return;
	/* Our own load was counted when it was over. */
	if (record->load_wait_us >= 0) {
		record->warm = KNOWN_FALSE;
		return;
	}
	record->warm = warmth_of(carried);
	if (record->warm != KNOWN_FALSE || !record->model)
		return;
	loaded_us = record->load_duration >= 0
			    ? record->dispatched_us + record->load_duration / NS_PER_US
			    : record->first_byte_us;
	record->is_load = residency_note_load(
		carried->relay->parts.residency, record->model, record->dispatched_us, loaded_us);
}

/* The last steps of both endings: place, slot, counters, observers. */
static void finish(struct relay_job *carried, enum outcome outcome)
{
	struct relay *relay = carried->relay;
	struct job *job = &carried->job;
	int64_t now_us = ticker_now_us();

	if (job->in_ring)
		ring_remove(relay->parts.ring, job);
	if (job->state == JOB_STREAMING)
		scheduler_slot_freed(
			relay->parts.scheduler, job, now_us - job->record.dispatched_us);
	if (job_holds_slot(job))
		scheduler_released(
			relay->parts.scheduler, job, now_us - job->record.dispatched_us, now_us);
	job_load_ended(job, now_us);
	if (job->state == JOB_QUEUED)
		job->record.queue_wait_us += now_us - job->queued_since_us;
	relay_forget_body(carried);
	if (carried->timer)
		evtimer_del(carried->timer);
	note_tap(carried);
	note_warmth(carried);
	relay_body_judge(carried);
	job->record.outcome = outcome;
	job->record.ended_us = now_us;
	job->reply = REPLY_ENDED;
	relay_set_state(carried, JOB_DONE);
	list_remove(&job->link);
	relay->parts.observers.on_ended(relay->parts.observers.arg, &job->record);
	graveyard_add(relay->parts.graveyard, carried, relay_destroy_carried);
}

static void answer_error(
	struct relay_job *carried, enum outcome outcome, int status, const char *text)
{
	struct record *record = &carried->job.record;
	struct admission admission = relay_admission(carried->relay, carried->settings);
	/* Cut before a byte of an answer came: the client is told to come again. */
	enum outcome shown = outcome == OUTCOME_SHUTTING_DOWN_CUT ? OUTCOME_SHUTTING_DOWN : outcome;
	struct reply_error error = {
		.outcome = shown,
		.status = status,
		.family = record->family,
		.text = text,
		.request_id = record->request_id,
		.retry_after = carried->retry_after,
	};

	if (!error.retry_after)
		error.retry_after = admission_retry_after(
			&admission, scheduler_service_us(carried->relay->parts.scheduler));
	record->response_bytes = reply_error(carried->client, &error);
	record->http_status = status ? status : outcome_status(shown);
}

void relay_fail(struct relay_job *carried, enum outcome outcome, const char *text)
{
	relay_fail_status(carried, outcome, 0, text);
}

void relay_fail_status(
	struct relay_job *carried, enum outcome outcome, int status, const char *text)
{
	struct client *client = carried->client;
	char *words = text ? mem_strdup(text)
			   : last_words_text(outcome, pool_host(carried->relay->parts.pool));

	if (carried->exchange) {
		exchange_cancel(carried->exchange);
		carried->exchange = NULL;
		if (carried->job.state == JOB_AWAITING)
			scheduler_left(
				carried->relay->parts.scheduler, &carried->job, ticker_now_us());
	}
	carried->job.record.error_message = words;
	if (client) {
		switch (carried->job.reply) {
		case REPLY_NONE:
		case REPLY_INTERIM:
			answer_error(carried, outcome, status, words);
			client_release(client);
			break;
		case REPLY_COMMITTED:
			relay_cut_committed(carried, words);
			client_release(client);
			break;
		case REPLY_HEAD:
			last_words_cut(client, carried->tap, carried->format,
				carried->job.record.family, words);
			client_release(client);
			break;
		case REPLY_ENDED:
			client_abort(client);
			break;
		}
		carried->client = NULL;
	}
	finish(carried, outcome);
}

void relay_complete(struct relay_job *carried)
{
	finish(carried, outcome_of_status(carried->status));
}
