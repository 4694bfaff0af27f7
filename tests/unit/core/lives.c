#include "lives_parts.h"

#include <stdlib.h>

#include "base/memory.h"
#include "core/residency.h"
#include "core/ring.h"
#include "core/scheduler.h"

enum {
	US_PER_MS = 1000,
	BROKEN_MOST = 2, /* PRODUCT 3.11: sent twice, not more */
};

struct world *world_create(const struct settings *settings, enum fault fault, struct seen *seen)
{
	struct world *world = mem_zalloc(sizeof(*world));
	int64_t running = settings->max_concurrent_limit > settings->max_concurrent
				  ? settings->max_concurrent_limit
				  : settings->max_concurrent;

	world->seen = seen;
	world->settings = *settings;
	world->ring = ring_create((size_t)(settings->max_queue_size + running));
	world->no_ring = ring_create(1);
	world->scheduler = scheduler_create();
	if (settings->preload)
		scheduler_prepare(world->scheduler, settings);
	world->residency = residency_create();
	world->admission.settings = &world->settings;
	world->admission.tally = &world->tally;
	world->now_us = 1;
	world->upstream_usable = true;
	world->box.capacity = settings->max_concurrent_limit % 3 ? 1 : 2;
	world->held_least_us = INT64_MAX;
	world->fault = fault;
	for (size_t i = LIVES_AT_ONCE; i > 0; i--)
		world->unused[world->unused_count++] = &world->lives[i - 1];
	return world;
}

void world_put(struct world *world, struct carried *carried, enum job_state state)
{
	carried->expected = state;
	carried->index = world->in_state_count[state]++;
	world->in_state[state][carried->index] = carried;
}

static void take_out_of_state(struct world *world, struct carried *carried)
{
	struct carried **list = world->in_state[carried->expected];
	struct carried *last = list[--world->in_state_count[carried->expected]];

	list[carried->index] = last;
	last->index = carried->index;
}

void world_bury(struct world *world, struct carried *carried)
{
	take_out_of_state(world, carried);
	job_finish(&carried->job);
	world->unused[world->unused_count++] = carried;
}

void world_destroy(struct world *world)
{
	while (ring_count(world->ring) > 0)
		ring_remove(world->ring, ring_at(world->ring, 0));
	for (int state = 0; state < JOB_STATE_COUNT; state++) {
		while (world->in_state_count[state] > 0)
			world_bury(world, world->in_state[state][0]);
	}
	ring_destroy(world->ring);
	ring_destroy(world->no_ring);
	scheduler_destroy(world->scheduler);
	residency_destroy(world->residency);
	free(world);
}

int64_t carried_limit_us(const struct world *world, const struct carried *carried)
{
	const struct settings *settings = &world->settings;
	int64_t limit_ms = 0;

	switch (carried->expected) {
	case JOB_QUEUED:
		return job_wait_end_us(&carried->job);
	case JOB_CONNECTING:
		limit_ms = settings->upstream_connect_timeout_ms;
		break;
	case JOB_AWAITING:
		limit_ms = settings->upstream_first_byte_timeout_ms;
		break;
	case JOB_STREAMING:
		limit_ms = settings->upstream_idle_timeout_ms;
		break;
	case JOB_READING:
	case JOB_FLUSHING:
	case JOB_DONE:
	case JOB_STATE_COUNT:
		break;
	}
	return limit_ms > 0 ? carried->state_since_us + limit_ms * US_PER_MS : 0;
}

/* As relay_arm(): a timer that is pending for an earlier moment looks again when it fires. */
void carried_arm(struct world *world, struct carried *carried)
{
	int64_t due_us = carried_limit_us(world, carried);

	if (world->fault == FAULT_TIMER_FORGOTTEN && carried->job.broken > 0)
		due_us = carried->timer_due_us = 0;
	if (due_us && (!carried->timer_due_us || carried->timer_due_us > due_us))
		carried->timer_due_us = due_us;
}

