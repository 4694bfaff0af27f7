/* What no job waits for where jobs go in order of arrival: preload and keep_alive (PRODUCT 5).
 * Ollama chooses what is loaded there; so ours comes when nothing else goes on, and no job waits
 * for it. */
#include <string.h>

#include "core/residency.h"
#include "core/turns/turns_parts.h"

static bool is_sibling(const struct runner *one, const struct runner *other)
{
	return one != other && strcmp(one->model, other->model) == 0;
}

/* Ollama holds one of a model. */
static void forget_siblings(struct turns *turns, const struct runner *runner)
{
	struct list *node;

	LIST_EACH(&turns->runners.all, node)
	{
		struct runner *other = CONTAINER_OF(node, struct runner, link);

		if (is_sibling(runner, other))
			turns_forget_turn(other);
	}
}

void turns_note_sending(struct turns *turns, const struct runner *runner)
{
	struct list *node;

	LIST_EACH(&turns->runners.all, node)
	{
		struct runner *other = CONTAINER_OF(node, struct runner, link);

		if (is_sibling(runner, other))
			other->is_known_key = false;
	}
}

void turns_note_answer(struct turns *turns, struct runner *runner, bool was_loaded, int64_t now_us)
{
	forget_siblings(turns, runner);
	if (!runner->is_resident)
		turns_begin_turn(runner, now_us);
	runner->is_known_key = true;
	if (!was_loaded)
		keep_alive_note_load(&runner->keep_alive);
}

struct scheduler_answer turns_next_own(
	struct turns *turns, const struct scheduler_view *view, bool is_quiet)
{
	struct scheduler_answer answer = {.verdict = SCHEDULER_NOTHING};
	struct turns_plan plan;
	struct runner *target;

	turns_move_copies(turns, view);
	turns_sync_residency(turns, view);
	if (view->paused || !view->upstream_usable || view->company != COMPANY_NONE ||
		residency_asked_us(view->residency) == 0 || turns_free_load(turns, view, &answer))
		return answer;
	if (!is_quiet || turns->state == TURN_UNLOADING || turns->state == TURN_LOADING)
		return answer;
	turns_survey(turns, view);
	if (turns_look_for_own(turns, &answer))
		return answer;
	turns_rest(turns, view->now_us);
	if (turns_plan_preload(turns, view, &plan, &target))
		return turns_carry_out(turns, &plan, target, view->now_us);
	return answer;
}

/* An empty request with other options than the loaded ones would load the model again: what /api/ps
 * lists may be any key of it, unless one has answered or there is only one. */
static bool is_surely_loaded(const struct turns *turns, const struct runner *runner)
{
	const struct list *node;

	if (runner->is_known_key)
		return true;
	LIST_EACH(&turns->runners.all, node)
	{
		if (is_sibling(runner, CONTAINER_OF(node, const struct runner, link)))
			return false;
	}
	return true;
}

const char *turns_touch_own(
	struct turns *turns, const struct scheduler_view *view, struct runner **ret_runner)
{
	return turns_touch_where(turns, view, is_surely_loaded, ret_runner);
}
