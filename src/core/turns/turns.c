#include "core/turns/turns.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/settings.h"
#include "core/lane.h"
#include "core/residency.h"
#include "core/turns/turns_parts.h"

enum {
	/* After Ollama came up /api/ps is asked at once. Where it does not answer that there are no
	   turns: jobs go in order of arrival. */
	BLIND_US = 2 * 1000 * 1000,
	/* A name that was not there may have been pulled meanwhile. */
	NOT_LOCAL_US = 5 * 1000 * 1000,
};

#define SECOND_US 1e6

struct turns *turns_create(struct shares *shares)
{
	struct turns *turns = mem_zalloc(sizeof(*turns));

	runners_init(&turns->runners);
	turns->shares = shares;
	return turns;
}

void turns_destroy(struct turns *turns)
{
	if (!turns)
		return;
	runners_finish(&turns->runners);
	free(turns->survey.ready);
	free(turns->everybodys_keep_alive);
	free(turns);
}

const struct runners *turns_runners(const struct turns *turns)
{
	return &turns->runners;
}

struct runner *turns_loading(const struct turns *turns)
{
	return turns->state == TURN_LOADING ? turns->target : NULL;
}

const char *turns_load_project(const struct turns *turns)
{
	return turns->cause ? turns->cause->project : NULL;
}

static void set_state(struct turns *turns, enum turn_state state, int64_t now_us)
{
	if (turns->state != state)
		turns->since_us = now_us;
	turns->state = state;
}

static void set_target(struct turns *turns, struct runner *target)
{
	if (turns->target)
		turns->target->is_busy_with_us = false;
	turns->target = target;
	if (target)
		target->is_busy_with_us = true;
}

/* Jobs come and go. */

void turns_enter(
	struct turns *turns, struct job *job, const struct peek_result *seen, int64_t now_us)
{
	const struct record *record = &job->record;
	struct runner *runner = NULL;

	if (!record->model) {
		job->groups[GROUP_RUNNER] = &turns->nameless;
		return;
	}
	runner = runners_get(
		&turns->runners, record->model, record->family == API_NATIVE ? seen : NULL);
	runner_note_arrival(runner, now_us);
	if (runner->kind == RUNNER_NOT_LOCAL && now_us - runner->looked_us >= NOT_LOCAL_US)
		runner->kind = RUNNER_UNKNOWN;
	job->runner = runner;
	job->groups[GROUP_RUNNER] = &runner->jobs;
	job->groups[GROUP_RUNNER_CLASS] = &runner->classes[job->policy.job_class];
	job->record.runner = mem_strdup(runner->key);
}

void turns_sent(struct turns *turns, struct job *job)
{
	job->runner->served++;
	job->runner->last = job->policy.job_class;
	turns_note_keep_alive(turns, job);
}

void turns_released(struct job *job, int64_t now_us)
{
	job->runner->idle_since_us = now_us;
}

double turns_service_us(const struct turns *turns, const struct job *job)
{
	return job->runner ? runner_service_us(&turns->runners, job->runner) : SECOND_US;
}

void turns_note_service(struct turns *turns, struct runner *runner, int64_t held_us)
{
	runner_note_service(&turns->runners, runner, held_us);
}

/* Who is next, and what must give way. */

/* Everybody is served again. */
static void undo_cuts(struct turns *turns, const struct turns_plan *plan)
{
	struct list *node;

	LIST_EACH(&turns->runners.all, node)
	{
		struct runner *runner = CONTAINER_OF(node, struct runner, link);
		bool is_planned = false;

		for (size_t i = 0; plan && i < plan->count; i++)
			is_planned |= plan->drain[i] == runner;
		if (!is_planned)
			runner->is_cut = false;
	}
}

void turns_rest(struct turns *turns, int64_t now_us)
{
	undo_cuts(turns, NULL);
	set_target(turns, NULL);
	set_state(turns, TURN_SERVING, now_us);
}

/* The nearest moments at which what cannot be done now may be done. */
static void watch_the_clock(const struct turns *turns, const struct scheduler_view *view,
	const struct runner *target, int64_t *look_again_us)
{
	int64_t most_us = view->settings->max_turn_wait_ms * (int64_t)1000;
	const struct list *node;

	LIST_EACH(&turns->runners.all, node)
	{
		const struct runner *runner = CONTAINER_OF(node, struct runner, link);

		if (turns_waits_for_turn(runner) && most_us > 0)
			turns_look_again(
				look_again_us, runner->survey.oldest_us + most_us, view->now_us);
		if (runner != target && runner->is_resident && runner->survey.waiting > 0)
			turns_look_again(look_again_us,
				runner->began_us + (int64_t)turns_floor_us(turns, runner, target) +
					1,
				view->now_us);
	}
}

