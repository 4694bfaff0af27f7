/* Which of the waiting jobs is sent, and whether any can be (PRODUCT 3.1). */
#include "config/settings.h"
#include "core/lane.h"
#include "core/turns/turns_parts.h"

void turns_look_again(int64_t *look_again_us, int64_t at_us, int64_t now_us)
{
	if (at_us > now_us && (!*look_again_us || at_us < *look_again_us))
		*look_again_us = at_us;
}

static bool is_served(const struct turns *turns, const struct runner *runner)
{
	return runner->is_resident && !runner->is_cut && runner != turns->victim &&
	       !(turns->state == TURN_LOADING && turns->is_trial);
}

/* As many run on it as Ollama serves at once, those included that a client left behind. */
static bool is_full(
	const struct runner *runner, const struct scheduler_view *view, int64_t *look_again_us)
{
	uint64_t busy = lane_busy(runner->lane, runner->jobs.running, view->now_us) + view->others;

	if (busy < (uint64_t)lane_limit(runner->lane, view->settings))
		return false;
	turns_look_again(look_again_us, lane_look_again_us(runner->lane), view->now_us);
	return true;
}

struct job *turns_choose_job(
	const struct turns *turns, const struct scheduler_view *view, int64_t *look_again_us)
{
	const struct list *node;
	struct job *best = NULL;
	enum job_class best_class = CLASS_UNSET;

	if (view->in_progress >= (uint64_t)lane_total(view->settings))
		return NULL;
	if (turns->survey.loose)
		return turns->survey.loose;
	LIST_EACH(&turns->runners.all, node)
	{
		const struct runner *runner = CONTAINER_OF(node, struct runner, link);
		struct job *job = runner->survey.next;

		if (!job || !is_served(turns, runner) || is_full(runner, view, look_again_us))
			continue;
		if (best && !turns_goes_before(job, runner->survey.next_class, best, best_class))
			continue;
		best = job;
		best_class = runner->survey.next_class;
	}
	return best;
}

bool turns_are_all_full(
	const struct turns *turns, const struct scheduler_view *view, int64_t *look_again_us)
{
	const struct list *node;

	if (turns->state != TURN_SERVING || turns->target || turns->is_holding ||
		turns->nameless.waiting > 0)
		return false;
	LIST_EACH(&turns->runners.all, node)
	{
		const struct runner *runner = CONTAINER_OF(node, struct runner, link);

		if (runner->is_cut || runner->owes_preload)
			return false;
		if (runner->jobs.waiting > 0 &&
			(!turns_runs_here(runner) || !is_served(turns, runner) ||
				!is_full(runner, view, look_again_us)))
			return false;
	}
	return true;
}
