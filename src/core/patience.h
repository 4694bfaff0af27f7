/*
 * A client that gives up takes its answer with it (PRODUCT 3.5): whether a job can still be
 * answered within its client's patience, and if not, when the client should come back. Pure
 * arithmetic of FACTS-scheduling; relay asks, after a forecast, whenever something changed.
 */
#ifndef SO_CORE_PATIENCE_H
#define SO_CORE_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

struct job;

/*
 * Sets job->patience_due_us: the job is not to be dispatched from then on. 0: it has none, or its
 * patience cannot be true, for a job of its kind takes longer than it has had since its body was
 * complete: then it waits as one that announced none, and record.patience_doubted is set.
 */
void patience_update(struct job *job, int64_t service_us);
/* It will not be answered in time: started in `start_us` from now, served in `service_us`. Never
 * one that can start now, or that has no due time. */
bool patience_is_late(const struct job *job, int64_t now_us, int64_t start_us, int64_t service_us);
/* Whole seconds, 1 to 60: when its client, with all its patience, will be in time. */
int patience_retry_after(const struct job *job, int64_t start_us, int64_t service_us);
/* A test of all that wait took the processor so long: until the next one so much time is to pass.
 * 0: it was cheap. */
int64_t patience_rest_us(int64_t cost_us);

#endif
