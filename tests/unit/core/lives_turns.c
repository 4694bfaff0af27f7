/*
 * Turns in the lives: Ollama as a box that holds so many runners and evicts idle ones, the
 * conductor that carries out unloads and loads, and the promises of FACTS-scheduling that can be
 * looked at from outside (their numbers are those of the messages).
 */
#include <string.h>

#include "core/residency.h"
#include "core/ring.h"
#include "core/runner.h"
#include "core/scheduler.h"
#include "lives_parts.h"

enum {
	CHANCES = 100,
	US_PER_MS = 1000,
	SLACK_US = 2,
};

#define AGES_US INT64_C(1000000000000)
#define FLOOR_LOADS 4.0
#define FLOOR_LOADS_OUTRANKED 1.0

bool world_has_turns(const struct world *world)
{
	return world->settings.scheduler == SCHEDULER_TURNS;
}

uint64_t world_in_flight(const struct world *world, const struct runner *runner)
{
	uint64_t count = 0;

	for (int state = JOB_CONNECTING; state <= JOB_STREAMING; state++) {
		for (size_t i = 0; i < world->in_state_count[state]; i++)
			count += world->in_state[state][i]->job.runner == runner;
	}
	return count;
}

static uint64_t waiting(const struct world *world, const struct runner *runner)
{
	uint64_t count = 0;

	for (size_t i = 0; i < world->in_state_count[JOB_QUEUED]; i++) {
		const struct carried *carried = world->in_state[JOB_QUEUED][i];

		count += carried->job.runner == runner && world_may_go(world, carried);
	}
	return count;
}

static struct seen_turn *turn_of(struct world *world, const struct runner *runner)
{
	world_demand(world, runner->id < KEYS_MOST, "keys: more than the models and options give");
	return &world->turns[runner->id % KEYS_MOST];
}

/* One of the four models runs elsewhere. */
static bool is_local(const struct runner *runner)
{
	return strstr(runner->model, "slow") == NULL;
}

/* The box. */

static bool box_has(const struct box *box, const struct runner *runner)
{
	for (size_t i = 0; i < box->count; i++) {
		if (box->loaded[i] == runner)
			return true;
	}
	return false;
}

static void box_remove(struct box *box, const struct runner *runner)
{
	for (size_t i = 0; i < box->count; i++) {
		if (box->loaded[i] == runner) {
			box->loaded[i] = box->loaded[--box->count];
			box->is_told = false;
			return;
		}
	}
}

/* Ollama makes room: another key of this model goes, and idle ones; false: all are busy. */
static bool box_make_room(struct world *world, const struct runner *runner)
{
	struct box *box = &world->box;

	for (size_t i = box->count; i > 0; i--) {
		if (box->loaded[i - 1] != runner &&
			strcmp(box->loaded[i - 1]->model, runner->model) == 0)
			box_remove(box, box->loaded[i - 1]);
	}
	for (size_t i = box->count; i > 0 && box->count >= box->capacity; i--) {
		if (world_in_flight(world, box->loaded[i - 1]) == 0)
			box_remove(box, box->loaded[i - 1]);
	}
	return box->count < box->capacity;
}

static void box_add(struct box *box, struct runner *runner)
{
	if (box_has(box, runner) || box->count == BOX_MOST)
		return;
	box->loaded[box->count++] = runner;
	box->is_told = false;
}

void world_empty_box(struct world *world)
{
	world->box.count = 0;
	world->box.is_told = false;
}

void world_tell_residency(struct world *world)
{
	struct box *box = &world->box;

	residency_begin(world->residency);
	for (size_t i = 0; i < box->count; i++)
		residency_add(world->residency, box->loaded[i]->model, 1, 1,
			box->loaded[i]->has_option[PEEK_NUM_CTX] ? 8192 : 4096);
	residency_end(world->residency, world->now_us);
	box->is_told = true;
}

void world_note_used(struct world *world, struct runner *runner)
{
	if (!runner || !is_local(runner))
		return;
	if (!box_has(&world->box, runner)) {
		/* It was sent before it was known what is loaded; Ollama holds no more than it can.
		 */
		if (!box_make_room(world, runner))
			return;
		box_add(&world->box, runner);
	}
	residency_note_used(world->residency, runner->model);
}

void world_evict(struct world *world, uint32_t which, bool is_told)
{
	struct box *box = &world->box;
	struct runner *runner;

	if (box->count == 0)
		return;
	runner = box->loaded[which % box->count];
	if (world_in_flight(world, runner) > 0 || runner == world->box.unloaded)
		return;
	box_remove(box, runner);
	if (is_told)
		residency_note_unloaded(world->residency, runner->model);
}

