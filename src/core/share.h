/*
 * Fair share between projects (PRODUCT 3.4): virtual counters of the slot-seconds that each has
 * used, as VTC's token counters. A project that comes back is lifted to the least counter of those
 * that wait, so that nobody saves up. Used by the scheduler only; a share lives as long as a job
 * points at it.
 */
#ifndef SO_CORE_SHARE_H
#define SO_CORE_SHARE_H

#include "base/list.h"
#include "core/job.h"

struct share {
	struct list link;
	char *project;
	struct job_group jobs;
	double served_us; /* slot-microseconds */
};

struct shares {
	struct list all;
	size_t count;
};

void shares_init(struct shares *shares);
void shares_finish(struct shares *shares);
/* The project's share for a job that is about to wait; made, lifted if it had neither waiting nor
 * running jobs. */
struct share *shares_enter(struct shares *shares, const char *project);
/* The least counter of the projects that have waiting jobs; 0 where none has. */
double shares_least_us(const struct shares *shares);

#endif
