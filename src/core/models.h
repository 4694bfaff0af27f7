/*
 * How many jobs of each model wait and run, over all its runner keys: what its caps bound (PRODUCT
 * 5). Owned by the scheduler; an entry lives as long as one of its jobs waits or runs.
 */
#ifndef SO_CORE_MODELS_H
#define SO_CORE_MODELS_H

#include "base/list.h"
#include "core/job.h"

struct rules;

struct models {
	struct list all;
	size_t count;
};

void models_init(struct models *models);
void models_finish(struct models *models);
/* The job, which names a model, is about to wait: it is counted in its model from now on. */
void models_enter(struct models *models, struct job *job);
/* These rules are in force from now on: their caps hold for all that wait already. */
void models_renew_caps(struct models *models, const struct rules *rules);
/* By any spelling; NULL: none of it wait or run. */
const struct job_group *models_find(const struct models *models, const char *model);

#endif
