#include "core/patience.h"

#include "core/job.h"

enum {
	RETRY_AFTER_LEAST_S = 1,
	RETRY_AFTER_MOST_S = 60,
	US_PER_S = 1000 * 1000,
	/* A queue of fifty takes some 0.05 ms; thousands, each of its own project, many ms: then
	   with the rests tests are to be a tenth of the time. */
	CHEAP_TEST_US = 500,
	RESTS = 9,
};

/* A start that is farther away is known less well. */
#define START_MARGIN 1.2

void patience_update(struct job *job, int64_t service_us)
{
	const struct record *record = &job->record;
	int64_t due_us = record->arrived_us + job->policy.patience_us - service_us;

	job->patience_due_us = 0;
	if (job->policy.patience_us <= 0)
		return;
	/* No retry would help one that is late when its body has come. What such a job takes is
	   learned: what was doubted may be believed later, and the other way round. */
	job->record.patience_doubted = due_us < record->body_complete_us;
	if (!job->record.patience_doubted)
		job->patience_due_us = due_us > 0 ? due_us : 1;
}

bool patience_is_late(const struct job *job, int64_t now_us, int64_t start_us, int64_t service_us)
{
	int64_t left_us = job->record.arrived_us + job->policy.patience_us - now_us;

	return job->patience_due_us && start_us > 0 &&
	       START_MARGIN * (double)start_us + (double)service_us > (double)left_us;
}

int patience_retry_after(const struct job *job, int64_t start_us, int64_t service_us)
{
	int64_t spare_us = (job->policy.patience_us - service_us) / 2;
	int64_t wait_us = start_us - (spare_us > 0 ? spare_us : 0);

	if (wait_us <= (int64_t)RETRY_AFTER_LEAST_S * US_PER_S)
		return RETRY_AFTER_LEAST_S;
	if (wait_us >= (int64_t)RETRY_AFTER_MOST_S * US_PER_S)
		return RETRY_AFTER_MOST_S;
	return (int)((wait_us + US_PER_S - 1) / US_PER_S);
}

int64_t patience_rest_us(int64_t cost_us)
{
	return cost_us > CHEAP_TEST_US ? RESTS * cost_us : 0;
}
