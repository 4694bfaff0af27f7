/*
 * What happened when, in a bounded number of columns of equal width, for plots. The width doubles
 * when the log turns out to be longer. Called by report/analysis; microseconds since 1970.
 */
#ifndef SO_REPORT_TIMELINE_H
#define SO_REPORT_TIMELINE_H

#include <stddef.h>
#include <stdint.h>

enum { TIMELINE_COLUMNS = 240 };

struct timeline_column {
	uint64_t arrivals;
	uint64_t errors;
	uint64_t warm;
	uint64_t cold;
	uint64_t latencies;
	uint64_t waits;
	double latency_ms; /* sums */
	double wait_ms;
};

/* A zeroed one is empty. */
struct timeline {
	int64_t width_us;
	int64_t first; /* column 0 begins at first * width_us */
	size_t used;   /* columns up to the last one with something in it */
	struct timeline_column columns[TIMELINE_COLUMNS];
};

/* The column of that moment, for the caller to add to. */
struct timeline_column *timeline_at(struct timeline *timeline, int64_t us);

#endif
