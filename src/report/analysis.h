/*
 * All that the report says, gathered line by line in constant memory. Called by report/report;
 * report/tables and report/findings read the members.
 */
#ifndef SO_REPORT_ANALYSIS_H
#define SO_REPORT_ANALYSIS_H

#include <stdbool.h>
#include <stdint.h>

#include "report/line.h"
#include "report/loads.h"
#include "report/names.h"
#include "report/spread.h"
#include "report/timeline.h"
#include "report/traffic.h"
#include "report/usage.h"

/* Only what is asked for is looked at. */
struct analysis_filter {
	int64_t since_us;    /* requests that ended then or later; -1: all */
	int64_t until_us;    /* and before then; -1: all */
	const char *project; /* NULL: all */
	const char *model;
	double time_scale; /* the log was made so many times faster than life; 1: it is life */
};

struct analysis {
	struct analysis_filter filter;
	uint64_t lines; /* that are log lines */
	uint64_t bad_lines;
	uint64_t filtered; /* left out as asked for */
	int64_t first_us;  /* the earliest arrival; -1: unknown */
	int64_t last_us;   /* the latest end */
	int64_t origin_us; /* of scaled time; -1: not yet */
	struct usage all;
	struct spread latency_warm; /* successes */
	struct spread latency_cold;
	struct spread service_warm; /* the same without their waits */
	struct spread service_cold;
	struct spread queue_wait;
	struct spread upstream_wait;
	struct spread ttft; /* streamed answers */
	struct spread load; /* of cold starts */
	struct loads loads;
	struct timeline timeline;
	struct names *projects; /* struct usage */
	struct names *models;	/* struct usage */
	struct names *pairs; /* struct usage of a project's requests for a model, by pair_name() */
	struct names *operations; /* uint64_t */
	struct names *errors;	  /* uint64_t, by error_type */
	struct traffic *traffic_parts;
	const struct traffic_result *traffic; /* after analysis_end() */
};

struct analysis *analysis_create(const struct analysis_filter *filter);
void analysis_destroy(struct analysis *analysis);
/* `line` is changed where time is scaled. */
void analysis_add(struct analysis *analysis, struct line *line);
void analysis_end(struct analysis *analysis);

/* The two names of a row of `pairs`, cut apart; both point into new memory that begins at
 * *ret_project, which the caller frees. */
void analysis_pair_names(
	const struct analysis *analysis, size_t index, char **ret_project, const char **ret_model);

#endif
