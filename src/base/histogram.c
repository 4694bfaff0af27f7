#include "base/histogram.h"

#include <math.h>

/*
 * Values below STEPS have a bucket each. Above, each doubling (STEPS << k up to STEPS << (k + 1))
 * is cut into STEPS equal buckets of width 1 << k, which is at most 1/STEPS = 5 % of the value. The
 * last bucket begins at 39 << 30: in microseconds, 11.6 hours.
 */
enum { STEPS = 20, LAST_BUCKET = HISTOGRAM_BUCKETS - 1, HIGHEST_BIT = 63 };

static unsigned bucket_of(int64_t value)
{
	unsigned doublings;
	int64_t bucket;

	if (value < STEPS)
		return (unsigned)value;
	doublings = HIGHEST_BIT - (unsigned)__builtin_clzll((unsigned long long)(value / STEPS));
	bucket = STEPS + (int64_t)doublings * STEPS + (value >> doublings) - STEPS;
	return bucket < LAST_BUCKET ? (unsigned)bucket : LAST_BUCKET;
}

static int64_t lowest_of(unsigned bucket)
{
	return bucket ? histogram_bound(bucket - 1) + 1 : 0;
}

void histogram_add(struct histogram *histogram, int64_t value)
{
	uint32_t *count;

	if (value < 0)
		value = 0;
	count = &histogram->buckets[bucket_of(value)];
	if (*count < UINT32_MAX)
		++*count;
	histogram->count++;
	histogram->sum += (double)value;
	if (value > histogram->max)
		histogram->max = value;
}

void histogram_merge(struct histogram *histogram, const struct histogram *other)
{
	for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint32_t room = UINT32_MAX - histogram->buckets[i];

		histogram->buckets[i] += other->buckets[i] < room ? other->buckets[i] : room;
	}
	histogram->count += other->count;
	histogram->sum += other->sum;
	if (other->max > histogram->max)
		histogram->max = other->max;
}

int64_t histogram_quantile(const struct histogram *histogram, double fraction)
{
	double rank = ceil(fraction * (double)histogram->count);
	double seen = 0;

	if (!(rank >= 1))
		rank = 1;
	if (rank >= (double)histogram->count)
		return histogram->max;
	for (unsigned i = 0; i < LAST_BUCKET; i++) {
		int64_t lowest, middle;

		seen += histogram->buckets[i];
		if (seen < rank)
			continue;
		lowest = lowest_of(i);
		middle = lowest + (histogram_bound(i) - lowest) / 2;
		return middle < histogram->max ? middle : histogram->max;
	}
	return histogram->max;
}

double histogram_mean(const struct histogram *histogram)
{
	return histogram->count ? histogram->sum / (double)histogram->count : 0;
}

int64_t histogram_bound(unsigned bucket)
{
	unsigned doublings;

	if (bucket < STEPS)
		return bucket;
	if (bucket >= LAST_BUCKET)
		return INT64_MAX;
	doublings = bucket / STEPS - 1;
	return ((int64_t)(STEPS + bucket % STEPS + 1) << doublings) - 1;
}
