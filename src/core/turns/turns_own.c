/*
 * What turns ask of Ollama without a job that waits for it: models of `preload`, keep_alive, and
 * the freeing of a load that is stuck (PRODUCT 5; Ollama's issue 17408).
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "config/settings.h"
#include "core/job.h"
#include "core/residency.h"
#include "core/ring.h"
#include "core/turns/turns_parts.h"

enum {
	/* A load that has taken three times as long as usual, and a moment, is looked into; before
	   one was measured after this long: large models come from slow disks. */
	STUCK_US = 30 * 1000 * 1000,
	STUCK_MOMENT_US = 2 * 1000 * 1000,
	STUCK_LOADS = 3,
	/* Between two unloads of what holds it up: one takes some ms where it helps. */
	STUCK_AGAIN_US = 5 * 1000 * 1000,
};

/* Preload. */

void turns_owe_preloads(struct turns *turns)
{
	for (size_t i = 0; i < turns->runners.pinned_count; i++)
		runners_get(&turns->runners, turns->runners.pinned[i], NULL)->owes_preload = true;
}

static bool is_among(char *const *models, size_t count, const char *model)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(models[i], model) == 0)
			return true;
	}
	return false;
}

void turns_prepare(struct turns *turns, const struct settings *settings)
{
	char **had;
	size_t had_count;

	free(turns->everybodys_keep_alive);
	turns->everybodys_keep_alive = mem_strdup(settings->keep_alive);
	/* One that was preloaded before and that a client has unloaded since stays so. */
	had = turns->runners.pinned;
	had_count = turns->runners.pinned_count;
	turns->runners.pinned = NULL;
	turns->runners.pinned_count = 0;
	runners_pin(&turns->runners, settings->preload);
	for (size_t i = 0; i < turns->runners.pinned_count; i++) {
		const char *model = turns->runners.pinned[i];

		if (!is_among(had, had_count, model))
			runners_get(&turns->runners, model, NULL)->owes_preload = true;
	}
	for (size_t i = 0; i < had_count; i++)
		free(had[i]);
	free(had);
}

/* With jobs of its own it was asked about; with fifo, or loaded by others, it was not. */
static bool owes_touch(const struct runner *runner)
{
	return runner->is_resident && keep_alive_due(&runner->keep_alive);
}

bool turns_look_for_own(struct turns *turns, struct scheduler_answer *ret_answer)
{
	struct list *node;

	if (turns->looking)
		return false;
	LIST_EACH(&turns->runners.all, node)
	{
		struct runner *runner = CONTAINER_OF(node, struct runner, link);

		if (runner->kind != RUNNER_UNKNOWN ||
			(!runner->owes_preload && !owes_touch(runner)))
			continue;
		turns->looking = runner;
		runner->is_looked_at = true;
		*ret_answer =
			(struct scheduler_answer){.verdict = SCHEDULER_LOOK, .runner = runner};
		return true;
	}
	return false;
}

/* Nobody is disturbed, and no other preloaded one is sent away for it. */
static bool is_harmless(const struct turns_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct runner *victim = plan->drain[i];

		if (victim->jobs.running > 0 || victim->jobs.waiting > 0)
			return false;
		if (victim->keep_alive.is_pinned && !plan->is_trial)
			return false;
	}
	return plan->is_possible;
}

/* Only preloaded ones are there, and no more fit: it will not come by itself. */
static bool is_hopeless(const struct turns_plan *plan)
{
	return plan->is_possible && !plan->is_trial && plan->count > 0 &&
	       plan->drain[0]->keep_alive.is_pinned;
}

bool turns_plan_preload(struct turns *turns, const struct scheduler_view *view,
	struct turns_plan *ret_plan, struct runner **ret_target)
{
	struct list *node;

	if (turns->state != TURN_SERVING)
		return false;
	LIST_EACH(&turns->runners.all, node)
	{
		struct runner *runner = CONTAINER_OF(node, struct runner, link);
		struct turns_plan plan;

		if (!runner->owes_preload)
			continue;
		if (runner->is_resident || runner->kind == RUNNER_NOT_LOCAL) {
			runner->owes_preload = false;
			continue;
		}
		if (runner->kind == RUNNER_UNKNOWN || turns_is_there(runner))
			continue;
		plan = turns_make_plan(turns, runner, view);
		if (is_hopeless(&plan)) {
			LOG(WARN, "cannot preload: it does not fit beside the other ones",
				LOG_TEXT("model", runner->key));
			runner->owes_preload = false;
			continue;
		}
		if (!is_harmless(&plan))
			continue;
		*ret_plan = plan;
		*ret_target = runner;
		return true;
	}
	return false;
}

/* Copies. */

void turns_note_same(struct turns *turns, const char *model)
{
	const struct runner *runner = turns->looking;

	runners_note_same(&turns->runners, runner->model, model);
	turns->residency_version--; /* what is loaded has other keys now */
	turns->has_moved = true;
}

static bool has_moved(const struct turns *turns, const struct job *job)
{
	const struct runner *runner = job->runner;

	return job->state == JOB_QUEUED && runner &&
	       runners_name(&turns->runners, runner->model) != runner->model;
}

static void set_group(struct job *job, int which, struct job_group *group)
{
	job->groups[which]->waiting--;
	job->groups[which] = group;
	group->waiting++;
}

