/* What happens to jobs: each event of a script, as front, relay and Ollama would have it. */
#include <stdlib.h>

#include "base/memory.h"
#include "core/residency.h"
#include "core/ring.h"
#include "core/scheduler.h"
#include "lives_parts.h"

enum {
	US_PER_MS = 1000,
	NS_PER_US = 1000,
	PIECE_BYTES_MOST = 40000,
	CHANCES = 100,
	STATUS_OK = 200,
	STATUS_NOT_FOUND = 404,
	STATUS_SERVER_ERROR = 500,
};

static const char *const event_kind_names[] = {
#define X(symbol, name) name,
	EVENTS(X)
#undef X
};

/* Each model under the spellings that clients use. */
static const char *const model_names[MODELS][2] = {
	{"tiny", "TINY:latest"},
	{"qwen2.5vl:7b", "registry.ollama.ai/library/qwen2.5vl:7b"},
	{"hf.co/team/model:Q4", "hf.co/Team/Model:q4"},
	{"slow:1b", "library/slow:1b"},
};

const char *event_kind_name(enum event_kind kind)
{
	return event_kind_names[kind];
}

static void arrive(struct world *world, const struct event *event)
{
	struct carried *carried;
	enum outcome refusal;

	if (world->unused_count == 0)
		return;
	carried = world->unused[--world->unused_count];
	*carried = (struct carried){
		.model = event->which % MODELS,
		.project = event->which / MODELS % PROJECTS,
	};
	carried->priority = event->how >> 8;
	carried->announced = event->how % 2 ? event->how % (3 * PIECE_BYTES_MOST) : 0;
	job_init(&carried->job, &world->tally);
	carried->job.record.arrived_us = world->now_us;
	carried_note_patience(world, carried, event->how);
	world_put(world, carried, JOB_READING);
	carried->state_since_us = world->now_us;
	world->received++;
	world->seen->lives++;
	refusal = admission_at_head(&world->admission, carried->announced);
	if (refusal != OUTCOME_NONE)
		carried_fail(world, carried, refusal);
}

static void set_identity(struct carried *carried)
{
	static const char *const projects[PROJECTS] = {"Docling_Machine", "agent", "someone"};
	struct record *record = &carried->job.record;

	record->project = mem_strdup(projects[carried->project]);
	record->model = mem_strdup(model_names[carried->model][carried->body_bytes % 2]);
}

/* Among those of its project and its model. */
static enum outcome ask_for_place(struct world *world, const struct carried *carried)
{
	const struct job *job = &carried->job;
	const struct job_group *of_project, *of_model;
	enum outcome refusal;

	scheduler_groups(world->scheduler, job, &of_project, &of_model);
	refusal = admission_at_groups(&world->admission, &job->policy, of_project, of_model);
	if (world->fault == FAULT_PLACES_IGNORED)
		refusal = OUTCOME_NONE;
	check_places(world, carried, refusal);
	return refusal;
}

/* Some name no model, some want options of their own. */
static void enter_scheduler(struct world *world, struct carried *carried)
{
	struct peek_result seen = {0};
	struct job *job = &carried->job;

	if (world_has_turns(world) && carried->body_bytes % 16 == 0) {
		free(job->record.model);
		job->record.model = NULL;
	}
	seen.has_option[PEEK_NUM_CTX] = carried->body_bytes % 8 == 1;
	seen.option[PEEK_NUM_CTX] = 8192;
	scheduler_enter(world->scheduler, &world->settings, job, &seen, world->now_us);
}

static void enter_queue(struct world *world, struct carried *carried)
{
	struct job *job = &carried->job;
	enum outcome refusal = admission_at_queue(&world->admission);
	int64_t timeout_ms = world->settings.default_timeout_ms;
	int64_t patience_us = job->policy.patience_us;

	set_identity(carried);
	job->policy = rules_policy(&world->rules, carried, &world->settings, carried->priority);
	job->policy.patience_us = patience_us;
	if (refusal == OUTCOME_NONE)
		refusal = ask_for_place(world, carried);
	job->record.body_complete_us = world->now_us;
	job->record.request_bytes = (int64_t)carried->body_bytes;
	if (refusal != OUTCOME_NONE) {
		carried_fail(world, carried, refusal);
		return;
	}
	/* PRODUCT 3.1: whoever is admitted finds a place, retries or not. */
	if (!ring_put(world->ring, job)) {
		world->broken = "places: admitted, but the ring is full";
		return;
	}
	carried->place = world->next_place++;
	enter_scheduler(world, carried);
	carried_begin_patience(world, carried);
	job->queued_since_us = world->now_us;
	job->deadline_us = timeout_ms > 0 ? world->now_us + timeout_ms * US_PER_MS : 0;
	if (scheduler_is_loading(world->scheduler, job))
		job_load_begun(job, world->now_us);
	carried_set_state(world, carried, JOB_QUEUED);
	carried_arm(world, carried);
}

