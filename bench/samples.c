#include "samples.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/memory.h"

/*
 * Values below 2 * SPLIT have a bucket each; above, each doubling is split into SPLIT equal ones.
 */
enum { SPLIT_BITS = 7, SPLIT = 1 << SPLIT_BITS, VALUE_BITS = 63 };
enum { BUCKETS = (VALUE_BITS - SPLIT_BITS + 1) * SPLIT };

static unsigned shift_of(uint64_t value)
{
	unsigned bits = value ? 64 - (unsigned)__builtin_clzll(value) : 0;

	return bits > SPLIT_BITS + 1 ? bits - SPLIT_BITS - 1 : 0;
}

static unsigned bucket_of(int64_t value)
{
	unsigned shift = shift_of((uint64_t)value);

	return shift * SPLIT + (unsigned)(value >> shift);
}

static int64_t middle_of(unsigned bucket)
{
	unsigned shift = bucket < 2 * SPLIT ? 0 : bucket / SPLIT - 1;
	int64_t first = (int64_t)(bucket - shift * SPLIT) << shift;

	return first + ((INT64_C(1) << shift) - 1) / 2;
}

void samples_add(struct samples *samples, int64_t value)
{
	if (!samples->buckets)
		samples->buckets = mem_zalloc_array(BUCKETS, sizeof(*samples->buckets));
	if (value < 0)
		value = 0;
	samples->buckets[bucket_of(value)]++;
	samples->count++;
	samples->sum += (double)value;
	if (value > samples->max)
		samples->max = value;
}

void samples_finish(struct samples *samples)
{
	free(samples->buckets);
	*samples = (struct samples){0};
}

int64_t samples_quantile(const struct samples *samples, double fraction)
{
	uint64_t wanted = (uint64_t)(fraction * (double)samples->count);
	uint64_t below = 0;

	if (!samples->count || wanted >= samples->count)
		return samples->max;
	for (unsigned i = 0; i < BUCKETS; i++) {
		below += samples->buckets[i];
		if (below > wanted)
			return middle_of(i) < samples->max ? middle_of(i) : samples->max;
	}
	return samples->max;
}

void samples_print(const struct samples *samples, const char *key, double divisor)
{
	static const struct {
		const char *key;
		double fraction;
	} quantiles[] = {{"p10", 0.1}, {"p25", 0.25}, {"p50", 0.5}, {"p75", 0.75}, {"p90", 0.9},
		{"p99", 0.99}, {"p999", 0.999}, {"max", 1}};

	if (!samples->count) {
		printf("\"%s\":null", key);
		return;
	}
	printf("\"%s\":{\"count\":%llu,\"mean\":%.3f", key, (unsigned long long)samples->count,
		samples->sum / (double)samples->count / divisor);
	for (size_t i = 0; i < ARRAY_LENGTH(quantiles); i++)
		printf(",\"%s\":%.3f", quantiles[i].key,
			(double)samples_quantile(samples, quantiles[i].fraction) / divisor);
	printf("}");
}
