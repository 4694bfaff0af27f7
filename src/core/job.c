#include "core/job.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static const char *const state_names[] = {
#define X(symbol, name) name,
	JOB_STATES(X)
#undef X
};

#define TO(state) (1U << JOB_##state)

/* Which states may follow (docs/job-states.md). DONE may follow every state but itself. */
static const unsigned allowed[JOB_STATE_COUNT] = {
	[JOB_READING] = TO(QUEUED) | TO(DONE),
	[JOB_QUEUED] = TO(CONNECTING) | TO(DONE),
	[JOB_CONNECTING] = TO(AWAITING) | TO(QUEUED) | TO(DONE),
	[JOB_AWAITING] = TO(STREAMING) | TO(QUEUED) | TO(DONE),
	[JOB_STREAMING] = TO(FLUSHING) | TO(DONE),
	[JOB_FLUSHING] = TO(DONE),
	[JOB_DONE] = 0,
};

const char *job_state_name(enum job_state state)
{
	return state_names[state];
}

void job_init(struct job *job, struct tally *tally)
{
	memset(job, 0, sizeof(*job));
	record_init(&job->record);
	job->record.is_job = true;
	job->policy.job_class = CLASS_NORMAL;
	job->policy.weight = 1;
	job->state = JOB_READING;
	job->tally = tally;
	job->start_us = -1;
	list_init(&job->link);
	tally->received++;
	tally->reading++;
}

void job_finish(struct job *job)
{
	assert(!job->in_ring);
	list_remove(&job->link);
	record_finish(&job->record);
}

/* The gauge of a living state; NULL for DONE, whose counter is the outcome's. */
static uint64_t *gauge_of(struct tally *tally, enum job_state state)
{
	switch (state) {
	case JOB_READING:
		return &tally->reading;
	case JOB_QUEUED:
		return &tally->queued;
	case JOB_CONNECTING:
	case JOB_AWAITING:
	case JOB_STREAMING:
		return &tally->in_progress;
	case JOB_FLUSHING:
		return &tally->flushing;
	case JOB_DONE:
	case JOB_STATE_COUNT:
		break;
	}
	return NULL;
}

/* Those that wait or run are counted in their runner's and their project's group. */
static void count_in_groups(struct job *job, enum job_state state, uint64_t change)
{
	bool is_running =
		state == JOB_CONNECTING || state == JOB_AWAITING || state == JOB_STREAMING;

	for (size_t i = 0; i < JOB_GROUPS; i++) {
		struct job_group *group = job->groups[i];

		if (group && state == JOB_QUEUED)
			group->waiting += change;
		else if (group && is_running)
			group->running += change;
	}
}

bool job_may_become(enum job_state from, enum job_state to)
{
	return from < JOB_STATE_COUNT && (allowed[from] & (1U << to)) != 0;
}

void job_set_state(struct job *job, enum job_state state)
{
	uint64_t *left = gauge_of(job->tally, job->state);
	uint64_t *entered = gauge_of(job->tally, state);

	assert(job->state < JOB_STATE_COUNT && job_may_become(job->state, state));
	assert(left && *left > 0);
	(*left)--;
	if (entered) {
		(*entered)++;
	} else {
		assert(job->record.outcome != OUTCOME_NONE);
		job->tally->ended[outcome_counter(job->record.outcome)]++;
	}
	count_in_groups(job, job->state, (uint64_t)-1);
	count_in_groups(job, state, 1);
	job->state = state;
}

bool job_holds_slot(const struct job *job)
{
	return job->state == JOB_CONNECTING || job->state == JOB_AWAITING ||
	       job->state == JOB_STREAMING;
}

static bool is_full(const struct job_group *group)
{
	return group && group->running_most > 0 && group->running >= group->running_most;
}

bool job_is_capped(const struct job *job)
{
	return is_full(job->groups[GROUP_PROJECT]) || is_full(job->groups[GROUP_MODEL]);
}

bool job_belongs_in_ring(const struct job *job)
{
	return job->state == JOB_QUEUED || job->state == JOB_CONNECTING ||
	       job->state == JOB_AWAITING;
}

void job_leave_as_pass(struct job *job)
{
	assert(job->state == JOB_READING);
	job->tally->received--;
	job->tally->reading--;
	job->state = JOB_DONE;
}

void job_load_begun(struct job *job, int64_t now_us)
{
	/* One whose time is over is ended by its own timer in this turn. */
	if (!job->load_since_us && (!job->deadline_us || job->deadline_us > now_us))
		job->load_since_us = now_us;
}

void job_load_ended(struct job *job, int64_t now_us)
{
	int64_t took_us = now_us - job->load_since_us;

	if (!job->load_since_us)
		return;
	job->load_since_us = 0;
	if (job->record.load_wait_us < 0)
		job->record.load_wait_us = 0;
	job->record.load_wait_us += took_us;
	if (job->deadline_us)
		job->deadline_us += took_us;
}

int64_t job_wait_end_us(const struct job *job)
{
	int64_t end_us = job->load_since_us ? 0 : job->deadline_us;

	if (job->patience_due_us && (!end_us || job->patience_due_us < end_us))
		return job->patience_due_us;
	return end_us;
}

bool job_is_over(const struct job *job, int64_t now_us)
{
	int64_t end_us = job_wait_end_us(job);

	return end_us && end_us <= now_us;
}

void job_queue_again(struct job *job, int64_t now_us, int64_t timeout_us)
{
	int64_t loads_us = job->record.load_wait_us > 0 ? job->record.load_wait_us : 0;

	job->queued_since_us = now_us;
	if (timeout_us > 0)
		job->deadline_us = now_us + timeout_us - (job->record.queue_wait_us - loads_us);
}
