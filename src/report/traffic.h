/*
 * How requests came: bursts, the busiest minute, how many ran at once, and the least wait that they
 * allow (report/bound). A log is in the order in which requests ended; they are put into the order
 * of their arrival within a window of bounded length. Called by report/analysis; microseconds.
 */
#ifndef SO_REPORT_TRAFFIC_H
#define SO_REPORT_TRAFFIC_H

#include <stdint.h>

#include "report/spread.h"

struct traffic;

struct traffic_result {
	uint64_t arrivals;
	uint64_t peak_a_minute; /* within any 60 s */
	uint64_t bursts;
	uint64_t burst_requests; /* in all bursts */
	uint64_t largest_burst;
	struct spread burst_ms; /* from a burst's first arrival to its last */
	struct spread pause_ms; /* from a burst's last arrival to the next request */
	uint64_t late;		/* so far out of order that they count in none of these */
	uint64_t at_once;	/* the most that ran at the same time */
	/* Seconds over all jobs that ran, for `at_once` slots; NAN: unknown. */
	double least_wait_sum_s;
	/* The same with two slots more. */
	double least_wait_sum_more_s;
};

/* A run that begins up to so long before another one ends comes after it: that is how exact the
 * log's times are. */
struct traffic *traffic_create(int64_t blur_us);
void traffic_destroy(struct traffic *traffic);
void traffic_add_arrival(struct traffic *traffic, int64_t arrived_us, int64_t ended_us);
/* A job that ran: it began (was sent, and waited no more), took so long without any load, ended. */
void traffic_add_run(struct traffic *traffic, int64_t arrived_us, int64_t began_us,
	int64_t ended_us, int64_t service_us);
/* Once, at the end; lives as long as `traffic`. */
const struct traffic_result *traffic_finish(struct traffic *traffic);

#endif
