/*
 * What the tests of turns begin with, beside scheduler_fixture.h: jobs are sent, answered and
 * finished as relay does.
 */
#ifndef SO_TESTS_UNIT_CORE_TURNS_FIXTURE_H
#define SO_TESTS_UNIT_CORE_TURNS_FIXTURE_H

#include "scheduler_fixture.h"

enum { P = 2 };

static const int64_t LOAD_US = 10000000;

static inline int setup(void **state)
{
	begin((struct settings){
		.max_concurrent = P, .scheduler = SCHEDULER_TURNS, .max_turn_wait_ms = 45000});
	return 0;
}

static inline void send_next(struct job *expected)
{
	struct scheduler_answer answer = next();

	assert_int_equal(answer.verdict, SCHEDULER_DISPATCH);
	assert_ptr_equal(answer.job, expected);
	expected->record.dispatched_us = now_us;
	scheduler_sent(scheduler, expected);
	job_set_state(expected, JOB_CONNECTING);
}

static inline void finish(struct job *job)
{
	int64_t held_us = now_us - job->record.dispatched_us;

	job_set_state(job, JOB_AWAITING);
	ring_remove(ring, job);
	job_set_state(job, JOB_STREAMING);
	scheduler_slot_freed(scheduler, job, held_us);
	scheduler_released(scheduler, job, held_us, now_us);
	job_set_state(job, JOB_FLUSHING);
}

static inline void expect_verdict(enum scheduler_verdict verdict, const char *key)
{
	struct scheduler_answer answer = next();

	assert_int_equal(answer.verdict, verdict);
	assert_string_equal(answer.runner->key, key);
}

static inline void loaded(const char *one, const char *other)
{
	now_us += LOAD_US;
	tell(one, other);
	scheduler_loaded(scheduler, LOAD_US, now_us, now_us);
}

/* Loads the runner of what waits, in an empty box. */
static inline void load(const char *key)
{
	expect_verdict(SCHEDULER_LOAD, key);
	loaded(key, NULL);
}

/* Its client goes while it waits. */
static inline void leave(struct job *job)
{
	ring_remove(ring, job);
	job->record.outcome = OUTCOME_CLIENT_GONE;
	job_set_state(job, JOB_DONE);
}

/* The runner that was to be unloaded is gone. */
static inline void unloaded(const char *left)
{
	tell(left, NULL);
	scheduler_unloaded(scheduler, now_us);
}

static inline void explain(const struct job *job, const char *expected)
{
	struct scheduler_view seen = view();
	char reason[SCHEDULER_REASON_BYTES];

	scheduler_rank(scheduler, &seen);
	scheduler_explain(scheduler, &seen, job, reason);
	assert_string_equal(reason, expected);
}

#endif