/* Cuts what the plan says; the plan is latched from the first cut on. */
static void begin_drain(struct turns *turns, const struct turns_plan *plan, struct runner *target,
	const struct scheduler_view *view)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct runner *victim = plan->drain[i];

		if (victim->survey.waiting == 0 || victim->is_cut)
			continue;
		victim->is_cut = true;
		victim->was_overdue = turns_is_overdue(target, view) && victim->survey.counts;
		set_target(turns, target);
		set_state(turns, TURN_DRAINING, view->now_us);
	}
}

static bool is_drained(struct turns *turns, const struct turns_plan *plan,
	const struct runner *target, const struct scheduler_view *view, int64_t *look_again_us)
{
	bool is_ready = true;

	for (size_t i = 0; i < plan->count; i++) {
		const struct runner *victim = plan->drain[i];
		int64_t until_us;

		if (victim->jobs.running > 0)
			is_ready = false;
		if (victim->jobs.running > 0 || victim->is_cut)
			continue;
		until_us = turns_held_until(turns, victim, target, view);
		if (view->now_us >= until_us)
			continue;
		turns->is_holding = true;
		if (until_us > turns->held_until_us)
			turns->held_until_us = until_us;
		is_ready = false;
		turns_look_again(look_again_us, until_us, view->now_us);
	}
	return is_ready;
}

/* true: `ret_plan` can be carried out now for turns->target or the runner in ret_target. */
static bool decide(struct turns *turns, const struct scheduler_view *view,
	struct turns_plan *ret_plan, struct runner **ret_target, int64_t *look_again_us)
{
	struct runner *target = turns->target;

	turns->is_holding = false;
	turns->held_until_us = 0;
	if (turns->state == TURN_UNLOADING || turns->state == TURN_LOADING)
		return false;
	if (!target || !turns_waits_for_turn(target)) {
		turns_rest(turns, view->now_us);
		target = turns_choose(turns, view);
	}
	if (!target)
		return false;
	*ret_target = target;
	*ret_plan = turns_make_plan(turns, target, view);
	if (!ret_plan->is_possible) {
		turns_rest(turns, view->now_us);
		watch_the_clock(turns, view, target, look_again_us);
		return false;
	}
	undo_cuts(turns, ret_plan);
	begin_drain(turns, ret_plan, target, view);
	return is_drained(turns, ret_plan, target, view, look_again_us);
}

/* The floor grows with each cut in a row, so that under overload swaps become rarer. */
static void note_swap(struct runner *victim)
{
	if (!victim->is_cut)
		victim->grow = 1;
	else if (victim->was_overdue)
		victim->grow = victim->grow * TURNS_GROWTH < TURNS_GROW_MOST
				       ? victim->grow * TURNS_GROWTH
				       : TURNS_GROW_MOST;
}

static void note_before(struct turns *turns, const struct runner *target)
{
	struct list *node;

	turns->before = (struct fits_set){.ids = {target->id}, .count = 1};
	turns->owes_verdict = false;
	turns->is_blurred = false;
	LIST_EACH(&turns->runners.all, node)
	{
		const struct runner *runner = CONTAINER_OF(node, struct runner, link);

		if (runner->is_resident && !fits_set_add(&turns->before, runner->id))
			return;
	}
}

static void forget_cause(struct turns *turns)
{
	if (turns->cause)
		turns->cause->kept--;
	turns->cause = NULL;
}

/* Whose job is it that the target is loaded for? Nobody's, if it is to be preloaded. */
static void note_cause(struct turns *turns, const struct runner *target)
{
	forget_cause(turns);
	if (!target->survey.cause)
		return;
	turns->cause = target->survey.cause->share;
	turns->cause->kept++;
}

struct scheduler_answer turns_carry_out(
	struct turns *turns, const struct turns_plan *plan, struct runner *target, int64_t now_us)
{
	struct scheduler_answer answer = {.verdict = SCHEDULER_LOAD, .runner = target};

	for (size_t i = 0; i < plan->count; i++) {
		assert(plan->drain[i]->jobs.running == 0);
		note_swap(plan->drain[i]);
	}
	set_target(turns, target);
	note_cause(turns, target);
	if (plan->fits_in || plan->is_trial) {
		turns->is_trial = plan->is_trial;
		note_before(turns, target);
		set_state(turns, TURN_LOADING, now_us);
		return answer;
	}
	turns->victim = plan->drain[0];
	turns->victim->is_busy_with_us = true;
	set_state(turns, TURN_UNLOADING, now_us);
	answer.verdict = SCHEDULER_UNLOAD;
	answer.runner = turns->victim;
	return answer;
}

