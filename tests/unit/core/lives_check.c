#include "core/residency.h"
#include "core/ring.h"
#include "core/scheduler.h"
#include "core/share.h"
#include "lives_parts.h"

enum {
	RETRY_AFTER_LEAST_S = 1,
	RETRY_AFTER_MOST_S = 60,
	US_PER_MS = 1000,
	SENDINGS_BROKEN_MOST = 2,
	SNAPSHOT_FRESH_US = 10 * 1000 * 1000,
};

static const char *const spellings[MODELS] = {
	"Tiny:LATEST", "qwen2.5VL:7b", "hf.co/team/model:q4", "registry.ollama.ai/library/slow:1B"};

void world_demand(struct world *world, bool holds, const char *promise)
{
	if (!holds && !world->broken)
		world->broken = promise;
}

static bool is_place_state(enum job_state state)
{
	return state == JOB_QUEUED || state == JOB_CONNECTING || state == JOB_AWAITING;
}

static bool is_slot_state(enum job_state state)
{
	return state == JOB_CONNECTING || state == JOB_AWAITING || state == JOB_STREAMING;
}

static bool is_wait_in_time(const struct world *world, const struct job *job)
{
	int64_t timeout_us = world->settings.default_timeout_ms * US_PER_MS;

	int64_t loads_us = job->record.load_wait_us > 0 ? job->record.load_wait_us : 0;

	return timeout_us <= 0 || job->record.queue_wait_us - loads_us < timeout_us;
}

static void check_living(struct world *world, const struct carried *carried, enum job_state state)
{
	const struct job *job = &carried->job;
	int64_t limit_us = carried_limit_us(world, carried);
	enum reply_state reply = state == JOB_STREAMING	 ? REPLY_HEAD
				 : state == JOB_FLUSHING ? REPLY_ENDED
							 : REPLY_NONE;

	world_demand(
		world, job->state == state, "I1: the state is not what job_set_state() made it");
	world_demand(
		world, job->in_ring == is_place_state(state), "I2: in the ring or not, by state");
	world_demand(world, job_belongs_in_ring(job) == is_place_state(state),
		"I2: belongs in the ring or not, by state");
	world_demand(world, job_holds_slot(job) == is_slot_state(state),
		"I3: holds a slot or not, by state");
	if (limit_us) {
		world_demand(world, carried->timer_due_us && carried->timer_due_us <= limit_us,
			"I4: no timer at the nearest bound");
		world_demand(world, world->now_us < limit_us, "I4: outlived its bound");
	}
	world_demand(world, carried->answers == (state == JOB_STREAMING || state == JOB_FLUSHING),
		"I5: answered before its time or twice");
	world_demand(world, job->reply == reply, "I5: the reply is not as far as the state says");
	world_demand(world, job->record.outcome == OUTCOME_NONE && carried->observed == 0,
		"I6: ended before its end");
	world_demand(world, job->broken < SENDINGS_BROKEN_MOST,
		"sent again: more than once after an end before the head");
	world_demand(world, job->record.attempts <= job->refused + job->broken + 1,
		"sent again: without a reason");
	world_demand(world, state == JOB_READING || is_wait_in_time(world, job),
		"wait: more than default_timeout");
}

static void check_ended(struct world *world, const struct carried *carried)
{
	const struct job *job = &carried->job;

	world_demand(world, job->state == JOB_DONE, "I1: ended, but the state is not DONE");
	world_demand(world, !job->in_ring, "I2: ended, but in the ring");
	world_demand(world, carried->answers <= 1, "I5: answered twice");
	world_demand(world, job->record.outcome != OUTCOME_NONE, "I6: ended without an outcome");
	world_demand(world, carried->observed == 1, "I6: observers did not run once");
	world_demand(world, carried->kept_bytes == 0, "bodies: kept after the end");
}

static void check_lives(struct world *world)
{
	uint64_t kept_bytes = 0;

	for (int state = 0; state < JOB_DONE; state++) {
		for (size_t i = 0; i < world->in_state_count[state]; i++) {
			const struct carried *carried = world->in_state[state][i];

			check_living(world, carried, (enum job_state)state);
			kept_bytes += carried->kept_bytes;
		}
	}
	for (size_t i = 0; i < world->in_state_count[JOB_DONE]; i++)
		check_ended(world, world->in_state[JOB_DONE][i]);
	world_demand(
		world, kept_bytes == world->admission.bodies_bytes, "bodies: the sum is wrong");
	world_demand(world,
		world->settings.body_total == 0 ||
			kept_bytes <= (uint64_t)world->settings.body_total,
		"bodies: more than body_total");
}

/* Order, membership, and "never idle with work waiting when the gates are open". */
static void check_ring(struct world *world)
{
	const size_t *count = world->in_state_count;
	bool must_be_busy = !world_has_turns(world) && !world->paused && world->upstream_usable &&
			    world->tally.in_progress + world_left(world, NULL) <
				    (uint64_t)scheduler_slots(world->scheduler, &world->settings);
	uint64_t place_before = 0;

	world_demand(world,
		ring_count(world->ring) ==
			count[JOB_QUEUED] + count[JOB_CONNECTING] + count[JOB_AWAITING],
		"I2: the ring holds others than those that wait or have no head yet");
	for (size_t i = 0; i < ring_count(world->ring); i++) {
		const struct job *job = ring_at(world->ring, i);
		const struct carried *carried = CONTAINER_OF(job, struct carried, job);

		world_demand(world, i == 0 || carried->place > place_before,
			"order: the ring is not in order of arrival");
		place_before = carried->place;
		world_demand(world,
			!must_be_busy || carried->expected != JOB_QUEUED ||
				world_is_capped(world, carried),
			"idle: a slot is empty while work waits");
	}
}

