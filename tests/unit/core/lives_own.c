/*
 * What no job waits for, in the lives: models that are preloaded and told how long to stay, with
 * turns and with fifo. It disturbs nobody.
 */
#include "core/residency.h"
#include "core/ring.h"
#include "core/runner.h"
#include "core/scheduler.h"
#include "lives_parts.h"

enum { SCRIPTS = 5, OWN_SCRIPT = 2, LISTS = 4, LIST_MOST = 3 };

/* The last of the models runs elsewhere. */
static char *lists[LISTS][LIST_MOST] = {
	{(char *)"Tiny", NULL},
	{(char *)"slow:1b", (char *)"qwen2.5vl:7b", NULL},
	{(char *)"tiny", (char *)"hf.co/team/model:q4", NULL},
	{NULL},
};

void world_make_own(struct settings *settings, uint64_t seed)
{
	if (seed % SCRIPTS != OWN_SCRIPT)
		return;
	settings->preload = lists[seed / SCRIPTS % LISTS];
	settings->keep_alive = (char *)(seed % 3 ? "30m" : "");
}

bool world_has_box(const struct world *world)
{
	return world_has_turns(world) || world->settings.preload;
}

static bool is_somebody_there(const struct world *world)
{
	const size_t *count = world->in_state_count;

	return count[JOB_QUEUED] + count[JOB_CONNECTING] + count[JOB_AWAITING] +
		       count[JOB_STREAMING] >
	       0;
}

/* One that may go, for what is not loaded: it is to have its turn first. */
static bool is_turn_awaited(const struct world *world)
{
	for (size_t i = 0; i < world->in_state_count[JOB_QUEUED]; i++) {
		const struct carried *carried = world->in_state[JOB_QUEUED][i];
		const struct runner *runner = carried->job.runner;

		if (runner && runner->kind == RUNNER_GENERATES && !runner->is_resident &&
			runner->jobs.running == 0 && world_may_go(world, carried))
			return true;
	}
	return false;
}

void check_preload(struct world *world, const struct runner *runner, bool is_load)
{
	world->seen->preloads += is_load;
	world_demand(world, world->settings.preload != NULL, "preload: of nothing");
	if (world_has_turns(world))
		world_demand(world, !is_turn_awaited(world),
			"preload: though somebody waits for another one");
	else
		world_demand(world, !is_somebody_there(world),
			"preload: with fifo, though jobs wait or run");
	world_demand(world, !is_load || runner->owes_preload, "preload: of one that nobody wants");
	world_demand(world, world_in_flight(world, runner) == 0, "preload: of one that is in use");
}

struct scheduler_view world_blinded(
	const struct world *world, const struct scheduler_view *view, enum fault fault)
{
	struct scheduler_view blinded = *view;

	if (world->fault != fault || !world->settings.preload)
		return blinded;
	blinded.ring = world->no_ring;
	blinded.in_progress = 0;
	return blinded;
}

void world_touch(struct world *world, const struct scheduler_view *view)
{
	struct scheduler_view seen = world_blinded(world, view, FAULT_TOLD_IN_USE);
	struct runner *runner = NULL;

	if (world->box.unloaded || world->box.loading ||
		!scheduler_touch(world->scheduler, &seen, &runner))
		return;
	world->seen->told++;
	world_demand(world, runner->is_resident, "keep_alive: told to one that is not loaded");
	world_demand(world, runner->kind == RUNNER_GENERATES,
		"keep_alive: told to one that Ollama was not asked about");
	world_demand(world,
		world_has_turns(world) ? world_in_flight(world, runner) == 0
				       : !is_somebody_there(world),
		"keep_alive: told to one in use");
}
