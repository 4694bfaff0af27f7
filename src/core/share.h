/*
 * Fair share between projects (PRODUCT 3.4): virtual counters of the slot-seconds that each has
 * used, as VTC's token counters, divided by its weight. A project that comes back is lifted to the
 * least counter of those that wait in its class or a higher one, so that nobody saves up. Owned by
 * the scheduler; a share lives as long as one of its jobs waits or runs, or it is kept.
 */
#ifndef SO_CORE_SHARE_H
#define SO_CORE_SHARE_H

#include "base/list.h"
#include "core/job.h"

struct rules;

struct share {
	struct list link;
	char *project;
	struct job_group jobs;
	struct job_group classes[CLASSES];
	double served_us; /* the counter: slot-microseconds / weight, what runs is estimated */
	double weight;	  /* as the job that came last has it */
	int kept;	  /* not to be forgotten though it has no jobs */

	/* for people */
	double used_us; /* slot-microseconds of sendings that are over */
	uint64_t loads; /* that were made for its jobs */
	double loads_us;
};

struct shares {
	struct list all; /* struct share, link */
	size_t count;
};

void shares_init(struct shares *shares);
void shares_finish(struct shares *shares);
/* The share of the project of a job that is about to wait; made if new, lifted if it had neither
 * waiting nor running jobs. The job is counted in it from now on. */
struct share *shares_enter(struct shares *shares, struct job *job);
/* These rules are in force from now on: their caps hold for all that wait already. */
void shares_renew_caps(struct shares *shares, const struct rules *rules);
/* NULL: it has no share. */
struct share *shares_find(const struct shares *shares, const char *project);
/* The least counter of the projects that have waiting jobs of this class or a higher one, else of
 * those that have any; 0 where none has. */
double shares_least_us(const struct shares *shares, enum job_class job_class);

/* The job is sent: its project is charged `expected_us` for now. */
void share_sent(struct job *job, double expected_us);
/* It held its slot for `held_us`. */
void share_released(struct job *job, int64_t held_us);

#endif
