/*
 * Sums over ended records for GET /api/v1/queue/stats (PRODUCT 6.2) and /metrics (6.3): waits,
 * latencies by warm and cold, warm starts, loads, and the same by project and model. The counters
 * of jobs themselves are core's tally. Told by proxy.c through struct record_events.
 */
#ifndef SO_OBSERVE_STATS_H
#define SO_OBSERVE_STATS_H

#include <stdint.h>

#include "base/histogram.h"
#include "core/record.h"
#include "observe/account.h"
#include "observe/cuts.h"
#include "observe/name_table.h"

struct settings;

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

	/* of jobs by how they ended, exactly; passes too */
	uint64_t job_outcomes[OUTCOME_COUNT];
	uint64_t pass_outcomes[OUTCOME_COUNT];
	/* by index of `project_names` and `model_names`; models by their canonical names */
	struct name_table project_names;
	struct account projects[NAME_TABLE_ROOM];
	struct name_table model_names;
	struct account models[NAME_TABLE_ROOM];
	struct account_ladders ladders[NAME_TABLE_ROOM]; /* of models */
};

/* A load of our own (PRODUCT 3.6), which took so long. */
struct stats_load {
	const char *model;
	const char *project; /* for whose job; NULL: for none's */
	int64_t took_us;
};

/* A zeroed struct is empty. Names that the configuration has keep places of their own: at the start
 * and when the settings change. */
void stats_prepare(struct stats *stats, const struct settings *settings);
void stats_add(struct stats *stats, const struct record *record);
void stats_add_load(struct stats *stats, const struct stats_load *load);
/* They have jobs now, but none that ended: they get their places where there are some. */
void stats_meet_project(struct stats *stats, const char *project);
void stats_meet_model(struct stats *stats, const char *model);

#endif
