#include <string.h>

#include "config/settings.h"
#include "core/lane.h"
#include "core/turns/turns_parts.h"

#define SECOND_US 1e6

enum { US_PER_MS = 1000 };

bool turns_is_overdue(const struct runner *runner, const struct scheduler_view *view)
{
	int64_t most_us = view->settings->max_turn_wait_ms * US_PER_MS;

	return most_us > 0 && runner->survey.waiting > 0 &&
	       view->now_us - runner->survey.oldest_us >= most_us;
}

static enum job_class highest_of_turn(const struct runner *runner)
{
	if (runner->survey.is_interactive || runner->classes[CLASS_INTERACTIVE].running > 0)
		return CLASS_INTERACTIVE;
	/* It fell idle: as what it was. Else two agents would swap at every call. */
	if (runner->survey.waiting + runner->jobs.running == 0)
		return runner->last;
	return CLASS_NORMAL;
}

/* It has an interactive job, and what the other's turn is made of is all of lower class. */
static bool outranks(const struct runner *runner, const struct runner *other)
{
	return runner->survey.is_interactive && highest_of_turn(other) < CLASS_INTERACTIVE;
}

bool turns_is_there(const struct runner *runner)
{
	return runner->is_resident || (runner->jobs.running > 0 && !runner->was_elsewhere);
}

bool turns_runs_here(const struct runner *runner)
{
	return runner->kind == RUNNER_GENERATES || runner->kind == RUNNER_EMBEDS;
}

/* What still runs on one that is not listed was sent before that was known: first it ends. */
bool turns_waits_for_turn(const struct runner *runner)
{
	return runner->survey.waiting > 0 && !turns_is_there(runner) && turns_runs_here(runner);
}

static double parallel(const struct runner *runner, const struct scheduler_view *view)
{
	return (double)lane_limit(runner->lane, view->settings);
}

double turns_index(
	const struct turns *turns, const struct runner *runner, const struct scheduler_view *view)
{
	double load_us = runner_load_us(&turns->runners, runner);
	double coming = runner_arrivals(runner, view->now_us, load_us);
	double reward = runner->survey.weight + coming * (SECOND_US + load_us / 2);

	return reward /
	       (load_us + runner_clear_us(&turns->runners, runner,
				  (double)runner->survey.waiting + coming, parallel(runner, view)));
}

/* The turn of one, at least, that is there may be cut for an interactive job. */
bool turns_is_any_lower(const struct turns *turns)
{
	const struct list *node;

	LIST_EACH(&turns->runners.all, node)
	{
		const struct runner *runner = CONTAINER_OF(node, struct runner, link);

		if (turns_is_there(runner) && highest_of_turn(runner) < CLASS_INTERACTIVE)
			return true;
	}
	return false;
}

/* An overdue batch that has aged long enough is as high as an interactive one, and older. */
bool turns_is_more_urgent(const struct runner *one, const struct runner *other)
{
	if (one->survey.job_class != other->survey.job_class)
		return one->survey.job_class > other->survey.job_class;
	return one->survey.oldest_us < other->survey.oldest_us;
}

bool turns_is_urgent(
	const struct runner *runner, const struct scheduler_view *view, bool is_any_lower)
{
	return turns_is_overdue(runner, view) || (runner->survey.is_interactive && is_any_lower);
}

struct runner *turns_choose(const struct turns *turns, const struct scheduler_view *view)
{
	const struct list *node;
	struct runner *urgent = NULL;
	struct runner *best = NULL;
	double best_index = -1;
	bool is_any_lower = turns_is_any_lower(turns);

	LIST_EACH(&turns->runners.all, node)
	{
		struct runner *runner = CONTAINER_OF(node, struct runner, link);
		double index;

		if (!turns_waits_for_turn(runner) || runner == turns_loading(turns))
			continue;
		if (turns_is_urgent(runner, view, is_any_lower) &&
			(!urgent || turns_is_more_urgent(runner, urgent)))
			urgent = runner;
		index = turns_index(turns, runner, view);
		if (index > best_index) {
			best_index = index;
			best = runner;
		}
	}
	return urgent ? urgent : best;
}

double turns_floor_us(
	const struct turns *turns, const struct runner *victim, const struct runner *target)
{
	double load_us = runner_load_us(&turns->runners, target);

	if (outranks(target, victim))
		return TURNS_FLOOR_LOADS_INTERACTIVE * load_us;
	return TURNS_FLOOR_LOADS * load_us * victim->grow;
}

/* It has work left and may be made to give way. */
static bool may_cut(const struct turns *turns, const struct runner *victim,
	const struct runner *target, const struct scheduler_view *view)
{
	if (victim->served < (uint64_t)lane_limit(victim->lane, view->settings))
		return false;
	if ((double)(view->now_us - victim->began_us) < turns_floor_us(turns, victim, target))
		return false;
	return turns_is_overdue(target, view) || outranks(target, victim) || !victim->survey.counts;
}

static bool may_release(const struct turns *turns, const struct runner *victim,
	const struct runner *target, const struct scheduler_view *view)
{
	return victim->survey.waiting == 0 || victim->is_cut ||
	       may_cut(turns, victim, target, view);
}

