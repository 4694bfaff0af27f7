#include "relay/relay.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "back/probe.h"
#include "base/delay.h"
#include "base/graveyard.h"
#include "base/memory.h"
#include "base/ticker.h"
#include "config/settings.h"
#include "core/permission.h"
#include "core/ring.h"
#include "core/scheduler.h"
#include "front/access.h"
#include "front/client.h"
#include "front/reply.h"
#include "io/spool.h"
#include "relay/body.h"
#include "relay/forward.h"
#include "relay/pass.h"
#include "relay/relay_parts.h"
#include "json/peek.h"

enum {
	US_PER_MS = 1000,
};

struct relay *relay_create(const struct relay_parts *parts, struct settings *settings)
{
	struct relay *relay = mem_zalloc(sizeof(*relay));

	relay->parts = *parts;
	relay->settings = settings_take(settings);
	list_init(&relay->jobs);
	return relay;
}

void relay_destroy(struct relay *relay)
{
	if (!relay)
		return;
	relay_stop(relay);
	graveyard_run(relay->parts.graveyard);
	liveness_finish(&relay->life);
	if (relay->patience_wake)
		event_free(relay->patience_wake);
	settings_return(relay->settings);
	free(relay);
}

void relay_set_settings(struct relay *relay, struct settings *settings)
{
	settings_return(relay->settings);
	relay->settings = settings_take(settings);
}

void relay_drain(struct relay *relay)
{
	relay->draining = true;
}

const struct list *relay_jobs(const struct relay *relay)
{
	return &relay->jobs;
}

const struct places *relay_places(const struct relay *relay)
{
	return &relay->places;
}

uint64_t relay_bodies_bytes(const struct relay *relay)
{
	return relay->bodies_bytes;
}

struct admission relay_admission(const struct relay *relay, const struct settings *settings)
{
	return (struct admission){
		.settings = settings,
		.tally = relay->parts.tally,
		.bodies_bytes = relay->bodies_bytes,
		.startable = probe_is_usable(relay->parts.probe)
				     ? scheduler_free_slots(relay->parts.scheduler, settings,
					       relay->parts.tally->in_progress)
				     : 0,
		.slots = scheduler_slots(relay->parts.scheduler, settings),
		.draining = relay->draining,
	};
}

int relay_retry_after(const struct relay *relay)
{
	struct admission admission = relay_admission(relay, relay->settings);

	return admission_retry_after(&admission, scheduler_service_us(relay->parts.scheduler));
}

void relay_stop(struct relay *relay)
{
	struct list *node;
	struct list *following;

	relay_drain(relay);
	LIST_EACH_SAFE(&relay->jobs, node, following)
	{
		struct relay_job *carried = relay_job_of(CONTAINER_OF(node, struct job, link));

		relay_fail(carried,
			job_holds_slot(&carried->job) || carried->job.state == JOB_FLUSHING
				? OUTCOME_SHUTTING_DOWN_CUT
				: OUTCOME_SHUTTING_DOWN,
			NULL);
	}
}

size_t relay_cancel(struct relay *relay, const char *id)
{
	struct list *node;
	struct list *following;
	size_t count = 0;

	LIST_EACH_SAFE(&relay->jobs, node, following)
	{
		struct relay_job *carried = relay_job_of(CONTAINER_OF(node, struct job, link));

		if (strcmp(carried->job.record.request_id, id) != 0)
			continue;
		relay_fail(carried, OUTCOME_CANCELLED, NULL);
		count++;
	}
	return count;
}

static bool waits_for(const struct job *job, const struct runner *runner)
{
	return job->state == JOB_QUEUED && job->runner == runner;
}

void relay_load_begun(struct relay *relay, const struct runner *runner)
{
	struct list *node;

	LIST_EACH(&relay->jobs, node)
	{
		struct job *job = CONTAINER_OF(node, struct job, link);
		if (waits_for(job, runner))
			job_load_begun(job, ticker_now_us());
		relay->is_patience_due = true;
	}
}

void relay_load_ended(struct relay *relay, const struct runner *runner)
{
	struct list *node;

	LIST_EACH(&relay->jobs, node)
	{
		struct job *job = CONTAINER_OF(node, struct job, link);

		if (!waits_for(job, runner))
			continue;
		job_load_ended(job, ticker_now_us());
		relay->is_patience_due = true;
		relay_arm(relay_job_of(job));
	}
}