/* What core says of who is loaded, compared with what is seen. */
static void follow_turns(struct world *world)
{
	struct list *node;

	LIST_EACH(&scheduler_runners(world->scheduler)->all, node)
	{
		const struct runner *runner = CONTAINER_OF(node, struct runner, link);
		struct seen_turn *turn = turn_of(world, runner);

		world_demand(world, runner->jobs.running == world_in_flight(world, runner),
			"keys: running is not what is in flight");
		/* It came, it went, or both at once: Ollama was restarted. */
		if (turn->is_resident == runner->is_resident &&
			(runner->began_us == turn->told_us || runner->began_us < 0))
			continue;
		*turn = (struct seen_turn){runner->is_resident, world->now_us, runner->began_us,
			runner->is_resident ? runner->served : 0};
	}
}

/* The conductor. */

static uint64_t interactive_keys(const struct world *world)
{
	uint64_t keys = 0;

	for (size_t i = 0; i < world->in_state_count[JOB_QUEUED]; i++) {
		const struct job *job = &world->in_state[JOB_QUEUED][i]->job;

		if (job->runner && job->policy.job_class == CLASS_INTERACTIVE)
			keys |= UINT64_C(1) << job->runner->id % KEYS_MOST;
	}
	return keys;
}

void world_note_interactive(struct world *world)
{
	world->interactive_keys = interactive_keys(world);
}

/* Which turns were cut since, and was one of another key's jobs an interactive one? */
static void note_cuts(struct world *world)
{
	uint64_t keys = world->interactive_keys | interactive_keys(world);
	struct list *node;

	LIST_EACH(&scheduler_runners(world->scheduler)->all, node)
	{
		const struct runner *runner = CONTAINER_OF(node, struct runner, link);
		struct seen_turn *turn = turn_of(world, runner);

		if (runner->is_cut && !turn->is_cut)
			turn->is_outranked = (keys & ~(UINT64_C(1) << runner->id % KEYS_MOST)) != 0;
		turn->is_cut = runner->is_cut;
	}
}

/* A turn that ends with work left. */
static void check_cut(struct world *world, const struct runner *victim, const struct runner *target)
{
	const struct seen_turn *turn = turn_of(world, victim);
	double load_us = runner_load_us(scheduler_runners(world->scheduler), target);
	double turn_us;

	/* Which key of a model others loaded can only be guessed. */
	if (waiting(world, victim) == 0 || !victim->is_resident)
		return;
	follow_turns(world);
	note_cuts(world);
	turn_us = (double)(world->now_us - turn->began_us) + SLACK_US;
	world->seen->cuts++;
	world->seen->outranked += turn->is_outranked && turn_us < FLOOR_LOADS * load_us;
	/* The limit may have grown since the cut. */
	world_demand(world,
		turn->served >= (uint64_t)lane_report(victim->lane, &world->settings).least,
		"3: a turn with work left is cut before a batch was served");
	world_demand(world,
		turn_us >= (turn->is_outranked ? FLOOR_LOADS_OUTRANKED : FLOOR_LOADS) * load_us,
		"4: a turn is cut before its floor");
}

/* The floor depends on who comes next: the one with the shortest load is the least strict. */
static void check_unload(struct world *world, const struct runner *victim)
{
	const struct runner *target = NULL;
	const struct runners *runners = scheduler_runners(world->scheduler);
	const struct list *node;

	LIST_EACH(&runners->all, node)
	{
		const struct runner *runner = CONTAINER_OF(node, struct runner, link);

		if (runner != victim && waiting(world, runner) > 0 &&
			(!target ||
				runner_load_us(runners, runner) < runner_load_us(runners, target)))
			target = runner;
	}
	world_demand(world, target != NULL, "6: an unload for nobody");
	if (target)
		check_cut(world, victim, target);
}

/* Somebody waits for another one than this. */
static bool is_turn_wanted(const struct world *world, const struct runner *runner)
{
	const struct list *node;

	LIST_EACH(&scheduler_runners(world->scheduler)->all, node)
	{
		const struct runner *other = CONTAINER_OF(node, const struct runner, link);

		if (other != runner && waiting(world, other) > 0)
			return true;
	}
	return world->settings.preload == NULL;
}