/* Smaller is the better victim: one that is drained already, idle, dry, then the longest turn. */
static int rank(const struct runner *runner)
{
	if (runner->is_cut)
		return 0;
	if (runner->survey.waiting > 0)
		return 3;
	return runner->jobs.running > 0 ? 2 : 1;
}

static bool is_better_victim(const struct turns *turns, const struct runner *one,
	const struct runner *other, const struct scheduler_view *view)
{
	double one_needs = runner_arrivals(one, view->now_us, runner_load_us(&turns->runners, one));
	double other_needs =
		runner_arrivals(other, view->now_us, runner_load_us(&turns->runners, other));

	if (one->keep_alive.is_pinned != other->keep_alive.is_pinned)
		return other->keep_alive.is_pinned;
	if (rank(one) != rank(other))
		return rank(one) < rank(other);
	if (one->survey.waiting > 0)
		return one->began_us < other->began_us;
	return one_needs < other_needs;
}

static struct runner *choose_victim(
	const struct turns *turns, const struct runner *target, const struct scheduler_view *view)
{
	const struct list *node;
	struct runner *best = NULL;

	LIST_EACH(&turns->runners.all, node)
	{
		struct runner *runner = CONTAINER_OF(node, struct runner, link);

		if (runner == target || !turns_is_there(runner) ||
			!may_release(turns, runner, target, view))
			continue;
		if (!best || is_better_victim(turns, runner, best, view))
			best = runner;
	}
	return best;
}

/* All must be quiet for a trial: any of them may be evicted by it. */
static bool plan_trial(const struct turns *turns, const struct runner *target,
	const struct scheduler_view *view, struct turns_plan *plan)
{
	const struct list *node;

	LIST_EACH(&turns->runners.all, node)
	{
		struct runner *runner = CONTAINER_OF(node, struct runner, link);

		if (runner == target || !turns_is_there(runner))
			continue;
		if (plan->count == FITS_RUNNERS_MOST || !may_release(turns, runner, target, view))
			return false;
		plan->drain[plan->count++] = runner;
	}
	return true;
}

struct turns_plan turns_make_plan(
	const struct turns *turns, const struct runner *target, const struct scheduler_view *view)
{
	struct turns_plan plan = {0};
	struct fits_set set = {.ids = {target->id}, .count = 1};
	const struct list *node;
	struct runner *sibling = NULL;
	bool is_too_many = false;

	LIST_EACH(&turns->runners.all, node)
	{
		struct runner *runner = CONTAINER_OF(node, struct runner, link);

		if (runner == target || !turns_is_there(runner))
			continue;
		/* Another key of the same model: Ollama holds one of a model. */
		if (strcmp(runner->model, target->model) == 0)
			sibling = runner;
		is_too_many |= !fits_set_add(&set, runner->id);
	}
	if (!sibling && !is_too_many) {
		switch (fits_ask(&turns->fits, &set, view->now_us)) {
		case FITS_YES:
			plan.is_possible = plan.fits_in = true;
			return plan;
		case FITS_UNTRIED:
			plan.is_trial = true;
			plan.is_possible = plan_trial(turns, target, view, &plan);
			return plan;
		case FITS_NO:
			break;
		}
	}
	if (sibling && !may_release(turns, sibling, target, view))
		return plan;
	plan.drain[0] = sibling ? sibling : choose_victim(turns, target, view);
	plan.is_possible = plan.drain[0] != NULL;
	plan.count = plan.is_possible;
	return plan;
}

static double others_waiting(const struct turns *turns)
{
	const struct list *node;
	uint64_t count = 0;

	LIST_EACH(&turns->runners.all, node)
	{
		const struct runner *runner = CONTAINER_OF(node, struct runner, link);

		if (turns_waits_for_turn(runner))
			count += runner->survey.waiting;
	}
	return (double)count;
}

int64_t turns_held_until(const struct turns *turns, const struct runner *victim,
	const struct runner *target, const struct scheduler_view *view)
{
	const struct runners *runners = &turns->runners;
	double load_us = runner_load_us(runners, target);
	double others = others_waiting(turns);
	double gain_us = load_us + runner_load_us(runners, victim) +
			 runner_clear_us(runners, target, (double)target->survey.waiting,
				 parallel(target, view)) -
			 others * runner_service_us(runners, victim);
	int64_t chain_end_us = victim->began_us + (int64_t)(TURNS_FLOOR_LOADS * load_us);
	int64_t overdue_us =
		target->survey.oldest_us + view->settings->max_turn_wait_ms * US_PER_MS;
	int64_t until_us = victim->idle_since_us;

	/* One that it outranks is overdue at once. */
	if (!until_us || outranks(target, victim))
		return 0;
	if (until_us < target->survey.oldest_us)
		until_us = target->survey.oldest_us;
	until_us += runner_hold_us(victim, load_us / 2, gain_us, others);
	if (view->settings->max_turn_wait_ms > 0 && until_us > overdue_us)
		until_us = overdue_us;
	return until_us < chain_end_us ? until_us : chain_end_us;
}
