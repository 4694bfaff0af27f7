/*
 * What one decision of the scheduler costs with a ring of 1,000 jobs, in µs of the processor, the
 * caches warm. PRODUCT's issue of the scheduler wants at most 20 with turns.
 */
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
	DECISIONS = 500,
	ROUNDS = 40,
	NOW_US = 1000000,
	KEYS = 20,
	PROJECTS = 16,
	OVERDUE_US = 2000,
	FIRST_INTERACTIVE = 20, /* of the first key, see apply_rules() */
	FORECASTS = 20,
	SLOTS = 4,
};

static struct job jobs[PLACES];

static double cpu_us(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (double)used.tv_sec * 1e6 + (double)used.tv_nsec / 1e3;
}

/* The best of some rounds: what others do on the machine is not its cost. */
static void measure(const char *what, struct scheduler *scheduler,
	const struct scheduler_view *view, const struct job *expected)
{
	double best_us = 0;

	for (int round = 0; round < ROUNDS; round++) {
		double begin_us = cpu_us();
		double took_us;

		for (int i = 0; i < DECISIONS; i++) {
			if (scheduler_next(scheduler, view).job != expected)
				abort();
		}
		took_us = (cpu_us() - begin_us) / DECISIONS;
		if (round == 0 || took_us < best_us)
			best_us = took_us;
	}
	printf("%-44s %8.3f us\n", what, best_us);
}

static void measure_forecast(
	const char *what, struct scheduler *scheduler, const struct scheduler_view *view)
{
	double begin_us = cpu_us();

	for (int i = 0; i < FORECASTS; i++)
		scheduler_forecast(scheduler, view);
	printf("%-44s %8.3f us\n", what, (cpu_us() - begin_us) / FORECASTS);
}

/* All that GET /api/v1/queue/requests asks the scheduler. */
static void measure_list(
	const char *what, struct scheduler *scheduler, const struct scheduler_view *view)
{
	char reason[SCHEDULER_REASON_BYTES];
	double begin_us = cpu_us();

	for (int i = 0; i < FORECASTS; i++) {
		scheduler_rank(scheduler, view);
		for (int j = 0; j < PLACES; j++)
			scheduler_explain(scheduler, view, &jobs[j], reason);
	}
	printf("%-44s %8.3f us\n", what, (cpu_us() - begin_us) / FORECASTS);
}

static void apply_rules(struct policy *policy, int i, bool has_rules)
{
	if (!has_rules)
		return;
	policy->job_class = (enum job_class)(CLASS_BATCH + i % CLASS_INTERACTIVE);
	policy->weight = 1 + i % 2;
	policy->project_max_concurrent = PLACES;
	policy->model_max_concurrent = PLACES;
}

/* All wait longer than they should, and of each project one more runs than may. */
static void measure_overdue(
	struct scheduler *scheduler, struct scheduler_view *view, struct settings *settings)
{
	settings->max_turn_wait_ms = 1;
	view->now_us += PLACES + OVERDUE_US;
	for (int i = 0; i < PLACES; i++)
		jobs[i].groups[GROUP_PROJECT]->running_most = 1;
	measure("turns: ... all overdue, caps of one", scheduler, view, &jobs[0]);
	for (int i = 0; i < PLACES; i++)
		jobs[i].groups[GROUP_PROJECT]->running_most = PLACES;
	settings->max_turn_wait_ms = 0;
	view->now_us = NOW_US;
}

/* Twenty keys, sixteen projects; the first key is loaded, the others wait for their turn. */
static void measure_turns(struct ring *ring, struct tally *tally, bool has_rules, int projects)
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
		jobs[i].record.project = mem_printf("project-%d", i % projects);
		jobs[i].record.body_complete_us = NOW_US - PLACES + i;
		apply_rules(&jobs[i].policy, i, has_rules);
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
	measure(has_rules ? "turns: 20 keys, classes and caps, one goes"
			  : "turns: 1,000 of 20 keys wait, one goes",
		scheduler, &view, &jobs[has_rules ? FIRST_INTERACTIVE : 0]);
	if (has_rules)
		measure_overdue(scheduler, &view, &settings);
	settings.max_concurrent = SLOTS;
	measure_forecast(has_rules ? "turns: forecast, 20 keys, classes and caps"
				   : "turns: forecast of 1,000 of 20 keys",
		scheduler, &view);
	measure_list(has_rules ? "turns: places and reasons, classes and caps"
			       : "turns: places and reasons of 1,000",
		scheduler, &view);
	settings.max_concurrent = 0;
	measure(has_rules ? "turns: 20 keys, classes and caps, none may go"
			  : "turns: 1,000 of 20 keys wait, none may go",
		scheduler, &view, NULL);
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
	measure_turns(ring, &tally, false, PROJECTS);
	measure_turns(ring, &tally, true, PROJECTS);
	printf("each of its own project:\n");
	measure_turns(ring, &tally, true, PLACES);
	ring_destroy(ring);
	return EXIT_SUCCESS;
}