static void begin_unload(struct world *world, struct runner *runner)
{
	world_demand(world, !world->box.unloaded && !world->box.loading,
		"2: an unload while one or a load is under way");
	world_demand(
		world, world_in_flight(world, runner) == 0, "1: unloaded with requests in flight");
	world->box.unloaded = runner;
	world->seen->unloads++;
	if (world_has_turns(world) && is_turn_wanted(world, runner))
		check_unload(world, runner);
	else
		check_preload(world, runner, false);
	if (world->fault == FAULT_UNLOAD_FORGOTTEN)
		scheduler_unloaded(world->scheduler, world->now_us);
}

static void begin_load(struct world *world, struct runner *runner)
{
	struct box *box = &world->box;

	world_demand(world, !box->unloaded && !box->loading, "2: two loads at a time");
	box->loading = runner;
	box->load_since_us = world->now_us;
	box->evicts = box->is_told && box->count + 1 > box->capacity && !box_has(box, runner);
	if (waiting(world, runner) == 0 || !world_has_turns(world))
		check_preload(world, runner, true);
	world->seen->loads++;
	world->seen->trials += box->evicts;
	for (size_t i = 0; i < box->count && box->evicts; i++) {
		world_demand(world, world_in_flight(world, box->loaded[i]) == 0,
			"1: a load while one that may be evicted has requests in flight");
		check_cut(world, box->loaded[i], runner);
	}
	world->is_patience_due = true;
	if (!world_has_turns(world))
		return;
	for (size_t i = 0; i < world->in_state_count[JOB_QUEUED]; i++) {
		struct job *job = &world->in_state[JOB_QUEUED][i]->job;

		if (job->runner == runner)
			job_load_begun(job, world->now_us);
	}
}

void world_carry_out(struct world *world, const struct scheduler_answer *answer)
{
	switch (answer->verdict) {
	case SCHEDULER_NOTHING:
	case SCHEDULER_DISPATCH:
		break;
	case SCHEDULER_LOOK:
		world_demand(world, !world->box.looked, "2: two looks at a time");
		world->box.looked = answer->runner;
		break;
	case SCHEDULER_UNLOAD:
		begin_unload(world, answer->runner);
		break;
	case SCHEDULER_LOAD:
		begin_load(world, answer->runner);
		break;
	case SCHEDULER_FREE:
		world_demand(world, world->box.loading && answer->runner != world->box.loading,
			"2: what holds no load up is unloaded");
		world_demand(world, world_in_flight(world, answer->runner) == 0,
			"1: unloaded with requests in flight");
		box_remove(&world->box, answer->runner);
		break;
	}
}

static void end_load(struct world *world, struct runner *runner)
{
	world->box.loading = NULL;
	for (size_t i = 0; i < world->in_state_count[JOB_QUEUED]; i++) {
		struct carried *carried = world->in_state[JOB_QUEUED][i];

		if (carried->job.runner != runner)
			continue;
		job_load_ended(&carried->job, world->now_us);
		carried_arm(world, carried);
	}
}

static void fail_waiting(struct world *world, const struct runner *runner)
{
	for (size_t i = world->in_state_count[JOB_QUEUED]; i > 0; i--) {
		struct carried *carried = world->in_state[JOB_QUEUED][i - 1];

		if (carried->job.runner == runner)
			carried_fail(world, carried, OUTCOME_UPSTREAM_STATUS);
	}
}

static void load_fails(struct world *world, bool is_answered)
{
	struct runner *runner = world->box.loading;
	bool is_final = scheduler_load_failed(world->scheduler, is_answered, world->now_us);

	end_load(world, runner);
	if (is_final && world_has_turns(world))
		fail_waiting(world, runner);
}

static void load_succeeds(struct world *world)
{
	struct box *box = &world->box;
	struct runner *runner = box->loading;
	int64_t took_us = world->now_us - box->load_since_us;

	if (!box_make_room(world, runner)) {
		/* With fifo others were sent since. */
		if (!world_has_turns(world))
			return;
		world_demand(world, !box->evicts, "1: a load that has to wait for one in use");
	}
	box_add(box, runner);
	world_tell_residency(world);
	end_load(world, runner);
	world->loads_done +=
		world->fault != FAULT_CAUSE_FORGOTTEN && scheduler_load_project(world->scheduler);
	scheduler_loaded(world->scheduler, took_us > 0 ? took_us : 1, world->now_us, world->now_us);
}

