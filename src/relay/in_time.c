/* Clients that will not wait for ever (PRODUCT 3.5): whoever cannot be answered in time is told so,
 * with a time at which it can be, and its place is kept. */
#include "base/ticker.h"
#include "config/settings.h"
#include "core/patience.h"
#include "core/scheduler.h"
#include "relay/relay_parts.h"

void relay_begin_patience(struct relay_job *carried)
{
	struct relay *relay = carried->relay;
	struct job *job = &carried->job;

	places_claim(&relay->places, job, ticker_now_us());
	patience_update(job, scheduler_expected_us(relay->parts.scheduler, job));
	relay->is_patience_due |= job->patience_due_us != 0;
}

/* Its start was forecast. The job must not be used afterwards. */
static void refuse(struct relay_job *carried)
{
	struct relay *relay = carried->relay;
	struct job *job = &carried->job;
	int64_t service_us = scheduler_expected_us(relay->parts.scheduler, job);

	carried->retry_after = patience_retry_after(job, job->start_us, service_us);
	places_keep(&relay->places, job, carried->retry_after, ticker_now_us());
	relay_fail(carried, OUTCOME_NO_TIME_LEFT, NULL);
}

void relay_out_of_time(struct relay_job *carried)
{
	struct relay_parts *parts = &carried->relay->parts;
	struct scheduler_view view = parts->on_view(parts->arg);

	view.all_are_back = true;
	scheduler_forecast(parts->scheduler, &view);
	refuse(carried);
}

static bool is_patient(const struct job *job)
{
	return job->state == JOB_QUEUED && job->policy.patience_us > 0;
}

/* What is expected changes with each answer. false: nobody announced anything. */
static bool update_all(struct relay *relay)
{
	struct list *node;
	bool is_somebody = false;

	LIST_EACH(&relay->jobs, node)
	{
		struct job *job = CONTAINER_OF(node, struct job, link);

		if (!is_patient(job))
			continue;
		is_somebody = true;
		patience_update(job, scheduler_expected_us(relay->parts.scheduler, job));
		relay_arm(relay_job_of(job));
	}
	return is_somebody;
}

/* Who will be late? false: nobody. */
static bool find_late(struct relay *relay, const struct scheduler_view *view)
{
	struct list *node;
	bool is_somebody = false;

	LIST_EACH(&relay->jobs, node)
	{
		struct job *job = CONTAINER_OF(node, struct job, link);

		/* An impatient client must not keep a model from ever being loaded: the first of
		 * those that wait for it is told when its load has begun. */
		job->is_late = is_patient(job) &&
			       !scheduler_loads_for(relay->parts.scheduler, job) &&
			       patience_is_late(job, view->now_us, job->start_us,
				       scheduler_expected_us(relay->parts.scheduler, job));
		is_somebody |= job->is_late;
	}
	return is_somebody;
}

void relay_test_patience(struct relay *relay)
{
	struct scheduler_view view;
	struct list *node;
	struct list *following;

	if (!relay->is_patience_due)
		return;
	relay->is_patience_due = false;
	view = relay->parts.on_view(relay->parts.arg);
	/* Nobody knows when the gates open: then only its own time ends a wait. */
	if (!update_all(relay) || view.paused || !view.upstream_usable)
		return;
	scheduler_forecast(relay->parts.scheduler, &view);
	if (!find_late(relay, &view))
		return;
	/* They are to come back after all those that were told so before them. */
	view.all_are_back = true;
	scheduler_forecast(relay->parts.scheduler, &view);
	LIST_EACH_SAFE(&relay->jobs, node, following)
	{
		struct job *job = CONTAINER_OF(node, struct job, link);

		if (job->is_late)
			refuse(relay_job_of(job));
	}
}