void carried_set_state(struct world *world, struct carried *carried, enum job_state state)
{
	world->seen->changes[carried->expected][state]++;
	job_set_state(&carried->job, state);
	take_out_of_state(world, carried);
	world_put(world, carried, state);
	carried->state_since_us = world->now_us;
}

void carried_forget_body(struct world *world, struct carried *carried)
{
	world->admission.bodies_bytes -= carried->kept_bytes;
	carried->kept_bytes = 0;
}

void carried_free_slot(struct world *world, const struct carried *carried)
{
	int64_t held_us = world->now_us - carried->job.record.dispatched_us;

	scheduler_slot_freed(world->scheduler, &carried->job, held_us);
	if (held_us < world->held_least_us)
		world->held_least_us = held_us;
	if (held_us > world->held_most_us)
		world->held_most_us = held_us;
}

void carried_release(struct world *world, struct carried *carried)
{
	if (job_holds_slot(&carried->job))
		scheduler_released(world->scheduler, &carried->job,
			world->now_us - carried->job.record.dispatched_us, world->now_us);
	world->is_patience_due = true;
}

/* The last steps of every end. */
void carried_end(struct world *world, struct carried *carried, enum outcome outcome)
{
	struct job *job = &carried->job;
	enum job_state before = carried->expected;

	if (job->in_ring && !(world->fault == FAULT_LEFT_IN_RING && before == JOB_AWAITING))
		ring_remove(world->ring, job);
	if (before == JOB_STREAMING)
		carried_free_slot(world, carried);
	carried_release(world, carried);
	job_load_ended(job, world->now_us);
	if (before == JOB_QUEUED)
		job->record.queue_wait_us += world->now_us - job->queued_since_us;
	if (!(world->fault == FAULT_BODY_KEPT && outcome == OUTCOME_CLIENT_GONE))
		carried_forget_body(world, carried);
	carried->timer_due_us = 0;
	job->record.outcome = outcome;
	job->record.ended_us = world->now_us;
	job->reply = REPLY_ENDED;
	carried_set_state(world, carried, JOB_DONE);
	carried->observed++;
	world->ended[outcome_counter(outcome)]++;
	world->seen->outcomes[outcome]++;
	if (world->fault == FAULT_OBSERVED_TWICE && outcome == OUTCOME_CANCELLED)
		carried->observed++;
	if (world->fault == FAULT_SLOT_LEAKED && outcome == OUTCOME_UPSTREAM_TIMEOUT)
		world->tally.in_progress++;
	if (world->fault == FAULT_END_NOT_COUNTED && before == JOB_FLUSHING)
		world->tally.ended[outcome_counter(outcome)]--;
}

/* Our connection was cut before anything came back. */
static void note_left(struct world *world, struct carried *carried, enum outcome outcome)
{
	if (carried->expected != JOB_AWAITING || outcome == OUTCOME_UPSTREAM_RESET ||
		outcome == OUTCOME_UPSTREAM_MALFORMED)
		return;
	scheduler_left(world->scheduler, &carried->job, world->now_us);
	world->left[world->left_count++ % LIVES_AT_ONCE] = (struct left){
		world_has_turns(world) ? carried->job.runner : NULL, world->now_us + LEFT_US};
	world->seen->left++;
}

uint64_t world_left(const struct world *world, const struct runner *runner)
{
	uint64_t count = 0;

	for (size_t i = 0; i < LIVES_AT_ONCE; i++)
		count += world->left[i].until_us > world->now_us && world->left[i].runner == runner;
	return count;
}

/* The bad end: an error answer where none was begun, else the cut. */
void carried_fail(struct world *world, struct carried *carried, enum outcome outcome)
{
	bool is_client_there = outcome != OUTCOME_CLIENT_GONE;

	if (outcome_has_retry_after(outcome))
		check_retry_after(world, admission_retry_after(&world->admission,
						 scheduler_service_us(world->scheduler)));
	if (is_client_there &&
		(carried->job.reply == REPLY_NONE || world->fault == FAULT_REPLIED_TWICE))
		carried->answers++;
	carried->job.record.error_message = mem_strdup(outcome_text(outcome));
	note_left(world, carried, outcome);
	carried_end(world, carried, outcome);
}