void world_loader_goes_on(struct world *world, uint32_t how)
{
	struct box *box = &world->box;
	struct runner *runner = box->looked;
	unsigned chance = how % CHANCES;

	if (!world->upstream_usable)
		return;
	if (box->unloaded && world->fault == FAULT_UNLOAD_FORGOTTEN)
		return;
	if (runner && (chance % 2 || (!box->unloaded && !box->loading))) {
		box->looked = NULL;
		scheduler_looked(world->scheduler,
			chance >= 95	   ? RUNNER_UNKNOWN
			: is_local(runner) ? RUNNER_GENERATES
					   : RUNNER_NOT_LOCAL,
			world->now_us);
	} else if (box->unloaded) {
		runner = box->unloaded;
		box->unloaded = NULL;
		box_remove(box, runner);
		world_tell_residency(world);
		scheduler_unloaded(world->scheduler, world->now_us);
	} else if (box->loading && chance >= 97) {
		world->upstream_usable = false;
		world_loader_breaks(world);
	} else if (box->loading && chance >= 93) {
		load_fails(world, true);
	} else if (box->loading) {
		load_succeeds(world);
	}
}

void world_loader_breaks(struct world *world)
{
	struct box *box = &world->box;

	if (!world_has_box(world))
		return;
	if (residency_asked_us(world->residency))
		residency_forget(world->residency);
	if (box->looked) {
		box->looked = NULL;
		scheduler_looked(world->scheduler, RUNNER_UNKNOWN, world->now_us);
	}
	if (box->unloaded) {
		box->unloaded = NULL;
		scheduler_unloaded(world->scheduler, world->now_us);
	}
	if (box->loading)
		load_fails(world, false);
}

/* The promises. */

void world_note_sent(struct world *world, const struct carried *carried)
{
	if (carried->job.runner && world_has_turns(world))
		turn_of(world, carried->job.runner)->served++;
}

/* FAULT_SENT_TO_DRAINED: one that waits for what is being unloaded. */
struct carried *world_misled(const struct world *world)
{
	for (size_t i = 0; i < world->in_state_count[JOB_QUEUED] && world->box.unloaded; i++) {
		struct carried *carried = world->in_state[JOB_QUEUED][i];

		if (carried->job.runner == world->box.unloaded)
			return carried;
	}
	return NULL;
}

static bool is_blind(const struct world *world)
{
	return residency_asked_us(world->residency) == 0;
}

/* The key whose job has waited longest, and too long, for a turn. */
static const struct runner *overdue_one(const struct world *world)
{
	int64_t most_us = world->settings.max_turn_wait_ms * US_PER_MS;
	int64_t oldest_us = world->now_us - most_us;
	const struct runner *overdue = NULL;

	for (size_t i = 0; i < world->in_state_count[JOB_QUEUED] && most_us > 0; i++) {
		const struct carried *carried = world->in_state[JOB_QUEUED][i];
		const struct job *job = &carried->job;

		if (!job->runner || job->runner->kind != RUNNER_GENERATES ||
			job->runner->is_resident || job->runner->jobs.running > 0 ||
			!world_may_go(world, carried) || carried->first_us > oldest_us)
			continue;
		oldest_us = carried->first_us;
		overdue = job->runner;
	}
	return overdue;
}

/* With classes another one than the oldest may be the next. */
static double longest_load_us(const struct world *world, const struct runner *overdue)
{
	const struct runners *runners = scheduler_runners(world->scheduler);
	double longest_us = runner_load_us(runners, overdue);

	for (size_t i = 0; i < world->in_state_count[JOB_QUEUED]; i++) {
		const struct carried *carried = world->in_state[JOB_QUEUED][i];
		double load_us;

		if (!carried->job.runner || carried->job.runner == overdue ||
			world->rules.projects[0].weight <= 0)
			continue;
		load_us = runner_load_us(runners, carried->job.runner);
		if (load_us > longest_us)
			longest_us = load_us;
	}
	return longest_us;
}

/* One fits: a turn beyond its floor is not prolonged while another key is overdue. */
static void check_overdue(struct world *world, const struct runner *runner)
{
	const struct seen_turn *turn = turn_of(world, runner);
	const struct runner *overdue = overdue_one(world);
	double floor_us;

	if (!overdue || world->box.capacity > 1 || world->box.count > 1 || !world->box.is_told)
		return;
	world->seen->overdue++;
	floor_us = FLOOR_LOADS * runner->grow * longest_load_us(world, overdue);
	world_demand(world,
		turn->served < (uint64_t)lane_limit(runner->lane, &world->settings) ||
			(double)(world->now_us - turn->began_us) <= floor_us,
		"9: a turn goes on beyond its floor though another key is overdue");
}