static void check_tally(struct world *world)
{
	const struct tally *tally = &world->tally;
	const size_t *count = world->in_state_count;
	uint64_t passes_running = world->passes_received - world->passes_ended;

	world_demand(world, tally->reading == count[JOB_READING], "I7: reading");
	world_demand(world, tally->queued == count[JOB_QUEUED], "I7: queued");
	world_demand(world,
		tally->in_progress ==
			count[JOB_CONNECTING] + count[JOB_AWAITING] + count[JOB_STREAMING],
		"I3: in_progress is not the number of slots held");
	world_demand(world, tally->flushing == count[JOB_FLUSHING], "I7: flushing");
	world_demand(world, tally->received == world->received, "I7: received");
	for (int i = 0; i < COUNTER_COUNT; i++)
		world_demand(world, tally->ended[i] == world->ended[i], "I7: a counter of ends");
	world_demand(world, tally_adds_up(tally), "I7: the counters of jobs do not add up");
	world_demand(world, pass_tally_adds_up(&world->passes),
		"I7: the counters of passes do not add up");
	world_demand(world, world->passes.in_progress == passes_running, "I7: running passes");
	world_demand(world, tally->in_progress <= (uint64_t)lane_total(&world->settings),
		"slots: more than the limit are held");
	world_demand(world,
		world->settings.max_reading == 0 ||
			tally->reading <= (uint64_t)world->settings.max_reading,
		"reading: more than max_reading");
}

/* One model a step: the others have their turn in the next ones. */
static void check_residency(struct world *world)
{
	unsigned model = (unsigned)(world->step % MODELS);
	enum known expected = world->loaded[model] ? KNOWN_TRUE : KNOWN_FALSE;

	if (!world->snapshot_us || world->now_us - world->snapshot_us > SNAPSHOT_FRESH_US)
		expected = KNOWN_NOT;
	world_demand(world,
		residency_has(world->residency, spellings[model], world->now_us) == expected,
		"residency: not what snapshots and traffic told");
}

static void check_service(struct world *world)
{
	int64_t service_us = scheduler_service_us(world->scheduler);

	if (world->held_least_us == INT64_MAX)
		world_demand(world, service_us == 0, "service: known before any slot was freed");
	else
		world_demand(world,
			service_us >= world->held_least_us - 1 && service_us <= world->held_most_us,
			"service: the mean is outside of what was measured");
}

/* Each load has a project that caused it. */
static void check_loads(struct world *world)
{
	const struct list *node;
	uint64_t loads = 0;

	LIST_EACH(&scheduler_shares(world->scheduler)->all, node)
	loads += CONTAINER_OF(node, struct share, link)->loads;
	world_demand(
		world, loads == world->loads_done, "loads: not the sum of what projects caused");
}

void check_all(struct world *world)
{
	check_loads(world);
	check_lives(world);
	check_tally(world);
	check_ring(world);
	if (world_has_turns(world))
		check_turns(world);
	else if (!world_has_box(world))
		check_residency(world);
	check_service(world);
}

void check_order(struct world *world, const struct carried *carried, const struct carried *other)
{
	bool is_first = other->first_us < carried->first_us ||
			(other->first_us == carried->first_us && other->place < carried->place);

	if (!is_first || job_is_over(&other->job, world->now_us) || world_is_capped(world, other))
		return;
	world_demand(world, other->place < carried->place,
		"8: a kept place is overtaken by a later first arrival");
	world_demand(world, false,
		world_has_turns(world) ? "5: an older one of its key, project and class waits"
				       : "order: an older one waits");
}

/* Before a job goes out. One project, one key: FIFO, a retry from its old place. */
void check_dispatch(struct world *world, const struct carried *carried)
{
	world_demand(world, !world->paused, "gate: dispatched while paused");
	world_demand(world, world->upstream_usable, "gate: dispatched while Ollama is down");
	world_demand(
		world, carried->job.state == JOB_QUEUED, "order: dispatched what does not wait");
	world_demand(world, !carried->job.deadline_us || world->now_us < carried->job.deadline_us,
		"deadline: dispatched past it");
	world_demand(world,
		!carried->job.patience_due_us || world->now_us < carried->job.patience_due_us,
		"deadline: dispatched too late for its client");
	world_demand(world, world->tally.in_progress < (uint64_t)lane_total(&world->settings),
		"slots: dispatched without one");
	world_demand(world,
		world_has_turns(world) ||
			world->tally.in_progress <
				(uint64_t)scheduler_slots(world->scheduler, &world->settings),
		"slots: more are sent than Ollama serves");
	check_rules_dispatch(world, carried);
	if (world_has_turns(world)) {
		check_turn_dispatch(world, carried);
		return;
	}
	for (size_t i = 0; i < world->in_state_count[JOB_QUEUED]; i++)
		check_order(world, carried, world->in_state[JOB_QUEUED][i]);
}

void check_retry_after(struct world *world, int seconds)
{
	world_demand(world, seconds >= RETRY_AFTER_LEAST_S && seconds <= RETRY_AFTER_MOST_S,
		"Retry-After: not 1 to 60");
	if (seconds == RETRY_AFTER_LEAST_S)
		world->seen->retry_after_least++;
	if (seconds == RETRY_AFTER_MOST_S)
		world->seen->retry_after_most++;
}

void check_nothing_is_left(struct world *world)
{
	const struct tally *tally = &world->tally;

	world_demand(world, ring_count(world->ring) == 0, "I2: the ring is not empty in the end");
	world_demand(world,
		tally->reading + tally->queued + tally->in_progress + tally->flushing == 0,
		"I7: somebody lives in the end");
	world_demand(world, tally_adds_up(tally), "I7: the counters do not add up in the end");
	world_demand(world, world->admission.bodies_bytes == 0, "bodies: kept in the end");
}
