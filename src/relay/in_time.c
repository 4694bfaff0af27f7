/* Clients that will not wait for ever (PRODUCT 3.5): whoever cannot be answered in time is told so,
 * with a time at which it can be, and its place is kept. */
#include <time.h>

#include <event2/event.h>

#include "base/delay.h"
#include "base/memory.h"
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
	relay->has_patient |= job->policy.patience_us > 0;
}

enum { US_PER_S = 1000 * 1000, NS_PER_US = 1000 };

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

/* They are to come back after all those that were told so before them. Once in a turn of the loop:
 * many clients' times may be up in the same moment. */
static void forecast_return(struct relay *relay)
{
	struct scheduler_view view = relay->parts.on_view(relay->parts.arg);

	if (relay->told_us == view.now_us)
		return;
	relay->told_us = view.now_us;
	view.all_are_back = true;
	scheduler_forecast(relay->parts.scheduler, &view);
}

void relay_out_of_time(struct relay_job *carried)
{
	forecast_return(carried->relay);
	refuse(carried);
}

static bool is_patient(const struct job *job)
{
	return job->state == JOB_QUEUED && job->policy.patience_us > 0;
}

/* What is expected changes with each answer. */
static void update_all(struct relay *relay)
{
	struct list *node;

	LIST_EACH(&relay->jobs, node)
	{
		struct job *job = CONTAINER_OF(node, struct job, link);

		if (!is_patient(job))
			continue;
		patience_update(job, scheduler_expected_us(relay->parts.scheduler, job));
		relay_arm(relay_job_of(job));
	}
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

static void test_patience(struct relay *relay)
{
	struct scheduler_view view = relay->parts.on_view(relay->parts.arg);
	struct list *node;
	struct list *following;

	/* Nobody knows when the gates open: then only its own time ends a wait. */
	if (view.paused || !view.upstream_usable)
		return;
	scheduler_forecast(relay->parts.scheduler, &view);
	relay->told_us = 0;
	if (!find_late(relay, &view))
		return;
	forecast_return(relay);
	LIST_EACH_SAFE(&relay->jobs, node, following)
	{
		struct job *job = CONTAINER_OF(node, struct job, link);

		if (job->is_late)
			refuse(relay_job_of(job));
	}
}

/* In whatever state: it may wait again. */
static bool has_patient(const struct relay *relay)
{
	struct list *node;

	LIST_EACH(&relay->jobs, node)
	{
		if (CONTAINER_OF(node, struct job, link)->policy.patience_us > 0)
			return true;
	}
	return false;
}

static int64_t cpu_us(void)
{
	struct timespec used = {0};

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (int64_t)used.tv_sec * US_PER_S + used.tv_nsec / NS_PER_US;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct relay *relay = arg;

	relay->parts.on_changed(relay->parts.arg);
}

static void wake_at(struct relay *relay, int64_t wait_us)
{
	if (!relay->patience_wake)
		relay->patience_wake = evtimer_new(relay->parts.base, on_wake, relay);
	if (!relay->patience_wake)
		mem_out(sizeof(*relay));
	if (!evtimer_pending(relay->patience_wake, NULL))
		delay_start(relay->patience_wake, wait_us);
}

void relay_test_patience(struct relay *relay)
{
	int64_t rest_us = relay->patience_rests_until_us - ticker_now_us();
	int64_t begun_us;

	if (!relay->is_patience_due)
		return;
	if (rest_us > 0) {
		wake_at(relay, rest_us);
		return;
	}
	relay->is_patience_due = false;
	/* Most boxes have no such client: then not even all jobs are looked at. */
	if (!relay->has_patient)
		return;
	relay->has_patient = has_patient(relay);
	if (!relay->has_patient)
		return;
	begun_us = cpu_us();
	update_all(relay);
	test_patience(relay);
	relay->patience_rests_until_us = ticker_now_us() + patience_rest_us(cpu_us() - begun_us);
}