void check_turn_dispatch(struct world *world, const struct carried *carried)
{
	const struct runner *runner = carried->job.runner;

	if (is_blind(world) || !runner || runner->kind == RUNNER_NOT_LOCAL)
		return;
	world_demand(world, runner != world->box.unloaded, "1: sent to a runner being unloaded");
	world_demand(world, runner != world->box.loading, "1: sent to a runner being loaded");
	world_demand(world, !world->box.loading || !world->box.evicts,
		"1: sent to one that a load may evict");
	world_demand(world, runner->is_resident, "1: sent to a runner that is not loaded");
	world_demand(world,
		world_in_flight(world, runner) <
			(uint64_t)lane_limit(runner->lane, &world->settings),
		"slots: more are sent to a runner than it serves");
	world->seen->limits_moved +=
		lane_limit(runner->lane, &world->settings) != lane_start(&world->settings);
	follow_turns(world);
	check_overdue(world, runner);
	for (size_t i = 0; i < world->in_state_count[JOB_QUEUED]; i++) {
		const struct carried *other = world->in_state[JOB_QUEUED][i];

		if (other->job.runner == runner && other->project == carried->project &&
			other->job.policy.job_class == carried->job.policy.job_class)
			check_order(world, carried, other);
	}
}

/* With those that a client left behind. */
static bool is_full(const struct world *world, const struct runner *runner)
{
	return world_in_flight(world, runner) + world_left(world, runner) >=
	       (uint64_t)lane_limit(runner->lane, &world->settings);
}

/* 6: never idle with work waiting, but for what the state says. */
static void check_idle(struct world *world, enum turn_state state)
{
	bool is_somebody_busy = false;
	const struct list *node;

	LIST_EACH(&scheduler_runners(world->scheduler)->all, node)
	{
		const struct runner *runner = CONTAINER_OF(node, struct runner, link);

		is_somebody_busy |= runner->jobs.running > 0 || world_left(world, runner) > 0;
	}
	LIST_EACH(&scheduler_runners(world->scheduler)->all, node)
	{
		const struct runner *runner = CONTAINER_OF(node, struct runner, link);

		if (waiting(world, runner) == 0 || state != TURN_SERVING)
			continue;
		world_demand(world, !runner->is_resident || is_full(world, runner),
			"6: a loaded runner is not served though a slot is free");
		world_demand(world, is_somebody_busy || runner->kind != RUNNER_GENERATES,
			"6: nothing runs or loads though a key waits");
	}
}

/* At most half a load, from when the victim fell idle or the other came. */
static void check_hold(struct world *world)
{
	const struct runners *runners = scheduler_runners(world->scheduler);
	double most_us = 0;
	int64_t since_us = 0;
	const struct list *node;

	world->seen->holds++;
	LIST_EACH(&runners->all, node)
	{
		const struct runner *runner = CONTAINER_OF(node, struct runner, link);
		double half_us = runner_load_us(runners, runner) / 2;

		if (half_us > most_us)
			most_us = half_us;
		if (runner->idle_since_us > since_us)
			since_us = runner->idle_since_us;
		if (runner->survey.waiting > 0 && runner->survey.oldest_us > since_us)
			since_us = runner->survey.oldest_us;
	}
	world_demand(world, (double)(world->now_us - since_us) <= most_us + SLACK_US,
		"6: a hold is longer than half a load");
}

/* FAULT_CUT_TOO_EARLY: core takes every turn for an old one. */
static void age_turns(struct world *world)
{
	struct list *node;

	LIST_EACH(&scheduler_runners(world->scheduler)->all, node)
	CONTAINER_OF(node, struct runner, link)->began_us = -AGES_US;
}

void check_turns(struct world *world)
{
	struct scheduler_view view = {
		.now_us = world->now_us,
		.upstream_usable = world->upstream_usable,
		.paused = world->paused,
		.residency = world->residency,
		.ring = world->ring,
		.settings = &world->settings,
		.in_progress = world->tally.in_progress,
	};
	struct scheduler_report report;

	follow_turns(world);
	note_cuts(world);
	if (world->fault == FAULT_CUT_TOO_EARLY)
		age_turns(world);
	if (world->paused || !world->upstream_usable || is_blind(world) ||
		world->fault == FAULT_SENT_LATE)
		return;
	scheduler_report(world->scheduler, &view, &report);
	if (report.state == TURN_HOLDING)
		check_hold(world);
	if (world->tally.in_progress < (uint64_t)lane_total(&world->settings))
		check_idle(world, report.state);
}