static void become_pass(struct world *world, struct carried *carried)
{
	carried_forget_body(world, carried);
	job_leave_as_pass(&carried->job);
	world_bury(world, carried);
	world->received--;
	world->passes_received++;
	world->passes.in_progress++;
	world->seen->passes++;
	if (world->fault != FAULT_PASS_NOT_COUNTED)
		world->passes.received++;
}

static void read_body(struct world *world, struct carried *carried, uint32_t how)
{
	uint64_t piece = how / CHANCES % PIECE_BYTES_MOST;
	unsigned chance = how % CHANCES;
	enum outcome refusal;

	if (chance >= 98) {
		carried_fail(world, carried, OUTCOME_REQUEST_TIMEOUT);
		return;
	}
	carried->body_bytes += piece;
	carried->kept_bytes += piece;
	world->admission.bodies_bytes += piece;
	refusal = admission_at_body(&world->admission, carried->body_bytes);
	if (refusal != OUTCOME_NONE)
		carried_fail(world, carried, refusal);
	else if (chance >= 95)
		become_pass(world, carried);
	else if (chance >= 30)
		enter_queue(world, carried);
}

static void on_head(struct world *world, struct carried *carried, uint32_t how)
{
	struct record *record = &carried->job.record;
	unsigned chance = how % CHANCES;

	ring_remove(world->ring, &carried->job);
	carried_forget_body(world, carried);
	record->http_status = chance < 5    ? STATUS_NOT_FOUND
			      : chance < 10 ? STATUS_SERVER_ERROR
					    : STATUS_OK;
	if (world_has_box(world) && record->http_status == STATUS_OK) {
		world_note_used(world, carried->job.runner);
	} else if (record->http_status == STATUS_OK) {
		residency_note_used(world->residency, record->model);
		if (world->snapshot_us)
			world->loaded[carried->model] = true;
	}
	carried->answers++;
	carried->job.reply = REPLY_HEAD;
	if (world->fault == FAULT_STATE_WRITTEN)
		carried->job.state = JOB_STREAMING;
	else
		carried_set_state(world, carried, JOB_STREAMING);
	carried_arm(world, carried);
}

static void hear_upstream(struct world *world, struct carried *carried, uint32_t how)
{
	unsigned chance = how % CHANCES;
	bool is_connecting = carried->expected == JOB_CONNECTING;

	if (chance >= 98) {
		world->upstream_usable = false;
		carried_fail(world, carried, OUTCOME_UPSTREAM_MALFORMED);
	} else if (chance >= 93) {
		carried_broken(world, carried);
	} else if (chance >= 86 && is_connecting) {
		carried_refused(world, carried);
	} else if (is_connecting) {
		carried_set_state(world, carried, JOB_AWAITING);
		carried_arm(world, carried);
	} else {
		on_head(world, carried, how / CHANCES);
	}
}

/* Some tell their waits, some their sizes, some nothing; no speed of prompts, so that those that
 * leave count for a time that is known. */
static void tell_answer(struct world *world, const struct carried *carried, uint32_t how)
{
	int64_t held_us = world->now_us - carried->job.record.dispatched_us;
	struct lane_answer answer = {
		.now_us = world->now_us,
		.was_loaded = how % 16 != 0,
		.wait_ns = how % 4 ? held_us * NS_PER_US / 100 * (how / 16 % 100) : -1,
		.first_byte_us = how % 2 ? world->now_us - held_us / 2 : 0,
		.prompt_tokens = how % 3 ? 100 : -1,
		.prompt_ns = -1,
		.tokens = how % 3 ? (int64_t)(how / 16 % 500) : -1,
	};

	scheduler_answered(world->scheduler, &carried->job, &answer);
}

static void stream(struct world *world, struct carried *carried, uint32_t how)
{
	unsigned chance = how % CHANCES;

	if (chance >= 96) {
		world->upstream_usable = false;
		if (world->fault == FAULT_CHANGE_NOT_ALLOWED)
			carried_requeue(world, carried);
		else
			carried_fail(world, carried, OUTCOME_UPSTREAM_TRUNCATED);
	} else if (chance >= 40) {
		tell_answer(world, carried, how / CHANCES);
		carried_free_slot(world, carried);
		carried_release(world, carried);
		carried->job.reply = REPLY_ENDED;
		carried_set_state(world, carried, JOB_FLUSHING);
	} else {
		carried->state_since_us = world->now_us; /* the idle limit begins again */
	}
}

