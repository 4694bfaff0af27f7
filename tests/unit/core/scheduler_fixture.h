/*
 * A scheduler, its ring and what Ollama has loaded, with fake time: what the tests of the scheduler
 * begin with. They say what the settings are, and how jobs are sent and finished.
 */
#ifndef SO_TESTS_UNIT_CORE_SCHEDULER_FIXTURE_H
#define SO_TESTS_UNIT_CORE_SCHEDULER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "config/settings.h"
#include "core/job.h"
#include "core/residency.h"
#include "core/ring.h"
#include "core/scheduler.h"
#include "core/share.h"

enum { JOBS = 128 };

static const int64_t S = 1000000;

static struct job jobs[JOBS];
static int job_count;
static struct tally tally;
static struct settings settings;
static struct ring *ring;
static struct residency *residency;
static struct scheduler *scheduler;
static int64_t now_us;
static enum runner_kind kind; /* of whatever is asked about */

static inline void begin(struct settings wanted)
{
	tally = (struct tally){0};
	settings = wanted;
	ring = ring_create(JOBS);
	residency = residency_create();
	scheduler = scheduler_create();
	now_us = 1000 * S;
	job_count = 0;
	kind = RUNNER_GENERATES;
}

static inline int teardown(void **state)
{
	for (int i = 0; i < job_count; i++) {
		if (jobs[i].in_ring)
			ring_remove(ring, &jobs[i]);
		job_finish(&jobs[i]);
	}
	ring_destroy(ring);
	residency_destroy(residency);
	scheduler_destroy(scheduler);
	return 0;
}

/* /api/ps answers: these, up to NULL, are loaded. */
static inline void tell(const char *one, const char *other)
{
	residency_begin(residency);
	if (one)
		residency_add(residency, one, 1, 1, 4096);
	if (other)
		residency_add(residency, other, 1, 1, 4096);
	residency_end(residency, now_us);
}

static inline struct job *add_ruled(const char *model, const char *project,
	const struct peek_result *seen, const struct policy *policy)
{
	struct job *job = &jobs[job_count++];

	assert_true(job_count <= JOBS);
	job_init(job, &tally);
	if (policy)
		job->policy = *policy;
	job->record.model = model ? mem_strdup(model) : NULL;
	job->record.project = mem_strdup(project);
	job->record.body_complete_us = job->queued_since_us = now_us;
	scheduler_enter(scheduler, &settings, job, seen, now_us);
	assert_true(ring_put(ring, job));
	job_set_state(job, JOB_QUEUED);
	return job;
}

static inline struct job *add_with(
	const char *model, const char *project, const struct peek_result *seen)
{
	return add_ruled(model, project, seen, NULL);
}

static inline struct job *add(const char *model)
{
	return add_with(model, "p", NULL);
}

static inline struct scheduler_view view(void)
{
	return (struct scheduler_view){
		.now_us = now_us,
		.upstream_usable = true,
		.residency = residency,
		.ring = ring,
		.settings = &settings,
		.in_progress = tally.in_progress,
	};
}

/* The next verdict but LOOK, which is answered. */
static inline struct scheduler_answer next(void)
{
	for (;;) {
		struct scheduler_view seen = view();
		struct scheduler_answer answer = scheduler_next(scheduler, &seen);

		if (answer.verdict != SCHEDULER_LOOK)
			return answer;
		scheduler_looked(scheduler, kind, now_us);
	}
}

static inline void expect_nothing(void)
{
	assert_int_equal(next().verdict, SCHEDULER_NOTHING);
}

#endif
