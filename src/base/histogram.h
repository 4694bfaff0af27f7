/*
 * Counts of values in buckets that grow with the value: percentiles of waits and latencies in
 * constant memory. Each bucket is at most 5 % wide (relative) up to 4.1e10 (11.6 hours in
 * microseconds); larger values share the last one. Values are in whatever unit the owner says
 * (microseconds in observe).
 */
#ifndef SO_BASE_HISTOGRAM_H
#define SO_BASE_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 640 };

struct histogram {
	uint64_t count;
	double sum;
	int64_t max;
	uint32_t buckets[HISTOGRAM_BUCKETS];
};

/* A zeroed histogram is empty. Negative values count as 0. */
void histogram_add(struct histogram *histogram, int64_t value);
/* `fraction` 0.5 for the median. 0 when empty. The answer lies in the value's bucket and never
 * above max; 1.0 gives max. */
int64_t histogram_quantile(const struct histogram *histogram, double fraction);
/* The values of `other` are counted here too. */
void histogram_merge(struct histogram *histogram, const struct histogram *other);
double histogram_mean(const struct histogram *histogram);
/* For exposition: the highest value that bucket i counts; INT64_MAX for the last one. */
int64_t histogram_bound(unsigned bucket);

#endif