void relay_load_failed(struct relay *relay, const struct runner *runner, enum outcome outcome,
	int status, const char *text)
{
	struct list *node;
	struct list *following;

	LIST_EACH_SAFE(&relay->jobs, node, following)
	{
		struct job *job = CONTAINER_OF(node, struct job, link);

		if (waits_for(job, runner))
			relay_fail_status(relay_job_of(job), outcome, status, text);
	}
}

void relay_set_state(struct relay_job *carried, enum job_state state)
{
	bool held_slot = job_holds_slot(&carried->job);

	job_set_state(&carried->job, state);
	carried->relay->is_patience_due |= held_slot && !job_holds_slot(&carried->job);
	carried->state_since_us = ticker_now_us();
	carried->relay->parts.on_changed(carried->relay->parts.arg);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct relay_job *carried = arg;

	carried->timer_due_us = 0;
	relay_beat(carried);
	relay_upstream_timeout(carried);
}

/* When the present state must have ended; 0: never. */
static int64_t limit_of(const struct relay_job *carried)
{
	const struct settings *settings = carried->settings;
	int64_t limit_ms = 0;

	switch (carried->job.state) {
	case JOB_QUEUED:
		return job_wait_end_us(&carried->job);
	case JOB_CONNECTING:
		limit_ms = settings->upstream_connect_timeout_ms;
		break;
	case JOB_AWAITING:
		limit_ms = settings->upstream_first_byte_timeout_ms;
		break;
	case JOB_STREAMING:
		return relay_idle_limit(carried);
	case JOB_READING: /* the client's own limits hold */
	case JOB_FLUSHING:
	case JOB_DONE:
	case JOB_STATE_COUNT:
		break;
	}
	return limit_ms > 0 ? carried->state_since_us + limit_ms * US_PER_MS : 0;
}

/* I4: one timer, for whatever is nearest. */
static int64_t next_due(const struct relay_job *carried)
{
	int64_t limit_us = limit_of(carried);
	bool is_beating = carried->beat_due_us && carried->job.state != JOB_STREAMING;

	if (is_beating && (!limit_us || carried->beat_due_us < limit_us))
		return carried->beat_due_us;
	return limit_us;
}

void relay_arm(struct relay_job *carried)
{
	int64_t due_us = next_due(carried);
	int64_t wait_us = due_us - ticker_now_us();

	/* A timer that is pending for an earlier moment looks again when it fires. */
	if (due_us == 0 || (carried->timer_due_us && carried->timer_due_us <= due_us))
		return;
	if (!carried->timer)
		carried->timer = evtimer_new(carried->relay->parts.base, on_timer, carried);
	carried->timer_due_us = due_us;
	delay_start(carried->timer, wait_us);
}

/* What the body told, into the record. */
static void note_peek(struct relay_job *carried, const struct peek_result *seen)
{
	struct record *record = &carried->job.record;
	bool streams_by_default =
		record->family == API_NATIVE &&
		(record->operation == OPERATION_CHAT || record->operation == OPERATION_GENERATE);

	record->request_bytes = (int64_t)spool_bytes(carried->spool);
	record->model = mem_strdup(seen->model);
	if (seen->has_stream ? seen->stream : streams_by_default)
		record->stream = KNOWN_TRUE;
	else
		record->stream = KNOWN_FALSE;
	if (!seen->valid)
		return;
	record->images_count = seen->images_count;
	record->images_bytes = seen->images_bytes;
	record->images_pixels = seen->images_pixels;
	record->images_width = seen->largest_width;
	record->images_height = seen->largest_height;
}

/* Empty and with keep_alive 0: it asks Ollama to unload, nothing to compute (PRODUCT 1.2). */
static bool is_mere_unload(const struct relay_job *carried, const struct peek_result *seen)
{
	const struct record *record = &carried->job.record;

	if (record->family != API_NATIVE || !seen->valid || !seen->keep_alive_is_zero)
		return false;
	if (record->operation == OPERATION_GENERATE)
		return !seen->has_prompt && seen->images_count == 0;
	return record->operation == OPERATION_CHAT && seen->messages_count == 0;
}

