/* Clients that will not wait for ever, as relay/in_time.c has them: told early, and their places
 * are kept for those that come back. */
#include <string.h>

#include "core/patience.h"
#include "lives_parts.h"

enum {
	US_PER_MS = 1000,
	STEP_US = 400 * US_PER_MS,
	STEPS = 40,
	PATIENT_ONE_OF = 4,
	PATIENT_REST = 3,
};

/* In half of the worlds. */
void carried_note_patience(const struct world *world, struct carried *carried, uint32_t how)
{
	if (!world->has_patience || (how >> 8) % PATIENT_ONE_OF != PATIENT_REST)
		return;
	carried->job.policy.patience_us = STEP_US * (1 + (how >> 12) % STEPS);
	/* All of them are alike but for their model, so that some come back by chance. */
	strcpy(carried->job.record.client_ip, "10.0.0.1");
}

void carried_begin_patience(struct world *world, struct carried *carried)
{
	struct job *job = &carried->job;

	places_claim(&world->places, job, world->now_us);
	if (job->came_us < job->record.body_complete_us)
		world->seen->came_back++;
	carried->first_us = job->came_us;
	if (world->fault == FAULT_PLACE_LOST)
		job->came_us = job->record.body_complete_us;
	patience_update(job, scheduler_expected_us(world->scheduler, job));
	world->is_patience_due = true;
}

void carried_out_of_time(struct world *world, struct carried *carried)
{
	struct job *job = &carried->job;
	int64_t service_us = scheduler_expected_us(world->scheduler, job);
	int retry_after = patience_retry_after(job, job->start_us, service_us);

	check_retry_after(world, retry_after);
	places_keep(&world->places, job, retry_after, world->now_us);
	carried_fail(world, carried, OUTCOME_NO_TIME_LEFT);
}

bool world_test_patience(struct world *world, const struct scheduler_view *view)
{
	size_t waiting = world->in_state_count[JOB_QUEUED];

	if (!world->is_patience_due)
		return false;
	world->is_patience_due = false;
	scheduler_forecast(world->scheduler, view);
	for (size_t i = world->in_state_count[JOB_QUEUED]; i > 0; i--) {
		struct carried *carried = world->in_state[JOB_QUEUED][i - 1];
		int64_t service_us = scheduler_expected_us(world->scheduler, &carried->job);

		world_demand(
			world, carried->job.start_us >= 0, "forecast: none for one that waits");
		patience_update(&carried->job, service_us);
		carried_arm(world, carried);
		/* What is expected now leaves it no time: its timer fires at once. */
		if (carried->job.patience_due_us && carried->job.patience_due_us <= world->now_us)
			carried_out_of_time(world, carried);
		else if (!view->paused && view->upstream_usable &&
			 !scheduler_loads_for(world->scheduler, &carried->job) &&
			 patience_is_late(
				 &carried->job, world->now_us, carried->job.start_us, service_us))
			carried_out_of_time(world, carried);
	}
	return world->in_state_count[JOB_QUEUED] < waiting;
}