/* Nothing is known of what is loaded: wait a moment for /api/ps, then in order of arrival. */
static struct scheduler_answer go_blind(struct turns *turns, const struct scheduler_view *view)
{
	struct scheduler_answer nothing = {.verdict = SCHEDULER_NOTHING};

	if (!turns->blind_since_us)
		turns->blind_since_us = view->now_us;
	if (turns->state == TURN_UNLOADING || turns->state == TURN_LOADING)
		return nothing;
	if (residency_is_mute(view->residency) || view->now_us - turns->blind_since_us >= BLIND_US)
		return scheduler_first(view, lane_start(view->settings));
	nothing.look_again_us = turns->blind_since_us + BLIND_US;
	return nothing;
}

struct scheduler_answer turns_next(struct turns *turns, const struct scheduler_view *view)
{
	struct scheduler_answer answer = {.verdict = SCHEDULER_NOTHING};
	struct turns_plan plan;
	struct runner *target = NULL;
	bool is_alone = view->company == COMPANY_NONE;
	bool is_ready;

	turns_move_copies(turns, view);
	turns_sync_residency(turns, view);
	if (view->paused || !view->upstream_usable)
		return answer;
	if (residency_asked_us(view->residency) == 0)
		return go_blind(turns, view);
	turns->blind_since_us = 0;
	if (turns_are_all_full(turns, view, &answer.look_again_us))
		return answer;
	turns_survey(turns, view);
	if (turns->survey.unlooked && !turns->looking) {
		turns->looking = turns->survey.unlooked;
		turns->looking->is_looked_at = true;
		return (struct scheduler_answer){
			.verdict = SCHEDULER_LOOK, .runner = turns->looking};
	}
	if ((is_alone && turns_look_for_own(turns, &answer)) ||
		turns_free_load(turns, view, &answer))
		return answer;
	is_ready = view->company != COMPANY_BESIDE &&
		   decide(turns, view, &plan, &target, &answer.look_again_us);
	answer.job = turns_choose_job(turns, view, &answer.look_again_us);
	if (answer.job)
		answer.verdict = SCHEDULER_DISPATCH;
	else if (is_ready ||
		 (is_alone && !target && turns_plan_preload(turns, view, &plan, &target)))
		return turns_carry_out(turns, &plan, target, view->now_us);
	return answer;
}

bool turns_gives_way(const struct turns *turns, const char *model)
{
	const struct list *node;

	model = runners_name(&turns->runners, model);
	LIST_EACH(&turns->runners.all, node)
	{
		const struct runner *runner = CONTAINER_OF(node, struct runner, link);

		if ((runner->is_cut || runner == turns->victim) &&
			strcmp(runner->model, model) == 0)
			return true;
	}
	return false;
}

/* Results. */

void turns_looked(struct turns *turns, enum runner_kind kind, int64_t now_us)
{
	struct runner *runner = turns->looking;

	assert(runner);
	runner->kind = kind;
	if (kind != RUNNER_UNKNOWN)
		runner->was_elsewhere = kind == RUNNER_NOT_LOCAL;
	/* It proved to be a copy: those that wait and all later jobs have the other's key. */
	if (runners_name(&turns->runners, runner->model) != runner->model)
		runner->kind = RUNNER_NOT_LOCAL;
	runner->looked_us = now_us;
	runner->is_looked_at = false;
	turns->looking = NULL;
}

void turns_unloaded(struct turns *turns, int64_t now_us)
{
	assert(turns->state == TURN_UNLOADING);
	turns_forget_turn(turns->victim);
	turns->victim->changed_us = now_us;
	turns->victim->is_busy_with_us = false;
	turns->victim = NULL;
	/* The target stays: who else waits has its turn later. */
	set_state(turns, TURN_DRAINING, now_us);
}

static void end_load(struct turns *turns, int64_t now_us)
{
	assert(turns->state == TURN_LOADING);
	forget_cause(turns);
	set_target(turns, NULL);
	turns->is_trial = false;
	undo_cuts(turns, NULL);
	set_state(turns, TURN_SERVING, now_us);
}

void turns_loaded(struct turns *turns, int64_t took_us, int64_t loaded_us, int64_t now_us)
{
	struct runner *runner = turns->target;

	if (turns->cause) {
		turns->cause->loads++;
		turns->cause->loads_us += (double)took_us;
	}
	end_load(turns, now_us);
	runner_note_load(&turns->runners, runner, took_us);
	turns_begin_turn(runner, now_us);
	runner->changed_us = loaded_us;
	runner->is_known_key = true;
	runner->broken_loads = 0;
	turns->owes_verdict = true;
	turns->loaded_us = loaded_us;
	/* The snapshot that was taken since is looked at again. */
	turns->residency_version--;
}

void turns_load_failed(struct turns *turns, int64_t now_us)
{
	end_load(turns, now_us);
}