static void go_on(struct world *world, struct carried *carried, uint32_t how)
{
	switch (carried->expected) {
	case JOB_READING:
		read_body(world, carried, how);
		break;
	case JOB_CONNECTING:
	case JOB_AWAITING:
		hear_upstream(world, carried, how);
		break;
	case JOB_STREAMING:
		stream(world, carried, how);
		break;
	case JOB_FLUSHING:
		if (how % CHANCES >= 97)
			carried_fail(world, carried, OUTCOME_CLIENT_STALLED);
		else
			carried_end(
				world, carried, outcome_of_status(carried->job.record.http_status));
		break;
	case JOB_QUEUED:
	case JOB_DONE:
	case JOB_STATE_COUNT:
		break;
	}
}

/* The one that event->which means, of all living or of those that wait for an event; or NULL. */
struct carried *world_pick(struct world *world, uint32_t which, bool with_queued)
{
	size_t total = 0;

	for (int state = 0; state < JOB_DONE; state++) {
		if (state != JOB_QUEUED || with_queued)
			total += world->in_state_count[state];
	}
	if (total == 0)
		return NULL;
	which %= total;
	for (int state = 0; state < JOB_DONE; state++) {
		if (state == JOB_QUEUED && !with_queued)
			continue;
		if (which < world->in_state_count[state])
			return world->in_state[state][which];
		which -= world->in_state_count[state];
	}
	return NULL;
}

/* A client that leaves while it is given the rest was served (PRODUCT 2). */
static void leave(struct world *world, struct carried *carried)
{
	if (carried->expected == JOB_FLUSHING)
		carried_end(world, carried, outcome_of_status(carried->job.record.http_status));
	else
		carried_fail(world, carried, OUTCOME_CLIENT_GONE);
}

static void end_pass(struct world *world, uint32_t how)
{
	if (world->passes.in_progress == 0)
		return;
	world->passes.in_progress--;
	world->passes.ended[how % COUNTER_COUNT]++;
	world->passes_ended++;
}

static void take_snapshot(struct world *world, uint32_t how)
{
	bool is_known = how % 4 != 0;

	if (world_has_box(world)) {
		if (world->upstream_usable)
			world_tell_residency(world);
		return;
	}
	residency_begin(world->residency);
	for (unsigned i = 0; i < MODELS; i++) {
		world->loaded[i] = is_known && (how >> (2 + i)) % 2;
		if (world->loaded[i])
			residency_add(world->residency, model_names[i][how >> 8 & 1], 1, 1, 4096);
	}
	world->snapshot_us = is_known ? world->now_us : 0;
	if (is_known)
		residency_end(world->residency, world->now_us);
	else
		residency_forget(world->residency);
}

static void unload(struct world *world, unsigned model)
{
	if (world_has_box(world)) {
		world_evict(world, model, model % 2);
		return;
	}
	world->loaded[model] = false;
	if (world->fault != FAULT_UNLOAD_MISSED)
		residency_note_unloaded(world->residency, model_names[model][1]);
}

void world_act(struct world *world, const struct event *event)
{
	struct carried *carried = world_pick(world, event->which, event->kind != EVENT_GO_ON);

	switch (event->kind) {
	case EVENT_ARRIVE:
		arrive(world, event);
		break;
	case EVENT_GO_ON:
		if (carried)
			go_on(world, carried, event->how);
		break;
	case EVENT_LEAVE:
		if (carried)
			leave(world, carried);
		break;
	case EVENT_CANCEL:
		if (carried)
			carried_fail(world, carried, OUTCOME_CANCELLED);
		break;
	case EVENT_GATE:
		world->paused = event->how % 4 == 0;
		break;
	case EVENT_UPSTREAM:
		world->upstream_usable = event->how % 8 != 0;
		if (event->how % 16 == 0)
			world_empty_box(world);
		/* The probe asks /api/ps at once. */
		if (world_has_box(world) && world->upstream_usable && event->how % 8 != 1)
			world_tell_residency(world);
		break;
	case EVENT_LOADER:
		world_loader_goes_on(world, event->how);
		break;
	case EVENT_PASS:
		end_pass(world, event->how);
		break;
	case EVENT_SNAPSHOT:
		take_snapshot(world, event->how);
		break;
	case EVENT_UNLOAD:
		unload(world, event->which % MODELS);
		break;
	case EVENT_DRAIN:
		world->admission.draining = true;
		break;
	case EVENT_WAIT:
	case EVENT_KIND_COUNT:
		break;
	}
}
