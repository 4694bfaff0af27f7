/* What one decision of the scheduler costs with a ring of 1,000 jobs, in µs. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "config/settings.h"
#include "core/job.h"
#include "core/ring.h"
#include "core/scheduler.h"

enum { PLACES = 1000, DECISIONS = 20000, NOW_US = 1000000 };

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
	ring_destroy(ring);
	return EXIT_SUCCESS;
}
