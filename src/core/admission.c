#include "core/admission.h"

#include "config/settings.h"
#include "core/job.h"

enum {
	RETRY_AFTER_LEAST_S = 1,
	RETRY_AFTER_MOST_S = 60,
	US_PER_S = 1000 * 1000,
};

/* 0 = no limit. */
static bool is_over(uint64_t value, int64_t limit)
{
	return limit > 0 && value > (uint64_t)limit;
}

/* Is value + more? Without body_max an announced length can be so large that the sum wraps. */
static bool leads_over(uint64_t value, uint64_t more, int64_t limit)
{
	return is_over(more, limit) || (limit > 0 && value > (uint64_t)limit - more);
}

enum outcome admission_at_head(const struct admission *admission, uint64_t length)
{
	if (admission->draining)
		return OUTCOME_SHUTTING_DOWN;
	if (is_over(length, admission->settings->body_max))
		return OUTCOME_BODY_TOO_LARGE;
	/* The job that asks is counted among the reading ones already. */
	if (is_over(admission->tally->reading, admission->settings->max_reading))
		return OUTCOME_QUEUE_FULL;
	if (leads_over(admission->bodies_bytes, length, admission->settings->body_total))
		return OUTCOME_QUEUE_FULL;
	return OUTCOME_NONE;
}

enum outcome admission_at_body(const struct admission *admission, uint64_t bytes)
{
	if (is_over(bytes, admission->settings->body_max))
		return OUTCOME_BODY_TOO_LARGE;
	if (is_over(admission->bodies_bytes, admission->settings->body_total))
		return OUTCOME_QUEUE_FULL;
	return OUTCOME_NONE;
}

enum outcome admission_at_queue(const struct admission *admission)
{
	/* It came in before the drain began: "waiting jobs are still served" counts it as waiting.
	 */
	if (admission->tally->queued >=
		(uint64_t)admission->settings->max_queue_size + admission->startable)
		return OUTCOME_QUEUE_FULL;
	return OUTCOME_NONE;
}

/* As many more wait as will start in this turn's tail. */
static bool is_group_full(const struct job_group *group, int64_t waiting_most, int64_t running_most,
	uint64_t startable)
{
	if (waiting_most <= 0 || !group)
		return false;
	if (running_most > 0) {
		uint64_t most = (uint64_t)running_most;
		uint64_t left = group->running < most ? most - group->running : 0;

		startable = startable < left ? startable : left;
	}
	return group->waiting >= (uint64_t)waiting_most + startable;
}

enum outcome admission_at_groups(const struct admission *admission, const struct policy *policy,
	const struct job_group *project, const struct job_group *model)
{
	if (is_group_full(project, policy->project_max_queue_size, policy->project_max_concurrent,
		    admission->startable) ||
		is_group_full(model, policy->model_max_queue_size, policy->model_max_concurrent,
			admission->startable))
		return OUTCOME_QUEUE_FULL;
	return OUTCOME_NONE;
}

int admission_retry_after(const struct admission *admission, int64_t service_us)
{
	uint64_t ahead = admission->tally->queued + admission->tally->in_progress;
	int64_t slots =
		admission->slots > 0 ? admission->slots : admission->settings->max_concurrent;
	int64_t seconds;

	if (slots < 1)
		slots = 1;
	if (service_us <= 0)
		service_us = US_PER_S;
	if (service_us > (int64_t)RETRY_AFTER_MOST_S * US_PER_S)
		service_us = (int64_t)RETRY_AFTER_MOST_S * US_PER_S;
	/* A place is free when the jobs ahead of a newcomer have shrunk by one slot's share; the
	 * whole queue passes in ahead · service / slots. Half of that spreads those who come back
	 * over the time in which places become free. */
	seconds = ((int64_t)ahead * service_us / slots / 2 + US_PER_S - 1) / US_PER_S;
	if (seconds < RETRY_AFTER_LEAST_S)
		return RETRY_AFTER_LEAST_S;
	return seconds > RETRY_AFTER_MOST_S ? RETRY_AFTER_MOST_S : (int)seconds;
}