static void move(struct turns *turns, struct job *job, int64_t now_us)
{
	const struct runner *old = job->runner;
	struct peek_result seen = {0};
	struct runner *runner;

	memcpy(seen.has_option, old->has_option, sizeof(seen.has_option));
	memcpy(seen.option, old->option, sizeof(seen.option));
	runner = runners_get(&turns->runners, old->spelling, &seen);
	set_group(job, GROUP_RUNNER, &runner->jobs);
	set_group(job, GROUP_RUNNER_CLASS, &runner->classes[job->policy.job_class]);
	job->runner = runner;
	free(job->record.runner);
	job->record.runner = mem_strdup(runner->key);
	job_load_ended(job, now_us);
	if (runner == turns_loading(turns))
		job_load_begun(job, now_us);
}

void turns_move_copies(struct turns *turns, const struct scheduler_view *view)
{
	if (!turns->has_moved)
		return;
	turns->has_moved = false;
	for (size_t i = 0; i < ring_count(view->ring); i++) {
		struct job *job = ring_at(view->ring, i);

		if (has_moved(turns, job))
			move(turns, job, view->now_us);
	}
}

void turns_models_changed(struct turns *turns)
{
	struct list *node;

	runners_forget_copies(&turns->runners);
	turns->residency_version--;
	LIST_EACH(&turns->runners.all, node)
	{
		struct runner *runner = CONTAINER_OF(node, struct runner, link);

		if (runner->kind == RUNNER_NOT_LOCAL && !runner->is_looked_at)
			runner->kind = RUNNER_UNKNOWN;
	}
}

/* keep_alive. */

const char *turns_keep_alive_of_load(
	struct turns *turns, struct runner *runner, const struct ring *ring)
{
	const char *due;

	keep_alive_forget(&runner->keep_alive);
	for (size_t i = 0; i < ring_count(ring); i++) {
		const struct job *job = ring_at(ring, i);

		if (job->runner == runner)
			keep_alive_want(&runner->keep_alive,
				keep_alive_of(&job->policy, turns->everybodys_keep_alive));
	}
	due = keep_alive_due(&runner->keep_alive);
	keep_alive_note_told(&runner->keep_alive);
	return due;
}

void turns_note_keep_alive(struct turns *turns, struct job *job)
{
	keep_alive_want(&job->runner->keep_alive,
		keep_alive_of(&job->policy, turns->everybodys_keep_alive));
	if (job->says_keep_alive)
		keep_alive_note_theirs(&job->runner->keep_alive);
}

/* An idle one that stays: nothing is sent to one that gives way, and where somebody waits for
 * another model it may have to. */
const char *turns_touch_where(struct turns *turns, const struct scheduler_view *view,
	bool (*may_touch)(const struct turns *turns, const struct runner *runner),
	struct runner **ret_runner)
{
	struct list *node;

	if (turns->state != TURN_SERVING || turns->is_holding || turns->target || view->paused ||
		!view->upstream_usable || residency_asked_us(view->residency) == 0)
		return NULL;
	LIST_EACH(&turns->runners.all, node)
	{
		struct runner *runner = CONTAINER_OF(node, struct runner, link);
		const char *due = keep_alive_due(&runner->keep_alive);

		if (!due || !runner->is_resident || runner->is_cut ||
			runner->jobs.running + runner->jobs.waiting > 0 ||
			!turns_runs_here(runner) || (may_touch && !may_touch(turns, runner)))
			continue;
		keep_alive_note_told(&runner->keep_alive);
		*ret_runner = runner;
		return due;
	}
	return NULL;
}

const char *turns_touch(
	struct turns *turns, const struct scheduler_view *view, struct runner **ret_runner)
{
	return turns_touch_where(turns, view, NULL, ret_runner);
}

/* A load that is stuck. */

static int64_t stuck_us(const struct turns *turns)
{
	if (turns->target->load_us <= 0)
		return turns->since_us + STUCK_US;
	return turns->since_us + STUCK_MOMENT_US + (int64_t)(STUCK_LOADS * turns->target->load_us);
}

/* It is still listed though the load has been asked for since. */
static bool is_in_the_way(const struct turns *turns, const struct runner *runner)
{
	return runner != turns->target && runner->is_resident && runner->jobs.running == 0;
}

bool turns_free_load(
	struct turns *turns, const struct scheduler_view *view, struct scheduler_answer *ret_answer)
{
	struct list *node;
	int64_t due_us;

	if (turns->state != TURN_LOADING)
		return false;
	due_us = stuck_us(turns);
	if (due_us < turns->freed_us + STUCK_AGAIN_US)
		due_us = turns->freed_us + STUCK_AGAIN_US;
	if (view->now_us < due_us) {
		ret_answer->look_again_us = due_us;
		return false;
	}
	/* From now on the others get nothing: a request with a keep_alive would hold it up again.
	 */
	turns->is_trial = true;
	if (residency_asked_us(view->residency) <= turns->since_us)
		return false;
	LIST_EACH(&turns->runners.all, node)
	{
		struct runner *runner = CONTAINER_OF(node, struct runner, link);

		if (!is_in_the_way(turns, runner))
			continue;
		turns->freed_us = view->now_us;
		*ret_answer =
			(struct scheduler_answer){.verdict = SCHEDULER_FREE, .runner = runner};
		return true;
	}
	return false;
}
