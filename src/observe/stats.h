/*
 * Sums over ended records for GET /api/v1/queue/stats (PRODUCT 6.2): waits, latencies by warm and
 * cold, warm starts, loads. The counters themselves are core's tally. Told by proxy.c through
 * struct record_events.
 */
#ifndef SO_OBSERVE_STATS_H
#define SO_OBSERVE_STATS_H

#include <stdint.h>

#include "base/histogram.h"
#include "core/record.h"
#include "observe/cuts.h"

struct stats {
	struct histogram wait_us;    /* of dispatched jobs */
	int64_t max_wait_us;	     /* expired ones included */
	struct histogram latency_us; /* of jobs that ended in success: errors would dilute it */
	struct histogram latency_warm_us;
	struct histogram latency_cold_us;
	struct histogram load_us; /* of these loads, where the answer told it */
	uint64_t warm;		  /* of jobs that ended in success, as cold */
	uint64_t cold;
	/* our own, and record.is_load: loads that jobs waited for, one that several shared once */
	uint64_t model_loads;
	/* jobs whose client announced less patience than such a job takes */
	uint64_t patience_doubted;
	struct cuts cuts;
};

/* A zeroed struct is empty. */
void stats_add(struct stats *stats, const struct record *record);
/* A load of our own (PRODUCT 3.6), which took so long. */
void stats_add_load(struct stats *stats, int64_t took_us);

#endif