/* Back to its old place, with what is left of its wait. */
void carried_requeue(struct world *world, struct carried *carried)
{
	struct job *job = &carried->job;
	int64_t timeout_us = world->settings.default_timeout_ms * US_PER_MS;

	carried_release(world, carried);
	job_queue_again(job, world->now_us, timeout_us);
	if (world->fault == FAULT_WAIT_RENEWED && timeout_us > 0)
		job->deadline_us = world->now_us + timeout_us;
	if (scheduler_is_loading(world->scheduler, job))
		job_load_begun(job, world->now_us);
	carried_set_state(world, carried, JOB_QUEUED);
	carried_arm(world, carried);
}

void carried_refused(struct world *world, struct carried *carried)
{
	carried->job.refused++;
	world->upstream_usable = false;
	carried_requeue(world, carried);
}

void carried_broken(struct world *world, struct carried *carried)
{
	carried->job.broken++;
	world->upstream_usable = false;
	if (carried->job.broken < BROKEN_MOST || world->fault == FAULT_SENT_FOREVER)
		carried_requeue(world, carried);
	else
		carried_fail(world, carried, OUTCOME_UPSTREAM_RESET);
}

static void dispatch(struct world *world, struct carried *carried)
{
	struct record *record = &carried->job.record;

	check_dispatch(world, carried);
	record->queue_wait_us += world->now_us - carried->job.queued_since_us;
	record->dispatched_us = world->now_us;
	record->attempts++;
	scheduler_sent(world->scheduler, &carried->job);
	world_note_sent(world, carried);
	if (world->fault == FAULT_RUNNING_NOT_COUNTED && carried->job.groups[1]) {
		carried->job.groups[1]->waiting--;
		carried->job.groups[1] = NULL;
	}
	carried_set_state(world, carried, JOB_CONNECTING);
	if (world->refuse_at_once) {
		world->refuse_at_once = false;
		carried_refused(world, carried);
	} else {
		carried_arm(world, carried);
	}
}

static struct carried *carried_of(struct job *job)
{
	return CONTAINER_OF(job, struct carried, job);
}

/* FAULT_OVERTAKEN: one that came later than `job`, if any waits. */
static struct job *later_than(const struct world *world, struct job *job)
{
	for (size_t i = ring_count(world->ring); i > 0; i--) {
		struct job *later = ring_at(world->ring, i - 1);

		if (later->state == JOB_QUEUED)
			return later;
	}
	return job;
}

/* By a scheduler without rules. */
static struct carried *misled(const struct world *world, struct carried *carried)
{
	struct carried *other = NULL;

	if (world->fault == FAULT_CAP_IGNORED)
		other = world_capped(world);
	else if (world->fault == FAULT_CLASS_IGNORED)
		other = world_outclassed(world, carried);
	return other ? other : carried;
}

static struct scheduler_answer ask(struct world *world, const struct scheduler_view *view)
{
	struct scheduler_view blinded = world_blinded(world, view, FAULT_PRELOAD_FIRST);
	struct scheduler_answer answer = scheduler_next(world->scheduler, view);

	if (answer.verdict == SCHEDULER_NOTHING && world->fault == FAULT_PRELOAD_FIRST)
		answer = scheduler_next(world->scheduler, &blinded);
	return answer;
}