/* It leaves READING as a pass: the record and the body go to passes, the job vanishes uncounted. */
static void become_pass(struct relay_job *carried)
{
	struct relay *relay = carried->relay;
	struct client *client = carried->client;
	struct record record = carried->job.record;
	struct spool *spool = carried->spool;

	record_init(&carried->job.record);
	relay->bodies_bytes -= carried->spooled_bytes;
	carried->spool = NULL;
	carried->client = NULL;
	record.is_job = false;
	client_release(client);
	job_leave_as_pass(&carried->job);
	list_remove(&carried->job.link);
	passes_adopt(relay->parts.passes, client, &carried->route, &record, spool);
	graveyard_add(relay->parts.graveyard, carried, relay_destroy_carried);
}

/* true: allow_models lets it through. A body that is no JSON is refused where models are limited:
 * what Ollama would read in it is not sure. Else it was refused and must not be used afterwards. */
static bool pass_model(struct relay_job *carried, bool is_valid)
{
	const char *model = is_valid ? carried->job.record.model : NULL;
	struct permission permission = {carried->settings, carried->key, carried->listener};
	char *text;

	if (!permission_limits_models(&permission) || permission_model(&permission, model))
		return true;
	text = model ? mem_printf("the model %s is not permitted here (allow_models)", model)
		     : mem_strdup("no model could be read in the body, and models are limited here "
				  "(allow_models)");
	relay_fail(carried, OUTCOME_FORBIDDEN, text);
	free(text);
	return false;
}

/* May one more wait? Who obeyed and comes back to its place gets in (PRODUCT 3.5), as long as the
 * ring has an entry that no job that was sent needs. */
static enum outcome find_room(struct relay_job *carried)
{
	struct relay *relay = carried->relay;
	const struct job *job = &carried->job;
	struct admission admission = relay_admission(relay, carried->settings);
	const struct job_group *of_project, *of_model;

	if (places_are_kept_for(&relay->places, job, ticker_now_us()))
		return OUTCOME_NONE;
	/* Those that came in this very turn are not tested yet. */
	if (admission_at_queue(&admission) != OUTCOME_NONE)
		relay_test_patience(relay);
	if (admission_at_queue(&admission) != OUTCOME_NONE)
		return OUTCOME_QUEUE_FULL;
	scheduler_groups(relay->parts.scheduler, job, &of_project, &of_model);
	return admission_at_groups(&admission, &job->policy, of_project, of_model);
}

/* The body is complete: it takes a place in the ring, or there is none. */
static void enter_queue(struct relay_job *carried)
{
	struct relay *relay = carried->relay;
	struct job *job = &carried->job;
	const struct peek_result *seen = relay_body_finish(carried);
	enum outcome refusal;
	int64_t now_us = ticker_now_us();
	bool is_unload = is_mere_unload(carried, seen);
	bool has_json = seen->valid;

	job->record.body_complete_us = now_us;
	note_peek(carried, seen);
	policy_add_model(&job->policy, carried->settings, job->record.model);
	policy_renew_caps(&job->policy, relay->settings, job->record.project, job->record.model);
	if (!pass_model(carried, seen->valid) || !relay_body_permit_images(carried) ||
		!relay_body_edit(carried, is_unload))
		return;
	if (is_unload) {
		become_pass(carried);
		return;
	}
	job->body_hash = hash64_value(&carried->body_hash);
	refusal = find_room(carried);
	if (refusal == OUTCOME_NONE && !ring_put(relay->parts.ring, job))
		refusal = OUTCOME_QUEUE_FULL;
	if (refusal != OUTCOME_NONE) {
		relay_fail(carried, refusal, NULL);
		return;
	}
	scheduler_enter(relay->parts.scheduler, carried->settings, job, seen, now_us);
	relay_begin_patience(carried);
	relay_body_destroy(carried);
	job->queued_since_us = now_us;
	job->deadline_us =
		job->policy.timeout_ms > 0 ? now_us + job->policy.timeout_ms * US_PER_MS : 0;
	if (scheduler_is_loading(relay->parts.scheduler, job))
		job_load_begun(job, now_us);
	relay_begin_beats(carried, has_json);
	relay_set_state(carried, JOB_QUEUED);
	relay_arm(carried);
}

