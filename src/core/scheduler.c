#include "core/scheduler.h"

#include <stdlib.h>

#include "base/memory.h"
#include "config/settings.h"
#include "core/job.h"
#include "core/ring.h"

/* Weight of a new sample in the mean time that a slot is held: the last ten or so jobs count. */
#define SERVICE_WEIGHT 0.2

struct scheduler {
	double service_us; /* 0: none yet */
};

struct scheduler *scheduler_create(void)
{
	return mem_zalloc(sizeof(struct scheduler));
}

void scheduler_destroy(struct scheduler *scheduler)
{
	free(scheduler);
}

uint64_t scheduler_free_slots(
	const struct scheduler *scheduler, const struct settings *settings, uint64_t in_progress)
{
	uint64_t most = (uint64_t)settings->max_concurrent;

	return in_progress < most ? most - in_progress : 0;
}

struct scheduler_answer scheduler_next(
	struct scheduler *scheduler, const struct scheduler_view *view)
{
	struct scheduler_answer nothing = {.verdict = SCHEDULER_NOTHING};

	if (view->paused || !view->upstream_usable)
		return nothing;
	if (scheduler_free_slots(scheduler, view->settings, view->in_progress) == 0)
		return nothing;
	for (size_t i = 0; i < ring_count(view->ring); i++) {
		struct job *job = ring_at(view->ring, i);

		if (job->state != JOB_QUEUED)
			continue;
		/* Work past its deadline is never dispatched; its own timer ends it. */
		if (job->deadline_us && job->deadline_us <= view->now_us)
			continue;
		return (struct scheduler_answer){.verdict = SCHEDULER_DISPATCH, .job = job};
	}
	return nothing;
}

void scheduler_slot_freed(struct scheduler *scheduler, const struct job *job, int64_t held_us)
{
	double sample = (double)held_us;

	if (scheduler->service_us <= 0)
		scheduler->service_us = sample;
	else
		scheduler->service_us += SERVICE_WEIGHT * (sample - scheduler->service_us);
}

int64_t scheduler_service_us(const struct scheduler *scheduler)
{
	return (int64_t)scheduler->service_us;
}
