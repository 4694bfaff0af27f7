/* What one decision of the scheduler costs with a ring of 1,000 jobs, in µs. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "config/settings.h"
#include "core/job.h"
#include "core/residency.h"
#include "core/ring.h"
#include "core/scheduler.h"

enum {
	PLACES = 1000,
	DECISIONS = 20000,
	NOW_US = 1000000,
	KEYS = 8,
	PROJECTS = 16,
	FORECASTS = 200,
	SLOTS = 4
};

static struct job jobs[PLACES];

static double seconds_since(const struct timespec *begin)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - begin->tv_sec) + (double)(now.tv_nsec - begin->tv_nsec) / 1e9;
}

static void measure(const char *what, struct scheduler *scheduler,
	const struct scheduler_view *view, const struct job *expected)
{
	struct timespec begin;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int i = 0; i < DECISIONS; i++) {
		if (scheduler_next(scheduler, view).job != expected)
			abort();
	}
	printf("%-44s %8.3f us\n", what, seconds_since(&begin) * 1e6 / DECISIONS);
}

static void measure_forecast(
	const char *what, struct scheduler *scheduler, const struct scheduler_view *view)
{
	struct timespec begin;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int i = 0; i < FORECASTS; i++)
		scheduler_forecast(scheduler, view);
	printf("%-44s %8.3f us\n", what, seconds_since(&begin) * 1e6 / FORECASTS);
}

/* Eight keys, sixteen projects; the first key is loaded, the others wait for their turn. */
static void measure_turns(struct ring *ring, struct tally *tally)
{
	struct settings settings = {.max_concurrent = PLACES, .scheduler = SCHEDULER_TURNS};
	struct scheduler *scheduler = scheduler_create();
	struct residency *residency = residency_create();
	struct scheduler_view view = {
		.now_us = NOW_US,
		.upstream_usable = true,
		.residency = residency,
		.ring = ring,
		.settings = &settings,
	};

	residency_begin(residency);
	residency_add(residency, "model-0", 1, 1, 4096);
	residency_end(residency, NOW_US);
	for (int i = 0; i < PLACES; i++) {
		job_init(&jobs[i], tally);
		jobs[i].record.model = mem_printf("model-%d", i % KEYS);
		jobs[i].record.project = mem_printf("project-%d", i % PROJECTS);
		jobs[i].record.body_complete_us = NOW_US - PLACES + i;
		scheduler_enter(scheduler, &settings, &jobs[i], NULL, NOW_US);
		if (!ring_put(ring, &jobs[i]))
			abort();
		job_set_state(&jobs[i], JOB_QUEUED);
	}
	for (int i = 0; i < KEYS; i++) {
		if (scheduler_next(scheduler, &view).verdict != SCHEDULER_LOOK)
			abort();
		scheduler_looked(scheduler, RUNNER_GENERATES, NOW_US);
	}
	measure("turns: 1,000 of 8 keys wait, one goes", scheduler, &view, &jobs[0]);
	settings.max_concurrent = SLOTS;
	measure_forecast("turns: forecast of 1,000 of 8 keys", scheduler, &view);
	settings.max_concurrent = 0;
	measure("turns: 1,000 of 8 keys wait, none may go", scheduler, &view, NULL);
	for (int i = 0; i < PLACES; i++) {
		ring_remove(ring, &jobs[i]);
		jobs[i].record.outcome = OUTCOME_CANCELLED;
		job_set_state(&jobs[i], JOB_DONE);
		job_finish(&jobs[i]);
	}
	residency_destroy(residency);
	scheduler_destroy(scheduler);
}

int main(void)
{
	struct settings settings = {.max_concurrent = PLACES};
	struct tally tally = {0};
	struct ring *ring = ring_create(PLACES);
	struct scheduler *scheduler = scheduler_create();
	struct scheduler_view view = {
		.now_us = NOW_US,
		.upstream_usable = true,
		.ring = ring,
		.settings = &settings,
	};

	for (int i = 0; i < PLACES; i++) {
		job_init(&jobs[i], &tally);
		if (!ring_put(ring, &jobs[i]))
			abort();
		job_set_state(&jobs[i], JOB_QUEUED);
	}
	measure("1,000 wait, the oldest goes", scheduler, &view, &jobs[0]);
	settings.max_concurrent = SLOTS;
	measure_forecast("forecast of 1,000", scheduler, &view);
	settings.max_concurrent = PLACES;
	for (int i = 0; i < PLACES - 1; i++)
		jobs[i].deadline_us = NOW_US;
	measure("1,000 wait, 999 past their deadline", scheduler, &view, &jobs[PLACES - 1]);
	jobs[PLACES - 1].deadline_us = NOW_US;
	measure("1,000 wait, none may go", scheduler, &view, NULL);
	for (int i = 0; i < PLACES; i++) {
		ring_remove(ring, &jobs[i]);
		job_finish(&jobs[i]);
	}
	scheduler_destroy(scheduler);
	measure_turns(ring, &tally);
	ring_destroy(ring);
	return EXIT_SUCCESS;
}
