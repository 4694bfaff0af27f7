/* What the turn is doing and why a job waits, in words for people (PRODUCT 6.2, 6.6). */
#include <inttypes.h>
#include <stdio.h>

#include "config/settings.h"
#include "core/turns_parts.h"

/* The loaded one that has most to do; NULL: none is loaded. */
static const struct runner *busiest(const struct turns *turns)
{
	const struct list *node;
	const struct runner *best = NULL;

	LIST_EACH(&turns->runners.all, node)
	{
		const struct runner *runner = CONTAINER_OF(node, struct runner, link);
		uint64_t work = runner->jobs.running + runner->survey.waiting;

		if (!runner->is_resident)
			continue;
		if (!best || work > best->jobs.running + best->survey.waiting)
			best = runner;
	}
	return best;
}

static const struct runner *cut_one(const struct turns *turns)
{
	const struct list *node;

	LIST_EACH(&turns->runners.all, node)
	{
		const struct runner *runner = CONTAINER_OF(node, struct runner, link);

		if (runner->is_cut)
			return runner;
	}
	return busiest(turns);
}

static const struct runner *subject(const struct turns *turns)
{
	switch (turns->state) {
	case TURN_LOADING:
		return turns->target;
	case TURN_UNLOADING:
		return turns->victim;
	case TURN_DRAINING:
		return cut_one(turns);
	case TURN_SERVING:
	case TURN_HOLDING:
		break;
	}
	return busiest(turns);
}

static const struct runner *next_one(const struct turns *turns, const struct scheduler_view *view)
{
	if (turns->target && turns->state != TURN_LOADING)
		return turns->target;
	return turns_choose(turns, view);
}

/* Smaller is served earlier: what is loaded, what is being loaded, then by the rule's index. */
static double order(
	const struct turns *turns, const struct runner *runner, const struct scheduler_view *view)
{
	if (runner->is_resident)
		return -2;
	if (runner == turns->target)
		return -1;
	return 1 / (1 + turns_index(turns, runner, view));
}

static void count_ahead(struct turns *turns, const struct scheduler_view *view)
{
	struct list *node;
	const struct list *other_node;

	LIST_EACH(&turns->runners.all, node)
	{
		struct runner *runner = CONTAINER_OF(node, struct runner, link);

		if (runner->survey.waiting == 0 || runner->is_resident)
			continue;
		LIST_EACH(&turns->runners.all, other_node)
		{
			const struct runner *other = CONTAINER_OF(other_node, struct runner, link);

			if (other != runner && other->survey.waiting > 0 &&
				order(turns, other, view) < order(turns, runner, view))
				runner->survey.ahead += other->survey.waiting;
		}
	}
}

int64_t turns_slots(const struct turns *turns, const struct settings *settings)
{
	const struct list *node;
	int64_t sum = 0;

	LIST_EACH(&turns->runners.all, node)
	{
		const struct runner *runner = CONTAINER_OF(node, struct runner, link);

		if (runner->is_resident && runner->jobs.waiting + runner->jobs.running > 0)
			sum += lane_limit(runner->lane, settings);
	}
	return sum;
}

/* Of the busiest, else of what is there to come. */
static struct lane_report report_lane(const struct turns *turns, const struct settings *settings)
{
	const struct runner *runner = busiest(turns) ? busiest(turns) : turns->target;

	if (runner)
		return lane_report(runner->lane, settings);
	return (struct lane_report){
		.limit = lane_start(settings),
		.least = lane_start(settings),
		.most = lane_start(settings),
		.reason = settings->concurrency == CONCURRENCY_FIXED
				  ? "fixed by max_concurrent"
				  : "max_concurrent: nothing is measured yet",
	};
}

void turns_report(
	struct turns *turns, const struct scheduler_view *view, struct scheduler_report *ret_report)
{
	const struct runner *runner;
	const struct runner *next;

	turns_survey(turns, view);
	count_ahead(turns, view);
	turns->told = 0;
	runner = subject(turns);
	next = next_one(turns, view);
	*ret_report = (struct scheduler_report){
		.has_turns = true,
		.state = turns->is_holding && turns->state != TURN_UNLOADING &&
					 turns->state != TURN_LOADING
				 ? TURN_HOLDING
				 : turns->state,
		.runner = runner ? runner->key : NULL,
		.next = next ? next->key : NULL,
		.since_us = turns->since_us,
		.served = runner ? runner->served : 0,
		.left = runner ? runner->survey.waiting : 0,
		.lane = report_lane(turns, view->settings),
	};
}

static void explain_turn(struct turns *turns, const struct scheduler_view *view,
	const struct runner *runner, char *reason)
{
	const struct runner *served = subject(turns);
	const struct runner *next = next_one(turns, view);

	if (runner->kind == RUNNER_UNKNOWN && !runner->is_resident)
		snprintf(reason, SCHEDULER_REASON_BYTES, "Ollama is asked about %s", runner->model);
	else if (turns->state == TURN_LOADING && runner == turns->target)
		snprintf(reason, SCHEDULER_REASON_BYTES, "%s is being loaded", runner->key);
	else if (runner->is_cut || runner == turns->victim)
		snprintf(reason, SCHEDULER_REASON_BYTES, "%s gives way to %s", runner->key,
			turns->target ? turns->target->key : "another model");
	else if (runner->is_resident)
		snprintf(reason, SCHEDULER_REASON_BYTES,
			"%s is being served, %" PRIu64 " before this one", runner->key,
			runner->survey.told);
	else if (turns->state == TURN_LOADING)
		snprintf(reason, SCHEDULER_REASON_BYTES, "%s is being loaded; %s next",
			turns->target->key, next ? next->key : runner->key);
	else if (served)
		snprintf(reason, SCHEDULER_REASON_BYTES,
			"%s is being served, %" PRIu64 " left; %s next", served->key,
			served->survey.waiting + served->jobs.running,
			next ? next->key : runner->key);
	else
		snprintf(reason, SCHEDULER_REASON_BYTES, "%s is loaded next",
			next ? next->key : runner->key);
}

int64_t turns_explain(struct turns *turns, const struct scheduler_view *view, const struct job *job,
	char ret_reason[SCHEDULER_REASON_BYTES])
{
	struct runner *runner = job->runner;

	if (!runner || runner->kind == RUNNER_NOT_LOCAL) {
		snprintf(ret_reason, SCHEDULER_REASON_BYTES, "waits for a free slot");
		return (int64_t)++turns->told;
	}
	explain_turn(turns, view, runner, ret_reason);
	runner->survey.told++;
	if (runner->is_resident)
		return (int64_t)++turns->told;
	return (int64_t)(runner->survey.ahead + runner->survey.told);
}