/* The turn's tail, as proxy.c does it. */
static bool schedule_once(struct world *world)
{
	struct settings patient;
	struct scheduler_view view = {
		.now_us = world->now_us,
		.paused = world->paused && world->fault != FAULT_GATE_IGNORED,
		.residency = world->residency,
		.ring = world->ring,
		.settings = &world->settings,
		.places = &world->places,
	};

	if (!world->upstream_usable)
		world_loader_breaks(world);
	if (world->fault == FAULT_OVERDUE_IGNORED) {
		patient = world->settings;
		patient.max_turn_wait_ms = 0;
		view.settings = &patient;
	}
	if (world->fault == FAULT_SENT_TO_DRAINED && world_misled(world))
		dispatch(world, world_misled(world));
	if (world->fault == FAULT_SENT_LATE)
		view.now_us = 0;
	for (;;) {
		struct scheduler_answer answer;

		view.upstream_usable = world->upstream_usable;
		view.in_progress = world->tally.in_progress;
		if (world->fault == FAULT_TOO_MANY && view.in_progress > 0)
			view.in_progress--;
		answer = ask(world, &view);
		if (answer.verdict == SCHEDULER_NOTHING || world->broken)
			break;
		if (answer.verdict != SCHEDULER_DISPATCH) {
			world_carry_out(world, &answer);
			continue;
		}
		if (world->fault == FAULT_OVERTAKEN)
			answer.job = later_than(world, answer.job);
		dispatch(world, misled(world, carried_of(answer.job)));
	}
	if (world->broken || world_test_patience(world, &view))
		return !world->broken;
	view.in_progress = world->tally.in_progress;
	world_touch(world, &view);
	return false;
}

/* Whoever is refused in it marks "changed". */
static void schedule(struct world *world)
{
	while (schedule_once(world))
		;
}

/* As relay_upstream_timeout(). */
static void on_timer(struct world *world, struct carried *carried)
{
	int64_t limit_us = carried_limit_us(world, carried);

	carried->timer_due_us = 0;
	if (limit_us && limit_us <= world->now_us && carried->expected == JOB_QUEUED &&
		limit_us == carried->job.patience_due_us)
		carried_out_of_time(world, carried);
	else if (limit_us && limit_us <= world->now_us)
		carried_fail(world, carried,
			carried->expected == JOB_QUEUED ? OUTCOME_QUEUE_TIMEOUT
							: OUTCOME_UPSTREAM_TIMEOUT);
	else
		carried_arm(world, carried);
}

static void fire_timers(struct world *world)
{
	for (int state = JOB_QUEUED; state <= JOB_FLUSHING; state++) {
		/* Backwards: the last one takes the place of one that ends. */
		for (size_t i = world->in_state_count[state]; i > 0; i--) {
			struct carried *carried = world->in_state[state][i - 1];

			if (carried->timer_due_us && carried->timer_due_us <= world->now_us)
				on_timer(world, carried);
		}
	}
}

static void end_turn(struct world *world)
{
	if (!world->broken)
		check_all(world);
	while (!world->broken && world->in_state_count[JOB_DONE] > 0)
		world_bury(world, world->in_state[JOB_DONE][0]);
}

void world_step(struct world *world, const struct event *event)
{
	/* A turn in which the timers are late, as a busy loop's are: the scheduler is asked before
	 * they have told those whose time is over. */
	bool are_timers_late = (event->how >> 24) % 8 == 0;
	size_t flushing = world->in_state_count[JOB_FLUSHING];

	world->now_us += event->after_us;
	world->refuse_at_once = (event->how >> 27) == 0;
	world_note_interactive(world);
	if (!are_timers_late)
		fire_timers(world);
	world_act(world, event);
	if (are_timers_late && !world->broken) {
		schedule(world);
		fire_timers(world);
	}
	if (world->fault == FAULT_RUNNER_IDLE && event->kind == EVENT_LOADER) {
		end_turn(world);
		world->step++;
		return;
	}
	if (world->fault != FAULT_IDLE || world->in_state_count[JOB_FLUSHING] <= flushing)
		schedule(world);
	end_turn(world);
	world->step++;
	world->seen->steps++;
}

void world_stop(struct world *world)
{
	struct carried *carried;

	world->admission.draining = true;
	world->upstream_usable = false;
	world_loader_breaks(world);
	while ((carried = world_pick(world, 0, true)) != NULL)
		carried_fail(world, carried,
			carried->job.reply == REPLY_NONE ? OUTCOME_SHUTTING_DOWN
							 : OUTCOME_SHUTTING_DOWN_CUT);
	end_turn(world);
	if (!world->broken)
		check_nothing_is_left(world);
}