static void on_body(void *arg, struct evbuffer *data, bool is_complete)
{
	struct relay_job *carried = arg;
	struct relay *relay = carried->relay;
	size_t length = evbuffer_get_length(data);
	struct admission admission;
	enum outcome refusal;

	assert(carried->job.state == JOB_READING);
	relay_body_feed(carried, data);
	if (!spool_append(carried->spool, data)) {
		relay_fail(carried, OUTCOME_QUEUE_FULL,
			"no room to keep the request body: free space in spool_directory");
		return;
	}
	relay->bodies_bytes += length;
	carried->spooled_bytes += length;
	admission = relay_admission(relay, carried->settings);
	refusal = admission_at_body(&admission, spool_bytes(carried->spool));
	if (refusal != OUTCOME_NONE) {
		relay_fail(carried, refusal, NULL);
		return;
	}
	if (is_complete)
		enter_queue(carried);
}

static void on_body_failed(void *arg, enum outcome why)
{
	relay_fail(arg, why, NULL);
}

static void on_left(void *arg, enum outcome why)
{
	struct relay_job *carried = arg;

	carried->client = NULL;
	switch (carried->job.state) {
	case JOB_READING:
	case JOB_QUEUED:
	case JOB_CONNECTING:
	case JOB_AWAITING:
	case JOB_STREAMING:
		relay_fail(carried, why, NULL);
		break;
	case JOB_FLUSHING:
		/* Ollama's work is done and nothing is left to cancel; a client that just leaves is
		 * counted as served (PRODUCT 2). */
		if (why == OUTCOME_CLIENT_STALLED)
			relay_fail(carried, why, NULL);
		else
			relay_complete(carried);
		break;
	case JOB_DONE:
	case JOB_STATE_COUNT:
		assert(!"a job that is done has no client");
	}
}

static void on_room(void *arg)
{
	relay_client_has_room(arg);
}

static void on_sent(void *arg)
{
	struct relay_job *carried = arg;

	carried->client = NULL;
	relay_complete(carried);
}

static const struct client_user user = {
	.on_body = on_body,
	.on_left = on_left,
	.on_body_failed = on_body_failed,
	.on_room = on_room,
	.on_sent = on_sent,
};

/* What holds for it by what its head tells. */
static void settle_policy(struct relay_job *carried)
{
	struct job *job = &carried->job;
	struct policy_request request =
		forward_policy_request(carried->client, &carried->route, &job->record);

	policy_init(&job->policy, carried->settings);
	policy_add_request(&job->policy, carried->settings, &request);
	job->record.priority = mem_strdup(job_class_name(job->policy.job_class));
}

/* A new job in READING that has the client. */
static struct relay_job *begin(
	struct relay *relay, struct client *client, const struct route *route)
{
	struct relay_job *carried = mem_zalloc(sizeof(*carried));

	carried->relay = relay;
	carried->settings = settings_take(relay->settings);
	carried->key = client_key(client);
	carried->listener = match_listener(&carried->settings->rules, client_listen(client));
	carried->route = *route;
	carried->client = client;
	job_init(&carried->job, relay->parts.tally);
	list_append(&relay->jobs, &carried->job.link);
	forward_fill_record(&carried->job.record, client, route, carried->settings);
	settle_policy(carried);
	carried->has_body = client_head(client)->framing.kind != FRAMING_NONE;
	carried->spool = spool_create(
		(size_t)carried->settings->body_memory, carried->settings->spool_directory);
	relay_body_begin(carried);
	client_accept(client, &user, carried);
	return carried;
}

void relay_refuse(struct relay *relay, struct client *client, const struct route *route,
	const struct access_verdict *verdict)
{
	struct relay_job *carried = begin(relay, client, route);

	carried->retry_after = verdict->retry_after;
	relay_fail(carried, verdict->outcome, verdict->text);
}

void relay_request(struct relay *relay, struct client *client, const struct route *route)
{
	struct relay_job *carried = begin(relay, client, route);
	const struct request_head *head = client_head(client);
	struct admission admission;
	enum outcome refusal;

	if (forward_is_loop(&head->fields)) {
		relay_fail(carried, OUTCOME_LOOP, NULL);
		return;
	}
	admission = relay_admission(relay, carried->settings);
	refusal = admission_at_head(
		&admission, head->framing.kind == FRAMING_LENGTH ? head->framing.length : 0);
	if (refusal != OUTCOME_NONE) {
		relay_fail(carried, refusal, NULL);
		return;
	}
	client_send_continue(client);
}
