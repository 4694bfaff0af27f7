/* What the turn is doing and why a job waits, in words for people (PRODUCT 6.2, 6.6). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/settings.h"
#include "core/turns/turns_parts.h"

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

void turns_rank(struct turns *turns, const struct scheduler_view *view)
{
	turns_survey(turns, view);
	turns_rank_all(turns, view);
	turns->told_subject = subject(turns);
	turns->told_next = next_one(turns, view);
}

/* What its class does to it, if it is not the usual one. */
static void explain_class(
	const struct scheduler_view *view, const struct job *job, char *reason, size_t bytes)
{
	static const char *const names[CLASSES] = {
		[CLASS_BATCH] = "batch",
		[CLASS_NORMAL] = "normal",
		[CLASS_INTERACTIVE] = "interactive",
	};
	enum job_class own = job->policy.job_class;
	enum job_class now = turns_class(job, view);

	if (own == CLASS_NORMAL)
		return;
	if (now != own)
		snprintf(reason, bytes, "; %s, waited long enough to go as %s", names[own],
			names[now]);
	else
		snprintf(reason, bytes, "; %s: goes %s the others", names[own],
			own == CLASS_BATCH ? "after" : "before");
}

static bool gives_way(const struct turns *turns, const struct runner *runner)
{
	return runner->is_cut || runner == turns->victim;
}

static void explain_turn(
	const struct turns *turns, const struct runner *runner, uint64_t before, char *reason)
{
	const struct runner *served = turns->told_subject;
	const struct runner *next = turns->told_next;

	if (runner->kind == RUNNER_UNKNOWN && !runner->is_resident)
		snprintf(reason, SCHEDULER_REASON_BYTES, "Ollama is asked about %s", runner->model);
	else if (turns->state == TURN_LOADING && runner == turns->target)
		snprintf(reason, SCHEDULER_REASON_BYTES, "%s is being loaded", runner->key);
	else if (gives_way(turns, runner))
		snprintf(reason, SCHEDULER_REASON_BYTES, "%s gives way to %s", runner->key,
			turns->target ? turns->target->key : "another model");
	else if (runner->is_resident)
		snprintf(reason, SCHEDULER_REASON_BYTES,
			"%s is being served, %" PRIu64 " before this one", runner->key, before);
	else if (turns->state == TURN_LOADING)
		snprintf(reason, SCHEDULER_REASON_BYTES, "%s is being loaded; %s next",
			turns->target->key, next ? next->key : runner->key);
	else if (served && turns->is_holding)
		snprintf(reason, SCHEDULER_REASON_BYTES,
			"%s is held a moment for a client that comes back; %s next", served->key,
			next ? next->key : runner->key);
	else if (served)
		snprintf(reason, SCHEDULER_REASON_BYTES,
			"%s is being served, %" PRIu64 " left; %s next", served->key,
			served->survey.waiting + served->jobs.running,
			next ? next->key : runner->key);
	else
		snprintf(reason, SCHEDULER_REASON_BYTES, "%s is loaded next",
			next ? next->key : runner->key);
}

int64_t turns_explain(const struct turns *turns, const struct scheduler_view *view,
	const struct job *job, char ret_reason[SCHEDULER_REASON_BYTES])
{
	const struct runner *runner = job->runner;
	uint64_t before = job->before;
	size_t used;

	if (turns_is_held_back(&turns->survey, job) && !gives_way(turns, runner))
		snprintf(ret_reason, SCHEDULER_REASON_BYTES,
			"the free slot of its project or model is kept for an older job, which is "
			"overdue for another model");
	else if (turns_is_loose(job))
		snprintf(ret_reason, SCHEDULER_REASON_BYTES, "waits for a free slot");
	else
		explain_turn(turns, runner, before, ret_reason);
	used = strlen(ret_reason);
	explain_class(view, job, ret_reason + used, SCHEDULER_REASON_BYTES - used);
	if (!turns_is_loose(job) && !runner->is_resident)
		before += runner->survey.ahead;
	return (int64_t)before + 1;
}
